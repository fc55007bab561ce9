//! From the template argument to the files that it stands for (packer-core.md section 1.2).

use std::io::{self, Read as _};
use std::path::Path;

use super::flags::ConfigType;
use super::whole_file;
use crate::template::{File, FileKind, STDIN};

const NOT_UTF8: &str =
    "the name is not UTF-8 (\u{fffd} stands for what is not), and only files whose names are can be read: rename it";

/// What a template argument stands for.
pub enum Found {
    /// A template in HCL, in whichever syntax.
    Hcl(TemplateFiles),
    /// A JSON template of the older form: a file of any other name, or `-` for standard input.
    Legacy(TemplateFiles),
}

/// The files of a template.
#[derive(Default)]
pub struct TemplateFiles {
    /// The template itself.
    pub files: Vec<File>,
    /// `*.auto.pkrvars.*` beside it, when the argument is a directory.
    pub auto_var_files: Vec<File>,
    /// `path.root`.
    pub root: String,
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The path does not exist or cannot be read.
    #[error("{path}: {reason}")]
    Unreadable { path: String, reason: String },
    /// A variable file cannot be read.
    #[error("Failed to read variable file {path:?}: {reason}\n\nhint: {hint}")]
    Variables { path: String, reason: String, hint: &'static str },
    /// The directory holds no template.
    #[error("Could not find any config file in {0}: a template's name ends in .pkr.hcl or .pkr.json")]
    Empty(String),
    /// `-` with `-config-type=hcl2`.
    #[error("a template in HCL can't be read from standard input: give a file named *.pkr.hcl or a directory")]
    PipedHcl,
    /// A legacy template where only HCL will do.
    #[error("{0} is not named *.pkr.hcl or *.pkr.json: only templates in HCL ask for plugins")]
    NoPlugins(String),
}

/// Finds out what a template argument stands for, and reads its files. `syntax` is what a file is whose name does not
/// say it.
pub fn find(argument: &str, syntax: ConfigType) -> Result<Found, Missing> {
    let path = Path::new(argument);
    if argument == "-" {
        return match syntax {
            ConfigType::Json => read_stdin().map(Found::Legacy),
            ConfigType::Hcl2 => Err(Missing::PipedHcl),
        };
    }
    let meta = std::fs::metadata(path).map_err(|error| unreadable(argument, &error))?;
    if meta.is_dir() {
        return read_directory(argument).map(Found::Hcl);
    }
    let parent = path.parent().map(|parent| parent.display().to_string()).filter(|parent| !parent.is_empty());
    let root = parent.unwrap_or_else(|| ".".to_owned());
    let read = |kind| Ok(TemplateFiles { files: vec![read_file(argument, kind)?], root, ..TemplateFiles::default() });
    match (kind(argument, ".pkr"), syntax) {
        (Some(kind), _) => read(kind).map(Found::Hcl),
        (None, ConfigType::Json) => read(FileKind::Json).map(Found::Legacy),
        (None, ConfigType::Hcl2) => Err(Missing::Empty(argument.to_owned())),
    }
}

/// A JSON template that comes through a pipe. HCL never does: it would not say in which syntax it is.
fn read_stdin() -> Result<TemplateFiles, Missing> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text).map_err(|error| unreadable("-", &error))?;
    let files = vec![File { name: STDIN.to_owned(), text, kind: FileKind::Json }];
    Ok(TemplateFiles { files, root: ".".to_owned(), ..TemplateFiles::default() })
}

/// The syntax of a variable file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableSyntax {
    /// What its name says.
    ByName,
    /// JSON, as it always was for JSON templates.
    Json,
}

/// Reads a variable file.
pub fn read_variables(path: &str, syntax: VariableSyntax) -> Result<File, Missing> {
    let failed = |reason: String, hint| Missing::Variables { path: path.to_owned(), reason, hint };
    let text = whole_file::read(Path::new(path)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound if Path::new(path).is_relative() && !is_lossy(Path::new(path)) => {
                "a relative path given with -var-file starts from the working directory"
            }
            _ => "check what is given with -var-file",
        };
        failed(reason(path, &error), hint)
    })?;
    let unclear = || failed("its name tells no format".to_owned(), "a variable file's name ends in .hcl or .json");
    let kind = match syntax {
        VariableSyntax::ByName => kind(path, "").ok_or_else(unclear)?,
        VariableSyntax::Json => FileKind::Json,
    };
    Ok(File { name: path.to_owned(), text, kind })
}

fn read_directory(argument: &str) -> Result<TemplateFiles, Missing> {
    let entries = std::fs::read_dir(argument).map_err(|error| unreadable(argument, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(argument, &error))?;
        // A link that leads nowhere stays in: without its file the template would be another one.
        if !entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    // Emacs marks a file that is being edited with a link whose target is no path.
    names.retain(|name| !name.starts_with(".#"));
    names.sort();
    let read = |stem: &str| -> Result<Vec<File>, Missing> {
        let mut files = Vec::new();
        for wanted in [FileKind::Hcl, FileKind::Json] {
            for name in names.iter().filter(|name| kind(name, stem) == Some(wanted)) {
                files.push(read_file(&joined(argument, name), wanted)?);
            }
        }
        Ok(files)
    };
    let files = read(".pkr")?;
    if files.is_empty() {
        return Err(Missing::Empty(argument.to_owned()));
    }
    Ok(TemplateFiles { files, auto_var_files: read(".auto.pkrvars")?, root: argument.to_owned() })
}

/// `STEM.hcl` or `STEM.json`.
fn kind(name: &str, stem: &str) -> Option<FileKind> {
    if name.ends_with(&format!("{stem}.hcl")) {
        return Some(FileKind::Hcl);
    }
    name.ends_with(&format!("{stem}.json")).then_some(FileKind::Json)
}

fn joined(directory: &str, name: &str) -> String {
    Path::new(directory).join(name).display().to_string()
}

fn read_file(path: &str, kind: FileKind) -> Result<File, Missing> {
    let text = whole_file::read(Path::new(path)).map_err(|error| unreadable(path, &error))?;
    Ok(File { name: path.to_owned(), text, kind })
}

fn unreadable(path: &str, error: &io::Error) -> Missing {
    let reason = match error.kind() {
        io::ErrorKind::NotFound if std::fs::symlink_metadata(path).is_err() && !is_lossy(Path::new(path)) => {
            format!("stat {path}: no such file or directory")
        }
        _ => reason(path, error),
    };
    Missing::Unreadable { path: path.to_owned(), reason }
}

/// Names that are not UTF-8 come here with this character for what is not.
fn is_lossy(path: &Path) -> bool {
    path.to_string_lossy().contains(char::REPLACEMENT_CHARACTER)
}

/// Why a file cannot be used, without its name.
pub fn reason(path: impl AsRef<std::path::Path>, error: &io::Error) -> String {
    match (error.kind(), std::fs::read_link(path.as_ref())) {
        (io::ErrorKind::NotFound, Ok(target)) => {
            format!("it is a link to {}, which does not exist", target.display())
        }
        (io::ErrorKind::NotFound, Err(_)) if is_lossy(path.as_ref()) => NOT_UTF8.to_owned(),
        (io::ErrorKind::NotFound, Err(_)) => "no such file or directory".to_owned(),
        (io::ErrorKind::PermissionDenied, _) => "permission denied".to_owned(),
        (io::ErrorKind::IsADirectory, _) => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}
