//! Templates that are given as the values of options: checked early, rendered early or late, once or until nothing changes.

use thiserror::Error;

use super::Template;
use super::data::Data;
use super::error::{ExecError, ParseError};
use super::functions::Functions;

/// Every option's template has this name in error messages.
const NAME: &str = "root";

/// Rendering again and again must come to rest. Escapes within escapes, the one honest use, take two or three rounds.
const MAX_ROUNDS: usize = 100;

/// Why an option could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// It is no template, or names an unknown function.
    #[error("{error}")]
    Invalid { error: ParseError, text: String },
    /// A call in it failed.
    #[error("{error}")]
    Failed { error: Box<ExecError>, text: String },
    /// Rendering its result, and the result of that, never ended.
    #[error("still changes after being rendered {MAX_ROUNDS} times")]
    Unstable { text: String },
}

impl RenderError {
    /// The message for the option of that name, with its whole text: some hundred lines of script may stand in it.
    pub fn of_option(&self, option: &str) -> String {
        let (verb, text) = match self {
            RenderError::Invalid { text, .. } => ("invalid", text),
            RenderError::Failed { text, .. } | RenderError::Unstable { text } => ("render", text),
        };
        format!("{verb} '{option}': {self} in:\n\n{text}")
    }
}

/// Whether there is nothing in the text to carry out: whatever the functions, it is rendered as it is.
pub fn is_plain(text: &str) -> bool {
    !text.contains("{{")
}

/// Whether the text is a template that knows all its functions. Nothing is called.
pub fn check(text: &str, functions: &Functions) -> Result<(), RenderError> {
    parse(text, functions).map(|_| ())
}

/// The text with its actions carried out.
pub fn render(text: &str, functions: &Functions, data: &Data) -> Result<String, RenderError> {
    if is_plain(text) {
        return Ok(text.to_string());
    }
    let template = parse(text, functions)?;
    template.execute(data).map_err(|error| RenderError::Failed { error: error.into(), text: text.to_string() })
}

/// Renders the text, and what came out of that, until it stops changing.
pub fn render_until_stable(text: &str, functions: &Functions, data: &Data) -> Result<String, RenderError> {
    let mut current = text.to_string();
    for _ in 0..MAX_ROUNDS {
        let rendered = render(&current, functions, data)?;
        if rendered == current {
            return Ok(rendered);
        }
        current = rendered;
    }
    Err(RenderError::Unstable { text: text.to_string() })
}

fn parse(text: &str, functions: &Functions) -> Result<Template, RenderError> {
    Template::parse(NAME, text, functions).map_err(|error| RenderError::Invalid { error, text: text.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_calls_nothing() {
        let functions = Functions::new();
        assert_eq!(check("{{ index nil }}{{ .Any.Field }}", &functions), Ok(()));
        assert!(matches!(check("{{ nothing }}", &functions), Err(RenderError::Invalid { .. })));
    }

    #[test]
    fn again_until_nothing_changes() {
        let data = Data::map([("A", "{{ .B }}"), ("B", "end"), ("Loop", "{{ .Loop }}{{ .Loop }}")]);
        let twice = |text| render_until_stable(text, &Functions::new(), &data);
        assert_eq!(twice("{{ .A }} }}").as_deref(), Ok("end }}"));
        assert_eq!(twice("plain").as_deref(), Ok("plain"));
        assert!(matches!(twice("{{ `{{` }}x"), Err(RenderError::Invalid { .. })));
        assert!(twice("{{ .Loop }}").is_err());
    }

    #[test]
    fn messages_quote_the_text() {
        let error = check("echo {{ upper", &Functions::new()).unwrap_err();
        let expected = "invalid 'inline': template: root:1: function \"upper\" not defined in:\n\necho {{ upper";
        assert_eq!(error.of_option("inline"), expected);
        let error = render("echo {{ index nil }}", &Functions::new(), &Data::Nil).unwrap_err();
        assert!(
            error
                .of_option("inline")
                .starts_with("render 'inline': template: root:1:8: executing \"root\" at <index nil>")
        );
    }
}
