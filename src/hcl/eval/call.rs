//! Function calls.

use std::collections::BTreeMap;

use super::scope::{Missing, Scope};
use super::{Evaluated, Evaluator, evaluate};
use crate::hcl::ast::{Call, Expr, LastArgument};
use crate::hcl::convert::convert;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Sources, Span, did_you_mean, render_line};
use crate::hcl::functions::{self, Allowed, Function, FunctionError, Marks, Nulls, Param, Unknowns};
use crate::hcl::parse::parse_template;
use crate::hcl::type_expr::{Optional, parse_type};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// The functions that do not evaluate their arguments first.
const LAZY: [&str; 3] = ["can", "convert", "try"];

/// An argument and where it stands.
struct Argument {
    value: Value,
    span: Span,
}

impl Evaluator {
    pub(super) fn call(&mut self, call: &Call, span: &Span, scope: &Scope<'_>) -> Evaluated {
        if *scope.allowed() == Allowed::None {
            let detail = "Functions may not be called here: the value must be written out.";
            return self.fail(&call.name_span, "Function calls not allowed", detail);
        }
        let name = call.name.as_str();
        let known = scope.allowed().allows(name);
        match (name, functions::lookup(name)) {
            ("try", _) if known => self.try_call(call, span, scope),
            ("can", _) if known => self.can_call(call, span, scope),
            ("convert", _) if known => self.convert_call(call, span, scope),
            (_, Some(function)) if known => {
                let Some(arguments) = self.arguments(call, scope)? else {
                    return Ok(Value::unknown((function.returns)()));
                };
                self.run(function, arguments, call, span, scope)
            }
            _ => self.unknown_function(call, scope),
        }
    }

    fn unknown_function(&mut self, call: &Call, scope: &Scope<'_>) -> Evaluated {
        let name = &call.name;
        if functions::lookup(name).is_some() || LAZY.contains(&name.as_str()) {
            let detail = match scope.allowed() {
                Allowed::Only(names) => {
                    format!("The function \"{name}\" can't be called here; only {} can.", names.join(", "))
                }
                _ => format!("The function \"{name}\" can't be called here."),
            };
            let hint = scope.advice(Missing::Function(name)).hint;
            return self
                .fail_with(Diagnostic::error("Function not allowed here", detail).at(&call.name_span).hint(hint));
        }
        let candidates = functions::names().chain(LAZY).filter(|name| scope.allowed().allows(name));
        let diagnostic =
            Diagnostic::error("Call to unknown function", format!("There is no function named \"{name}\"."));
        let hint = did_you_mean(name, candidates).or_else(|| scope.advice(Missing::Function(name)).hint);
        self.fail_with(diagnostic.at(&call.name_span).hint(hint))
    }

    /// The arguments, the last one expanded if the call says so; none if what is to be expanded is unknown.
    fn arguments(&mut self, call: &Call, scope: &Scope<'_>) -> Evaluated<Option<Vec<Argument>>> {
        let values = self.all(&call.args, scope)?;
        let argument = |(value, expr): (Value, &Expr)| Argument { value, span: expr.span.clone() };
        let mut arguments: Vec<Argument> = values.into_iter().zip(&call.args).map(argument).collect();
        if call.last == LastArgument::Plain {
            return Ok(Some(arguments));
        }
        let Some(last) = arguments.pop() else { return Ok(Some(arguments)) };
        if last.value.is_unknown() {
            return Ok(None);
        }
        if last.value.as_sequence().is_none() {
            let detail = "The argument before ... must be a list, set or tuple, and not null.";
            return self.fail(&last.span, "Invalid expanding argument value", detail);
        }
        let entries = last.value.entries().unwrap_or_default();
        arguments.extend(entries.into_iter().map(|(_, value)| Argument { value, span: last.span.clone() }));
        Ok(Some(arguments))
    }

    fn run(
        &mut self,
        function: &Function,
        arguments: Vec<Argument>,
        call: &Call,
        span: &Span,
        scope: &Scope<'_>,
    ) -> Evaluated {
        self.check_count(function, arguments.len(), call, span)?;
        let params = function.params.iter().chain(std::iter::repeat_n(&function.variadic, usize::MAX).flatten());
        let mut values = Vec::with_capacity(arguments.len());
        let mut unknown = false;
        for (argument, param) in arguments.iter().zip(params) {
            let value = self.argument(argument, param)?;
            unknown |= match param.unknowns {
                Unknowns::Any => false,
                Unknowns::Parts => value.is_unknown(),
                Unknowns::None => !value.is_wholly_known(),
            };
            values.push(value);
        }
        let result = if unknown {
            Value::unknown((function.returns)())
        } else {
            let call_context = functions::Call { host: scope.host(), allowed: scope.allowed(), work: scope.work() };
            match (function.run)(&call_context, &values) {
                Ok(value) => value,
                Err(error) => return self.function_failed(function, &error, &arguments, span),
            }
        };
        let marked = match function.marks {
            Marks::Whole => values.iter().any(Value::has_sensitive),
            Marks::Parts => values.iter().any(Value::is_sensitive),
        };
        Ok(if marked { result.sensitive() } else { result })
    }

    fn check_count(&mut self, function: &Function, given: usize, call: &Call, span: &Span) -> Evaluated<()> {
        let (name, wanted) = (function.name, function.params.len());
        if let Some(missing) = function.params.get(given) {
            let at_least = if function.variadic.is_some() { "at least " } else { "" };
            let detail = format!(
                "Function \"{name}\" expects {at_least}{}. Missing value for \"{}\".",
                counted(wanted),
                missing.name
            );
            return self.fail(span, "Not enough function arguments", detail);
        }
        if given > wanted && function.variadic.is_none() {
            let detail = format!("Function \"{name}\" expects only {}.", counted(wanted));
            let place = call.args.get(wanted).map_or(span, |extra| &extra.span);
            return self.fail(place, "Too many function arguments", detail);
        }
        Ok(())
    }

