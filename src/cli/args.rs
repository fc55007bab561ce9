//! Go-style command lines: `-var x=y`, `-only=a`, `-debug=false` work as well as their forms with two dashes.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;

use super::exit;

/// The words as clap takes them, and whether `-machine-readable` was among them: Packer takes that out wherever it stands.
pub fn normalized(words: Vec<String>) -> (Vec<String>, bool) {
    let mut machine_readable = false;
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut flags_over = false;
    for (at, word) in words.into_iter().enumerate() {
        if word == "-machine-readable" && !flags_over {
            machine_readable = true;
            continue;
        }
        flags_over |= word == "--";
        out.push(if at == 0 || flags_over { word } else { two_dashes(word) });
    }
    if let Some(first) = out.get(1)
        && ["-v", "--v", "--version"].contains(&first.as_str())
    {
        out[1] = "version".to_owned();
        out.truncate(2);
    }
    (out, machine_readable)
}

/// `-name` becomes `--name`; `-h`, `-`, and negative numbers stay.
fn two_dashes(word: String) -> String {
    let long = word.strip_prefix('-').is_some_and(|rest| {
        let name = rest.split('=').next().unwrap_or_default();
        name.len() > 1 && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
    });
    if long { format!("-{word}") } else { word }
}

/// A bool as Go's flag package takes it.
pub fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("invalid boolean value {text:?}: parse error")),
    }
}

/// Says what is wrong with the command line, or shows the help that was asked for.
pub fn refused(error: &clap::Error, words: &[String]) -> ExitCode {
    let text = error.render().to_string();
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if words.len() > 1 => exit::FAILURE,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => exit::NO_COMMAND,
        ErrorKind::InvalidSubcommand => exit::NO_COMMAND,
        _ => exit::FAILURE,
    };
    // Help and usage errors go where Packer's go; a closed pipe is nobody to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> (Vec<String>, bool) {
        normalized(line.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let (words, machine) = words("kiln build -var a=-b -only=x --debug -machine-readable -h - t.pkr.hcl");
        assert_eq!(words.join(" "), "kiln build --var a=-b --only=x --debug -h - t.pkr.hcl");
        assert!(machine);
    }

    #[test]
    fn version_has_many_names() {
        for line in ["kiln -v", "kiln -version", "kiln --version x"] {
            assert_eq!(words(line).0, ["kiln", "version"], "{line}");
        }
    }

    #[test]
    fn what_follows_two_dashes_alone_is_left_alone() {
        assert_eq!(words("kiln build -- -x.pkr.hcl").0.last().unwrap(), "-x.pkr.hcl");
    }
}
