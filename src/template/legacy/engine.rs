//! `{{ }}` outside of components: in the defaults of variables and in the names of builders.

use std::sync::Arc;

use crate::hcl::ast::{Call, Expr, ExprKind, LastArgument};
use crate::hcl::diagnostics::Span;
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::functions::Host;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::template::inputs::Inputs;
use crate::text_template::{Data, Function, Functions, Moment, Parameter, render, standard};

/// Functions that look at the world outside, and the fewest texts that each takes. They are those of HCL.
const OUTSIDE: [(&str, usize); 5] =
    [("env", 1), ("consul_key", 1), ("vault", 2), ("aws_secretsmanager", 1), ("aws_secretsmanager_raw", 1)];

/// Renders a text with the functions that hold everywhere.
pub(super) fn render(text: &str, inputs: &Inputs) -> Result<String, String> {
    rendered(text, &functions(inputs))
}

/// Renders the default of a variable: it may look outside, and `user` knows other variables.
pub(super) fn render_default(
    text: &str,
    span: &Span,
    user: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    inputs: &Inputs,
) -> Result<String, String> {
    let mut functions = functions(inputs);
    for (name, fewest) in OUTSIDE {
        functions.insert(name, outside(name, fewest, span.clone(), Arc::clone(&inputs.host)));
    }
    let lookup = move |arguments: &[Data]| {
        let name = arguments.first().and_then(Data::as_str).unwrap_or_default();
        user(name).map(Data::from).ok_or_else(|| format!("variable {name} not set"))
    };
    functions.insert("user", Function::new(&[Parameter::String], lookup));
    rendered(text, &functions)
}

fn rendered(text: &str, functions: &Functions) -> Result<String, String> {
    render::render(text, functions, &Data::empty_map()).map_err(|error| error.to_string())
}

fn functions(inputs: &Inputs) -> Functions {
    let host = Arc::clone(&inputs.host);
    let random = move || {
        let mut bits = [0; 12];
        host.random(&mut bits);
        bits
    };
    let now = Moment::utc(inputs.host.started().as_second());
    let facts = standard::Facts { now, working_directory: inputs.cwd.clone(), random: Arc::new(random) };
    let mut functions = standard::functions(facts);
    functions.insert_constant("packer_version", inputs.version.clone());
    functions
}

/// A function of HCL by the same name.
fn outside(name: &'static str, fewest: usize, span: Span, host: Arc<dyn Host>) -> Function {
    let fixed = vec![Parameter::String; fewest];
    Function::variadic(&fixed, Parameter::String, move |arguments| {
        let literal = |value: Value| Expr { kind: ExprKind::Literal(value), span: span.clone() };
        let mut args: Vec<Expr> =
            arguments.iter().filter_map(Data::as_str).map(|text| literal(Value::string(text))).collect();
        if name == "aws_secretsmanager" && args.len() == 1 {
            args.push(literal(Value::null(Type::String)));
        }
        let call = Call { name: name.to_owned(), name_span: span.clone(), args, last: LastArgument::Plain };
        let call = Expr { kind: ExprKind::Call(Box::new(call)), span: span.clone() };
        let value = evaluate(&call, &Scope::new(host.as_ref(), [].into())).map_err(|found| {
            let reasons =
                found.iter().map(|found| if found.detail.is_empty() { &found.summary } else { &found.detail });
            reasons.map(String::as_str).collect::<Vec<_>>().join("; ")
        })?;
        Ok(value.to_text().unwrap_or_default().into())
    })
}
