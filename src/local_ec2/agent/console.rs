//! The instance's console as the agent writes to it: its own standard output, which init connects there.

use std::io::Write;

/// Writes `text` and a line end. A console that went away is no reason to stop serving.
pub fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref());
    let _ = out.flush();
}

/// One line with an error and its causes, each named once.
pub fn problem(what: &str, error: &dyn std::error::Error) {
    let mut text = format!("kiln-agent: {what}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    line(text);
}
