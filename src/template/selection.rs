//! `-only` and `-except`: which builds and post-processors count.

use super::glob::Glob;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Sources, Span};

/// The patterns of the command line.
pub(super) struct Selection {
    only: Vec<Glob>,
    except: Vec<Glob>,
}

impl Selection {
    /// Reads the patterns; one that is none is reported.
    pub fn new(only: &[String], except: &[String], texts: &mut Sources, diagnostics: &mut Diagnostics) -> Self {
        let mut read = |flag: &str, patterns: &[String]| {
            let mut globs = Vec::new();
            for pattern in patterns {
                match Glob::parse(pattern) {
                    Ok(glob) => globs.push(glob),
                    Err(why) => {
                        let file = texts.add("<arguments>", format!("-{flag}={pattern}"));
                        let start = flag.len() + 2;
                        let span = Span::new(file, start..start + pattern.len());
                        let summary = format!("Invalid -{flag} pattern {pattern}: {why}");
                        diagnostics.push(Diagnostic::error(summary, "").at(&span));
                    }
                }
            }
            globs
        };
        Self { only: read("only", only), except: read("except", except) }
    }

    /// Whether a build of this name is selected.
    pub fn selects(&self, name: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|glob| glob.matches(name))) && !self.excludes(name)
    }

    /// Whether a build or post-processor of this name is left out by `-except`.
    pub fn excludes(&self, name: &str) -> bool {
        self.except.iter().any(|glob| glob.matches(name))
    }

    /// Whether `-only` leaves a build of this name in.
    pub fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|glob| glob.matches(name))
    }

    /// Warns of patterns that may have matched nothing: there are more of them than matches. Packer counts alike.
    pub fn warnings(&self, selected: usize, excluded: usize, names: &[String]) -> Diagnostics {
        let detail = format!(
            "Possible build names: [{}].\nThese could also be matched with a glob pattern like: 'happycloud.*'",
            names.join(" ")
        );
        let mut warnings = Diagnostics::new();
        if self.only.len() > selected {
            let summary = "an 'only' option was passed, but not all matches were found for the given build.";
            warnings.push(Diagnostic::warning(summary, detail.as_str()));
        }
        if self.except.len() > excluded {
            let summary = "an 'except' option was passed, but did not match any build.";
            warnings.push(Diagnostic::warning(summary, detail));
        }
        warnings
    }
}
