//! What script provisioners share: where the script comes from, its checks, its exit code.

use std::path::{Path, PathBuf};

/// Where the scripts of a provisioner come from.
pub struct Source<'a> {
    /// Lines given in the template.
    pub inline: &'a [String],
    /// One file.
    pub script: Option<&'a str>,
    /// Several files.
    pub scripts: &'a [String],
}

impl Source<'_> {
    /// What is wrong with the choice of sources or with the files, one text each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.script.is_some() && !self.scripts.is_empty() {
            problems.push("Only one of script or scripts can be specified.".to_owned());
        }
        let files = self.files();
        match (self.inline.is_empty(), files.is_empty()) {
            (true, true) => problems.push("Either a script file or inline script must be specified.".to_owned()),
            (false, false) => {
                problems.push("Only a script file or an inline script can be specified, not both.".to_owned());
            }
            _ => {}
        }
        let bad = |file: &PathBuf| std::fs::metadata(file).err().map(|e| bad_script(file, &e));
        problems.extend(files.iter().filter_map(bad));
        problems
    }

    /// The script files, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        self.script.iter().copied().chain(self.scripts.iter().map(String::as_str)).map(PathBuf::from).collect()
    }
}

fn bad_script(file: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("Bad script '{0}': stat {0}: no such file or directory", file.display())
        }
        _ => format!("Bad script '{}': {error}", file.display()),
    }
}

/// The error of an exit that is not among the allowed codes; `None` when it is.
pub fn refused(status: u32, allowed: &[u32]) -> Option<String> {
    let allowed = if allowed.is_empty() { &[0] } else { allowed };
    if allowed.contains(&status) {
        return None;
    }
    let codes: Vec<String> = allowed.iter().map(u32::to_string).collect();
    Some(format!("Script exited with non-zero exit status: {status}. Allowed exit codes are: [{}]", codes.join(" ")))
}

/// The text of an inline script: a shebang line unless the first item brings one (or the user set one), then the items.
pub fn inline_text(inline: &[String], shebang: Option<&str>) -> String {
    let own = inline.first().is_some_and(|first| first.starts_with("#!"));
    let line = match shebang {
        Some(shebang) => format!("#!{shebang}\n"),
        None if own => String::new(),
        None => "#!/bin/sh -e\n".to_owned(),
    };
    inline.iter().fold(line, |text, item| text + item + "\n")
}

/// A number for names of temporary files, 0 to 9998.
pub fn random_number() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    // Names only have to differ, so the hasher's random keys are random enough.
    (RandomState::new().hash_one(0u8) % 9999) as u32
}

/// A UUID for names on the machine, which no two builds may share.
pub fn unique() -> String {
    // Version 4, variant 1.
    let bits = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        assert_eq!(refused(0, &[]), None);
        assert_eq!(refused(3, &[0, 3]), None);
        let text = "Script exited with non-zero exit status: 3. Allowed exit codes are: [0 2]";
        assert_eq!(refused(3, &[0, 2]).as_deref(), Some(text));
    }

    #[test]
    fn inline_scripts_get_one_shebang() {
        let lines = ["a".to_owned(), "b".to_owned()];
        assert_eq!(inline_text(&lines, None), "#!/bin/sh -e\na\nb\n");
        assert_eq!(inline_text(&lines, Some("/bin/bash")), "#!/bin/bash\na\nb\n");
        let own = ["#!/usr/bin/python3\nprint()".to_owned()];
        assert_eq!(inline_text(&own, None), "#!/usr/bin/python3\nprint()\n");
    }

    #[test]
    fn unique_names_are_uuids() {
        let name = unique();
        assert!(name.len() == 36 && name.as_bytes()[14] == b'4' && "89ab".contains(&name[19..20]), "{name}");
        assert_ne!(name, unique());
    }

    #[test]
    fn exactly_one_source() {
        let problems = |inline: &[String], script, scripts: &[String]| Source { inline, script, scripts }.problems();
        let items = ["x".to_owned()];
        assert_eq!(problems(&items, None, &[]), Vec::<String>::new());
        assert_eq!(problems(&[], None, &[]).len(), 1);
        assert_eq!(problems(&items, Some("/"), &[]).len(), 1);
        assert_eq!(
            problems(&[], Some("/no/such"), &[]),
            ["Bad script '/no/such': stat /no/such: no such file or directory"]
        );
    }
}
