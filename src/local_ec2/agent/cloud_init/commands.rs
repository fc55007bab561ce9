//! `bootcmd` and `runcmd`: lists of commands as one shell script.

use serde_json::Value;

/// The script of a command list. A list is a command with its arguments, quoted; a string is shell as it stands.
///
/// # Errors
/// When an entry is neither.
pub fn script(commands: &Value) -> Result<String, String> {
    let Value::Array(commands) = commands else { return Err("must be a list of commands".to_owned()) };
    let mut script = "#!/bin/sh\n".to_owned();
    for command in commands {
        match command {
            Value::Array(words) => {
                let words: Vec<String> = words.iter().filter_map(super::value::text).map(|word| quote(&word)).collect();
                script.push_str(&words.join(" "));
            }
            Value::String(line) => script.push_str(line),
            Value::Null => continue,
            other => return Err(format!("holds `{other}`, which is neither a list nor a string")),
        }
        script.push('\n');
    }
    Ok(script)
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_quoted_and_strings_are_shell() {
        let text = script(&json!([["echo", "it's", 1], "echo $HOME", null])).unwrap();
        assert_eq!(text, "#!/bin/sh\n'echo' 'it'\\''s' '1'\necho $HOME\n");
        assert!(script(&json!("ls")).is_err());
        assert!(script(&json!([{"a": 1}])).is_err());
    }
}
