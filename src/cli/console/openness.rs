//! Whether an expression goes on below its last line.

/// Whether brackets are still open at the end of a text. A string can't go on below its line, so an open one is an
/// error and no reason to wait.
pub fn goes_on(text: &str) -> bool {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let in_string = open.last() == Some(&'"');
        let step = match c {
            '\\' if in_string => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '"' if in_string => {
                open.pop();
                1
            }
            '$' | '%' if in_string && (rest.starts_with("$${") || rest.starts_with("%%{")) => 3,
            '$' | '%' if in_string && rest[1..].starts_with('{') => {
                open.push('{');
                2
            }
            '\n' if in_string => return false,
            c if in_string => c.len_utf8(),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => end + 2,
                None => return true,
            },
            '"' | '(' | '[' | '{' => {
                open.push(c);
                1
            }
            ')' | ']' | '}' => {
                open.pop();
                1
            }
            c => c.len_utf8(),
        };
        rest = &rest[step..];
    }
    !open.is_empty() && !open.contains(&'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_and_closed() {
        for text in ["[", "{ a = (1,", "f(1, # )", "[1,\n2", "/* x", "[\"a]\""] {
            assert!(goes_on(text), "{text:?}");
        }
        for text in ["", "1 + 2", "[1]", "\"[", "\"a ${f(", "\"\\\"[\"", "\"$${\"", "]", "\"${ {} }\"", "# [", "é\"é"]
        {
            assert!(!goes_on(text), "{text:?}");
        }
    }
}
