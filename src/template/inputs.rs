//! What a template is read from: everything comes in here, so that reading has no side effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::Kinds;
use crate::hcl::functions::Host;

/// The syntax of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// HCL's own syntax.
    Hcl,
    /// The same structure as JSON.
    Json,
}

/// The name of a file that is no file but came through a pipe.
pub const STDIN: &str = "<stdin>";

/// One file.
#[derive(Clone, Debug)]
pub struct File {
    /// The name that diagnostics show, as the user typed it.
    pub name: String,
    /// The content.
    pub text: Vec<u8>,
    /// The syntax.
    pub kind: FileKind,
}

/// Whether a variable file may set variables that are not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeclared {
    /// It may.
    Ignore,
    /// It may, with a warning for each.
    Warn,
}

/// The order in which locals and data sources are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Each after what it depends on.
    #[default]
    ByDependency,
    /// All data sources first, and only then the locals, as old versions of Packer did
    /// (`-use-sequential-evaluation`): a data source can't use locals.
    DataFirst,
}

/// How much of a template counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Syntax, blocks and variables; nothing that needs evaluation (`validate -syntax-only`, `init`).
    SyntaxOnly,
    /// All that can be shown without a complete set of variables: faults found after parsing are not reported, and
    /// what has a fault is left out (`inspect`, `console`).
    Overview,
    /// Everything (`build`, `validate`).
    Full,
}

/// All that a template is made of.
#[derive(Clone)]
pub struct Inputs {
    /// The template's files, in the order in which Packer reads them.
    pub files: Vec<File>,
    /// Variable files that are read without being asked for, in order of rising weight.
    pub auto_var_files: Vec<File>,
    /// Variable files asked for, in order of rising weight.
    pub var_files: Vec<File>,
    /// Variables set on the command line, in order of rising weight.
    pub vars: Vec<(String, String)>,
    /// Variables set in the environment, without the `PKR_VAR_` prefix.
    pub env: BTreeMap<String, String>,
    /// `path.root`: the template's folder, as typed.
    pub root: String,
    /// `path.cwd`: the working directory, absolute.
    pub cwd: String,
    /// `packer.version`: the version of Packer that templates may count on.
    pub version: String,
    /// Patterns of the builds to select; all if there is none.
    pub only: Vec<String>,
    /// Patterns of builds and post-processors to leave out.
    pub except: Vec<String>,
    /// The world that functions see.
    pub host: Arc<dyn Host>,
    /// What an undeclared name in a variable file means.
    pub undeclared: Undeclared,
    /// How much of the template counts.
    pub mode: Mode,
    /// What is evaluated when.
    pub order: Order,
    /// The component types there are.
    pub kinds: Arc<dyn Kinds>,
}

impl Inputs {
    /// The variable files in order of rising weight.
    pub fn variable_files(&self) -> impl Iterator<Item = &File> {
        self.auto_var_files.iter().chain(&self.var_files)
    }
}
