//! Go-style command lines: `-var x=y`, `-only=a`, `-debug=false` work as well as their forms with two dashes, and the
//! flags of Packer's verbs end at the first word that is none (packer-core.md section 1.1).

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command};

use super::exit;

/// The verbs that have Packer's flag syntax; Kiln's own take flags anywhere.
const PACKERS: [&str; 11] = [
    "build",
    "console",
    "fix",
    "fmt",
    "hcl2_upgrade",
    "init",
    "inspect",
    "plugins",
    "validate",
    "verify-attestation",
    "version",
];
const HELP: [&str; 3] = ["-h", "-help", "--help"];
const VERSION: [&str; 4] = ["-v", "--v", "-version", "--version"];

/// The words as clap takes them, and whether `-machine-readable` was among them: Packer takes that out wherever it
/// stands, once.
pub fn normalized(mut words: Vec<String>, root: &Command) -> (Vec<String>, bool) {
    let machine_readable = words.iter().position(|word| word == "-machine-readable");
    if let Some(at) = machine_readable {
        words.remove(at);
    }
    let mut out: Vec<String> = words.drain(..words.len().min(1)).collect();
    if words.first().is_some_and(|first| VERSION.contains(&first.as_str())) {
        words = vec!["version".to_owned()];
    }
    let mut command = root;
    let verb = words.first().and_then(|word| root.find_subcommand(word)).map(Command::get_name).unwrap_or_default();
    while let Some(found) = words.first().and_then(|word| command.find_subcommand(word)) {
        out.push(words.remove(0));
        command = found;
    }
    if PACKERS.contains(&verb) && !command.has_subcommands() {
        out.extend(as_go_reads(command, words));
    } else {
        out.extend(anywhere(words));
    }
    (out, machine_readable.is_some())
}

/// Flags in front, each in one word, then `--`, then the rest as it is; a call for help drowns all else.
fn as_go_reads(command: &Command, words: Vec<String>) -> Vec<String> {
    if words.iter().any(|word| HELP.contains(&word.as_str())) {
        return vec!["--help".to_owned()];
    }
    let mut out = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(flag) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if flag == "--" {
            break;
        }
        let flag = two_dashes(flag);
        let name = flag.trim_start_matches('-');
        // A flag that wants a value takes the next word, whatever it looks like.
        match words.next_if(|_| !name.contains('=') && wants_a_value(command, name)) {
            Some(value) => out.push(format!("{flag}={value}")),
            None => out.push(flag),
        }
    }
    out.push("--".to_owned());
    out.extend(words);
    out
}

fn wants_a_value(command: &Command, name: &str) -> bool {
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    let takes = |argument: &clap::Arg| matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    argument.is_some_and(|argument| takes(argument) && !argument.is_require_equals_set())
}

fn anywhere(words: Vec<String>) -> Vec<String> {
    let mut flags_over = false;
    let word = |word: String| {
        flags_over |= word == "--";
        if flags_over { word } else { two_dashes(word) }
    };
    words.into_iter().map(word).collect()
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
pub fn refused(error: &clap::Error, words: &[String], mut root: Command) -> ExitCode {
    let (code, text) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => (0, error.render().to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let code = if words.len() > 1 { exit::FAILURE } else { exit::NO_COMMAND };
            (code, error.render().to_string())
        }
        ErrorKind::InvalidSubcommand => {
            // `kiln bakery` is no command; `kiln plugins bakery` is a command used wrongly.
            let top = words.get(1).is_none_or(|verb| root.find_subcommand(verb).is_none());
            let help = if top { format!("\n{}", root.render_help()) } else { String::new() };
            (if top { exit::NO_COMMAND } else { exit::FAILURE }, complaint(error, words) + &help)
        }
        _ => (exit::FAILURE, complaint(error, words)),
    };
    // Help and usage errors go where Packer's go.
    let mut out = std::io::stdout().lock();
    exit::written(out.write_all(text.as_bytes()).and_then(|()| out.flush()), ExitCode::from(code))
}

/// The error in our words where clap's would mislead, else in its own.
fn complaint(error: &clap::Error, words: &[String]) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => format!("\n{usage}\n"),
        _ => String::new(),
    };
    match (error.kind(), context(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with("--") && !follows_the_flags(&flag, words) => {
            let meant = context(ContextKind::SuggestedArg).map(|name| format!("\nhint: did you mean {name}?\n"));
            format!("Error: there is no flag {flag}\n{}{usage}", meant.unwrap_or_default())
        }
        (ErrorKind::UnknownArgument, Some(word)) if word.starts_with('-') => {
            format!(
                "Error: unexpected argument {word}\n\nhint: flags come before the paths; after them they count as paths\n{usage}"
            )
        }
        (ErrorKind::UnknownArgument, Some(word)) => format!("Error: unexpected argument {word}\n{usage}"),
        _ => {
            let text = error.render().to_string();
            text.strip_prefix("error: ").map_or_else(|| text.clone(), |text| format!("Error: {text}"))
        }
    }
}

/// Whether a word stands behind the `--` that ends the flags.
fn follows_the_flags(word: &str, words: &[String]) -> bool {
    words.iter().skip_while(|word| *word != "--").skip(1).any(|own| own == word)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn words(line: &str) -> (Vec<String>, bool) {
        normalized(line.split(' ').map(str::to_owned).collect(), &super::super::Cli::command())
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let (words, machine) = words("kiln build -var a=-b -only=x --debug -machine-readable - t.pkr.hcl");
        assert_eq!(words.join(" "), "kiln build --var=a=-b --only=x --debug -- - t.pkr.hcl");
        assert!(machine);
    }

    #[test]
    fn a_flag_takes_the_next_word_whatever_it_is() {
        assert_eq!(words("kiln build -var -debug t").0.join(" "), "kiln build --var=-debug -- t");
        assert_eq!(words("kiln build -debug false t").0.join(" "), "kiln build --debug -- false t");
        assert_eq!(words("kiln build -var").0.join(" "), "kiln build --var --");
    }

    #[test]
    fn flags_end_at_the_first_path_but_help_is_anywhere() {
        assert_eq!(words("kiln validate t -syntax-only").0.join(" "), "kiln validate -- t -syntax-only");
        assert_eq!(words("kiln validate t -h").0.join(" "), "kiln validate --help");
        assert_eq!(words("kiln plugin required -var a=1 t").0.join(" "), "kiln plugin required --var=a=1 -- t");
        assert_eq!(words("kiln cleanup run -dry-run").0.join(" "), "kiln cleanup run --dry-run");
    }

    #[test]
    fn version_has_many_names() {
        for line in ["kiln -v", "kiln -version", "kiln --version x"] {
            assert_eq!(words(line).0[..2], ["kiln", "version"], "{line}");
        }
    }

    #[test]
    fn what_follows_two_dashes_alone_is_left_alone() {
        assert_eq!(words("kiln build -- -x.pkr.hcl").0.last().unwrap(), "-x.pkr.hcl");
        assert_eq!(words("kiln cleanup -- -x").0.last().unwrap(), "-x");
    }
}
