//! `{{ }}` as HCL expressions.
//!
//! Calls that HCL can express become `${ }`. What it cannot (fields such as `{{ .Vars }}`, clauses, functions of a builder)
//! stays as it is, since HCL templates still know it; user variables inside of it become `${ }` in a constant.

use std::collections::{BTreeMap, BTreeSet};

use super::naming::{Home, Naming};
use super::writing::{escaped, identifier, quoted};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::template::identifier::is_identifier;
use crate::text_template::constants::{Known, with_constants};
use crate::text_template::outline::{Argument, Call, Piece, outline};

/// All functions that JSON templates may call, but for the built-in ones.
const FUNCTIONS: [&str; 24] = [
    "aws_secretsmanager",
    "aws_secretsmanager_raw",
    "build",
    "build_name",
    "build_type",
    "clean_image_name",
    "clean_resource_name",
    "consul_key",
    "env",
    "isotime",
    "lower",
    "packer_version",
    "pwd",
    "replace",
    "replace_all",
    "sed",
    "split",
    "strftime",
    "template_dir",
    "timestamp",
    "upper",
    "user",
    "uuid",
    "vault",
];

/// A regular expression, quoted, of what no name of an Amazon image may hold.
const UNFIT_FOR_AMAZON: &str = r#""[^a-zA-Z0-9()\\[\\] ./\\-'@_]""#;

/// Where a text stands, which decides what it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The default of a variable.
    Default,
    /// A local.
    Local,
    /// A source.
    Source {
        /// Whether its label is the builder's own name.
        is_named: bool,
        /// Whether its image is named as Amazon names images.
        is_amazon: bool,
    },
    /// A provisioner or post-processor.
    Component,
}

/// Declarations that translated texts need.
#[derive(Default)]
pub(super) struct Uses {
    pub timestamp: bool,
    /// Variables that the template names and does not declare.
    pub undeclared: BTreeSet<String>,
    /// Variables that read the environment for locals, and what they read.
    pub environment: BTreeMap<String, String>,
}

/// An expression.
pub(super) struct Translated {
    pub code: String,
    /// Whether it is a string without any part that is worked out.
    pub is_literal: bool,
    /// Whether it is nothing but a variable that may be empty.
    pub may_be_empty: bool,
}

/// Translates the texts of one template.
pub(super) struct Translation<'a> {
    naming: &'a Naming<'a>,
    pub uses: Uses,
}

/// What a call becomes.
enum Code {
    /// An expression.
    Expr(String),
    /// The inside of a string.
    Inside(String),
}

impl<'a> Translation<'a> {
    pub fn new(naming: &'a Naming<'a>) -> Self {
        Self { naming, uses: Uses::default() }
    }

    /// A text as an expression.
    pub fn text(&mut self, text: &str, place: Place, span: &Span, diagnostics: &mut Diagnostics) -> Translated {
        let pieces =
            if text.contains("{{") { outline(text, &FUNCTIONS) } else { Some(vec![Piece::Text(text.to_owned())]) };
        let codes: Vec<Code> = match pieces {
            None => vec![Code::Inside(self.kept(text, span, diagnostics))],
            Some(pieces) => pieces.iter().map(|piece| self.piece(piece, place, span, diagnostics)).collect(),
        };
        if let [Code::Expr(code)] = codes.as_slice() {
            return Translated { code: code.clone(), is_literal: false, may_be_empty: code.starts_with("var.") };
        }
        let is_literal =
            codes.iter().all(|code| matches!(code, Code::Inside(text) if !text.contains("{{") && !text.contains("${")));
        let inside = codes.into_iter().map(|code| match code {
            Code::Expr(code) => format!("${{{code}}}"),
            Code::Inside(text) => text,
        });
        Translated { code: format!("\"{}\"", inside.collect::<String>()), is_literal, may_be_empty: false }
    }

    fn piece(&mut self, piece: &Piece, place: Place, span: &Span, diagnostics: &mut Diagnostics) -> Code {
        match piece {
            // Braces that were written as text must come out as text once more.
            Piece::Text(text) => Code::Inside(escaped(&text.replace("{{", "{{`{{`}}"))),
            Piece::Other(source) => Code::Inside(self.kept(source, span, diagnostics)),
            Piece::Call(call, source) => {
                self.call(call, place).unwrap_or_else(|| Code::Inside(self.kept(source, span, diagnostics)))
            }
        }
    }

    /// A template that stays one.
    fn kept(&mut self, source: &str, span: &Span, diagnostics: &mut Diagnostics) -> String {
        let mut references = vec!["path.root".to_owned()];
        let mut answer = |name: &str| {
            references.push(self.reference(name));
            Some(marker(references.len() - 1))
        };
        let root = marker(0);
        let constants = [("template_dir", root.as_str())];
        let known = Known { constants: &constants, renamed: &[], function: "user", answer: &mut answer };
        let mut inside = escaped(&with_constants(source, known));
        for (at, reference) in references.iter().enumerate() {
            inside = inside.replace(&format!("\\\"{}\\\"", marker(at)), &in_quotes(reference));
        }
        let lost = ["build", "env", "vault", "consul_key", "aws_secretsmanager", "aws_secretsmanager_raw"];
        let words: Vec<&str> = source.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        if let Some(name) = lost.into_iter().find(|name| words.contains(name)) {
            let detail =
                format!("In HCL {{{{ {name} }}}} is an expression of its own, which cannot stand in {source:?}.");
            diagnostics.push(Diagnostic::warning("A template is left as it is", detail).at(span));
        }
        inside
    }

