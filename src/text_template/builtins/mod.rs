//! The functions that every template knows.

mod compare;
mod element;
mod escape;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::data::Data;
use super::format;
use super::functions::{Function, Parameter};

/// The built-in function of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.get(name)
}

static TABLE: LazyLock<HashMap<&'static str, Function>> = LazyLock::new(|| {
    use Parameter::{Any, String};
    let two = |call: fn(&Data, &Data) -> Result<bool, std::string::String>| {
        Function::new(&[Any, Any], move |values| call(&values[0], &values[1]).map(Data::Bool))
    };
    let joined = |escape: fn(&str) -> std::string::String| {
        Function::variadic(&[], Any, move |values| {
            let shown: Vec<Data> = values.iter().map(or_no_value).collect();
            Ok(escape(&format::print(&shown)?).into())
        })
    };
    HashMap::from([
        // The executor evaluates these two itself, since it must not evaluate all of their arguments.
        ("and", Function::variadic(&[Any], Any, |values| Ok(settled(values, false)))),
        ("or", Function::variadic(&[Any], Any, |values| Ok(settled(values, true)))),
        ("not", Function::new(&[Any], |values| Ok(Data::Bool(!values[0].is_true())))),
        ("len", Function::new(&[Any], |values| element::len(&values[0]))),
        ("index", Function::variadic(&[Any], Any, |values| element::index(&values[0], &values[1..]))),
        ("slice", Function::variadic(&[Any], Any, |values| element::slice(&values[0], &values[1..]))),
        ("print", Function::variadic(&[], Any, |values| format::print(values).map(Data::from))),
        ("println", Function::variadic(&[], Any, |values| format::println(values).map(Data::from))),
        ("printf", Function::variadic(&[String], Any, |values| printf(values).map(Data::from))),
        ("html", joined(escape::html)),
        ("js", joined(escape::js)),
        ("urlquery", joined(escape::url_query)),
        ("call", Function::variadic(&[Any], Any, |values| call(&values[0]))),
        ("eq", Function::variadic(&[Any], Any, |values| compare::eq(&values[0], &values[1..]).map(Data::Bool))),
        ("ne", two(compare::ne)),
        ("lt", two(compare::lt)),
        ("le", two(compare::le)),
        ("gt", two(compare::gt)),
        ("ge", two(compare::ge)),
    ])
});

/// The escaping functions show nothing as an action would, unlike `print`.
fn or_no_value(value: &Data) -> Data {
    if *value == Data::Nil { "<no value>".into() } else { value.clone() }
}

fn settled(values: &[Data], settling: bool) -> Data {
    let found = values.iter().find(|value| value.is_true() == settling);
    found.or(values.last()).cloned().unwrap_or(Data::Nil)
}

fn printf(values: &[Data]) -> Result<String, String> {
    format::printf(values[0].as_str().unwrap_or_default(), &values[1..])
}

/// Data holds no functions, so there is nothing to call.
fn call(value: &Data) -> Result<Data, String> {
    match value {
        Data::Nil => Err("call of nil".into()),
        other => Err(format!("non-function of type {}", other.type_name())),
    }
}
