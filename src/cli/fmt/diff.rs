//! The differences of two texts, by the program `diff`: everybody has it, and its hunks are those that people expect.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

/// A unified diff between `old/NAME` and `new/NAME`; empty when there is no difference.
///
/// # Errors
/// Why there is none: the program is missing or failed.
pub fn unified(name: &str, old: &[u8], new: &[u8]) -> Result<String, String> {
    let file = |text: &[u8]| -> io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix("kiln-fmt").tempfile()?;
        file.write_all(text)?;
        Ok(file)
    };
    let temporary = |error: io::Error| format!("write a temporary file: {error}");
    let (before, after) = (file(old).map_err(temporary)?, file(new).map_err(temporary)?);
    let mut command = Command::new("diff");
    command.args(["-u", "-L", &format!("old/{name}"), "-L", &format!("new/{name}")]);
    command.args([before.path(), after.path()]).stdin(Stdio::null());
    let ran = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "the program diff is not in PATH: install diffutils".to_owned(),
        _ => format!("start diff: {error}"),
    })?;
    // 1 says that there are differences.
    match ran.status.code() {
        Some(0 | 1) => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        _ => Err(format!("diff failed: {}", String::from_utf8_lossy(&ran.stderr).trim())),
    }
}