    /// The variable or local that a user variable became.
    fn reference(&mut self, name: &str) -> String {
        match self.naming.home(name) {
            Some(Home::Variable(name)) => format!("var.{name}"),
            Some(Home::Local(name)) => format!("local.{name}"),
            None => {
                let name = identifier(name);
                self.uses.undeclared.insert(name.clone());
                format!("var.{name}")
            }
        }
    }

    /// The environment is only for variables; elsewhere a variable of its own reads it.
    fn environment(&mut self, name: &str, place: Place) -> String {
        if place == Place::Default {
            return format!("env({})", quoted(name));
        }
        let mut variable = identifier(&format!("env_{name}"));
        while self.naming.home(&variable).is_some() {
            variable.push('_');
        }
        self.uses.environment.insert(variable.clone(), name.to_owned());
        format!("var.{variable}")
    }

    fn call(&mut self, call: &Call, place: Place) -> Option<Code> {
        let in_build = matches!(place, Place::Source { .. } | Place::Component);
        let code = match (call.name.as_str(), call.arguments.as_slice()) {
            ("user", [Argument::Text(name)]) => self.reference(name),
            ("env", [Argument::Text(name)]) => self.environment(name, place),
            ("timestamp", []) => {
                self.uses.timestamp = true;
                format!("local.{}", self.naming.timestamp)
            }
            ("isotime", []) => "timestamp()".to_owned(),
            ("isotime", [layout]) => format!("legacy_isotime({})", self.argument(layout, place)?),
            ("strftime", [format]) => format!("legacy_strftime({})", self.argument(format, place)?),
            ("uuid", []) => "uuidv4()".to_owned(),
            ("pwd", []) => "path.cwd".to_owned(),
            ("template_dir", []) => "path.root".to_owned(),
            ("packer_version", []) => "packer.version".to_owned(),
            ("build_type", []) if in_build => "source.type".to_owned(),
            ("build_name", []) if in_build => self.build_name(place),
            ("build", [Argument::Text(name)]) if place == Place::Component && is_identifier(name) => {
                format!("build.{name}")
            }
            ("upper" | "lower", [text]) => format!("{}({})", call.name, self.argument(text, place)?),
            ("replace_all", [Argument::Text(old), new, text]) => self.replaced(old, new, text, place)?,
            ("replace", [Argument::Text(old), new, Argument::Number(-1), text]) => {
                self.replaced(old, new, text, place)?
            }
            ("split", [text, separator, Argument::Number(at @ 0..)]) => {
                format!("split({}, {})[{at}]", self.argument(separator, place)?, self.argument(text, place)?)
            }
            ("clean_resource_name", [text]) if matches!(place, Place::Source { is_amazon: true, .. }) => {
                format!("regex_replace({}, {UNFIT_FOR_AMAZON}, \"-\")", self.argument(text, place)?)
            }
            ("clean_resource_name" | "clean_image_name", [Argument::Call(argument)]) => {
                let Some(Code::Expr(code)) = self.call(argument, place) else { return None };
                return Some(Code::Inside(format!("{{{{ {} {} }}}}", call.name, in_quotes(&code))));
            }
            ("aws_secretsmanager", [name]) => format!("aws_secretsmanager({}, null)", self.argument(name, place)?),
            ("aws_secretsmanager" | "vault", [first, second]) => {
                format!("{}({}, {})", call.name, self.argument(first, place)?, self.argument(second, place)?)
            }
            ("aws_secretsmanager_raw" | "consul_key", [name]) => {
                format!("{}({})", call.name, self.argument(name, place)?)
            }
            _ => return None,
        };
        Some(Code::Expr(code))
    }

    /// A pattern in slashes would be a regular expression in HCL.
    fn replaced(&mut self, old: &str, new: &Argument, text: &Argument, place: Place) -> Option<String> {
        if old.len() > 1 && old.starts_with('/') && old.ends_with('/') {
            return None;
        }
        Some(format!("replace({}, {}, {})", self.argument(text, place)?, quoted(old), self.argument(new, place)?))
    }

    fn argument(&mut self, argument: &Argument, place: Place) -> Option<String> {
        match argument {
            Argument::Text(text) => Some(quoted(text)),
            Argument::Number(number) => Some(number.to_string()),
            Argument::Call(call) => match self.call(call, place)? {
                Code::Expr(code) => Some(code),
                Code::Inside(_) => None,
            },
        }
    }

    /// A builder without a name is called by its type, as it was.
    fn build_name(&self, place: Place) -> String {
        let is_type = match place {
            Place::Source { is_named, .. } => !is_named,
            _ => self.naming.sources.iter().all(|source| source.component.own_name() == source.component.kind),
        };
        if is_type { "source.type" } else { "source.name" }.to_owned()
    }
}

/// An expression's value as a constant of a `{{ }}` template. A text as JSON writes it is one there, whatever is in it; between back-ticks it must
/// have none.
fn in_quotes(code: &str) -> String {
    format!("${{jsonencode({code})}}")
}

/// A word that stands for a reference until quotes are in place.
fn marker(at: usize) -> String {
    format!("KILN_REFERENCE_{at}_")
}

/// Whether a text is the same whenever and wherever it is rendered.
pub(super) fn is_constant(text: &str) -> bool {
    !text.contains("{{") || texts_and_calls(text, &[])
}

/// Whether a text is made of nothing but text and the environment.
pub(super) fn reads_environment_only(text: &str) -> bool {
    texts_and_calls(text, &["env"])
}

fn texts_and_calls(text: &str, calls: &[&str]) -> bool {
    let pieces = outline(text, &FUNCTIONS);
    pieces.is_some_and(|pieces| {
        pieces.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Call(call, _) => {
                calls.contains(&call.name.as_str()) && matches!(call.arguments.as_slice(), [Argument::Text(_)])
            }
            Piece::Other(_) => false,
        })
    })
}
