//! What the console knows, and its answers.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::hcl::Value;
use crate::hcl::diagnostics::{Sources, render};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::functions::{Allowed, Host, names};
use crate::hcl::parse::parse_expr;
use crate::hcl::print::print;

/// `env` is only for the defaults of variables.
static FUNCTIONS: LazyLock<Allowed> = LazyLock::new(|| Allowed::Except(vec!["env"]));

const HELP: &str = "\
Enter an expression, and its value is shown: 1 + 2, upper(\"x\"), var.NAME, local.NAME.

variables   shows all variables and locals of the template
help        shows this text
exit        leaves, as Ctrl-D does

On a terminal an expression may go on over several lines as long as a bracket is open.";

/// A conversation about a template.
pub struct Session {
    names: BTreeMap<String, Value>,
    host: Arc<dyn Host>,
    /// The answer to `variables`.
    variables: String,
}

impl Session {
    /// A session where expressions see these names.
    pub fn new(names: BTreeMap<String, Value>, host: Arc<dyn Host>, variables: String) -> Self {
        Self { names, host, variables }
    }

    /// The answer to a line: a value or what is wrong with the line, as text without the last newline.
    pub fn answer(&self, line: &str) -> Result<String, String> {
        match line {
            "help" => Ok(HELP.to_owned()),
            "variables" => Ok(self.variables.strip_suffix('\n').unwrap_or_default().to_owned()),
            expression => self.value(expression),
        }
    }

    fn value(&self, expression: &str) -> Result<String, String> {
        let mut sources = Sources::default();
        let file = sources.add("<console-input>", expression);
        let scope = Scope::new(self.host.as_ref(), self.names.clone()).with_functions(&FUNCTIONS);
        let value = parse_expr(file, expression).and_then(|expr| evaluate(&expr, &scope));
        value.map(|value| print(&value)).map_err(|problems| render(&problems, &sources))
    }

    /// What may stand after the last dot of `path`, or in its place where there is none: names, functions and keywords.
    pub fn members(&self, path: &[&str]) -> Vec<String> {
        let Some((root, rest)) = path.split_first() else {
            let own = self.names.keys().cloned();
            let functions = names().filter(|name| *name != "env").map(|name| format!("{name}("));
            return own.chain(functions).chain(["help", "variables", "exit"].map(str::to_owned)).collect();
        };
        let first = self.names.get(*root);
        let value = rest.iter().fold(first, |value, name| value.and_then(Value::as_mapping)?.get(*name));
        value.and_then(Value::as_mapping).map(|mapping| mapping.keys().cloned().collect()).unwrap_or_default()
    }
}