    /// The argument as the parameter's type, null only where the parameter takes it.
    fn argument(&mut self, argument: &Argument, param: &Param) -> Evaluated {
        let summary = "Invalid function argument";
        let wrong = |why: &str| format!("Invalid value for \"{}\" parameter: {why}.", param.name);
        if argument.value.is_null() && param.nulls == Nulls::Refused {
            return self.fail(&argument.span, summary, wrong("argument must not be null"));
        }
        convert(&argument.value, &(param.ty)())
            .or_else(|error| self.fail(&argument.span, summary, wrong(&error.to_string())))
    }

    fn function_failed(
        &mut self,
        function: &Function,
        error: &FunctionError,
        arguments: &[Argument],
        span: &Span,
    ) -> Evaluated {
        match error {
            FunctionError::Argument { index, message } => {
                let name = function.params.get(*index).or(function.variadic.as_ref()).map_or("", |param| param.name);
                let place = arguments.get(*index).map_or(span, |argument| &argument.span);
                let detail = format!("Invalid value for \"{name}\" parameter: {message}.");
                self.fail(place, "Invalid function argument", detail)
            }
            FunctionError::Failed(message) => {
                let detail = format!("Call to function \"{}\" failed: {message}.", function.name);
                self.fail(span, "Error in function call", detail)
            }
        }
    }

    /// `try(a, b)`: the first that can be evaluated.
    fn try_call(&mut self, call: &Call, span: &Span, scope: &Scope<'_>) -> Evaluated {
        let mut failures: Vec<Diagnostics> = Vec::new();
        for expr in &call.args {
            match self.quietly(|inner| inner.eval(expr, scope)) {
                Ok(value) if value.is_wholly_known() => return Ok(value),
                Ok(value) => return Ok(Value::unknown(Type::Dynamic).sensitive_like([&value])),
                Err(diagnostics) => failures.push(diagnostics),
            }
        }
        let reasons =
            failures.iter().flatten().map(|diagnostic| format!("\n- {}: {}", diagnostic.summary, diagnostic.detail));
        let detail = match failures.is_empty() {
            true => "Call to function \"try\" failed: at least one argument is required.".to_owned(),
            false => {
                let reasons: String = reasons.collect();
                format!("Call to function \"try\" failed: no expression succeeded:{reasons}")
            }
        };
        self.fail(span, "Error in function call", detail)
    }

    /// `can(a)`: whether it can be evaluated.
    fn can_call(&mut self, call: &Call, span: &Span, scope: &Scope<'_>) -> Evaluated {
        self.lazy_count(call, &["expression"], span)?;
        let Some(expr) = call.args.first() else { return Ok(Value::bool(false)) };
        Ok(match self.quietly(|inner| inner.eval(expr, scope)) {
            Ok(value) if value.is_wholly_known() => Value::bool(true),
            Ok(_) => Value::unknown(Type::Bool),
            Err(_) => Value::bool(false),
        })
    }

    /// `convert(value, type)`
    fn convert_call(&mut self, call: &Call, span: &Span, scope: &Scope<'_>) -> Evaluated {
        self.lazy_count(call, &["value", "type"], span)?;
        let [value_expr, type_expr] = call.args.as_slice() else { return Ok(Value::null(Type::Dynamic)) };
        let value = self.eval(value_expr, scope);
        let ty = parse_type(type_expr, Optional::Required).map_err(|diagnostics| {
            self.diagnostics.extend(diagnostics);
            super::Failed
        });
        let what = "Invalid value for \"value\" parameter";
        let (value, ty) = (value?, ty?);
        self.converted(convert(&value, &ty), &value_expr.span, "Invalid function argument", what)
    }

    fn lazy_count(&mut self, call: &Call, params: &[&str], span: &Span) -> Evaluated<()> {
        let (name, wanted) = (&call.name, params.len());
        if let Some(missing) = params.get(call.args.len()) {
            let wanted = counted(wanted);
            let detail = format!("Function \"{name}\" expects {wanted}. Missing value for \"{missing}\".");
            return self.fail(span, "Not enough function arguments", detail);
        }
        if let Some(extra) = call.args.get(wanted) {
            let detail = format!("Function \"{name}\" expects only {}.", counted(wanted));
            return self.fail(&extra.span, "Too many function arguments", detail);
        }
        Ok(())
    }
}

fn counted(arguments: usize) -> String {
    if arguments == 1 { "1 argument".to_owned() } else { format!("{arguments} arguments") }
}

/// Why a template could not be rendered, on one line for each reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(pub String);

/// Renders a template's text with these variables only; for functions that render files.
///
/// `name` is what messages call the text. A lone `${x}` keeps its type.
pub fn render_template(
    name: &str,
    text: &str,
    variables: BTreeMap<String, Value>,
    call: &functions::Call<'_>,
    allowed: &Allowed,
) -> Result<Value, RenderError> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let scope = Scope::new(call.host, variables).with_functions(allowed).with_work(call.work.clone());
    parse_template(file, text).and_then(|expr| evaluate(&expr, &scope)).map_err(|diagnostics| {
        let lines: Vec<String> = diagnostics.iter().map(|diagnostic| render_line(diagnostic, &sources)).collect();
        RenderError(lines.join("\n"))
    })
}
