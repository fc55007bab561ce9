//! Options as HCL: attributes, blocks, lists and maps, by what a component's options look like where that is known.

use super::translation::{Place, Translation};
use super::writing::{block, key};
use crate::hcl::ast::{Attribute, Expr, ExprKind, Key};
use crate::hcl::decode::{Layout, Look, Written};
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::value::{Data, Value};

/// Longer lists stand over several lines.
const LINE: usize = 100;

/// Writes the options of one component.
pub(super) struct Bodies<'u, 'a> {
    pub translation: &'u mut Translation<'a>,
    pub diagnostics: &'u mut Diagnostics,
    pub place: Place,
}

impl Bodies<'_, '_> {
    /// Attributes, a line each, then blocks.
    pub fn attributes(&mut self, attributes: &[Attribute], layout: Option<&Layout>) -> String {
        let options = attributes.iter().map(|attribute| (attribute.name.as_str(), &attribute.expr));
        self.options(options.collect(), layout)
    }

    /// One attribute that is no option.
    pub fn attribute(&mut self, attribute: &Attribute) -> String {
        format!("{} = {}\n", attribute.name, self.value(&attribute.expr, None))
    }

    /// The entry of an object, written as a map of options.
    pub fn entry(&mut self, expr: &Expr, name: &str, layout: Option<&Layout>) -> String {
        let entry = entries(expr).into_iter().rfind(|(own, _)| *own == name);
        let Some((_, options)) = entry else { return "{}".to_owned() };
        let items = entries(options).into_iter().map(|(name, value)| {
            let layout = layout.and_then(|layout| layout.option(name));
            format!("{} = {}\n", key(name), self.value(value, layout.as_ref()))
        });
        format!("{{\n{}}}", items.collect::<String>())
    }

    fn options(&mut self, options: Vec<(&str, &Expr)>, layout: Option<&Layout>) -> String {
        let (mut lines, mut blocks) = (String::new(), String::new());
        for (name, expr) in options.into_iter().filter(|(_, expr)| !is_null(expr)) {
            let own = layout.and_then(|layout| layout.option(name));
            match own.as_ref().map(Layout::written).unwrap_or_else(|| guessed(expr)) {
                Written::Attribute => lines.push_str(&format!("{} = {}\n", key(name), self.value(expr, own.as_ref()))),
                Written::Block | Written::Blocks => {
                    for body in items(expr) {
                        let inner = self.options(entries(body), own.as_ref());
                        blocks.push_str(&format!("\n{}", block(name, &inner)));
                    }
                }
            }
        }
        // A block that comes first needs no empty line before it.
        if lines.is_empty() { blocks.trim_start().to_owned() } else { lines + &blocks }
    }

    fn value(&mut self, expr: &Expr, layout: Option<&Layout>) -> String {
        match &expr.kind {
            ExprKind::Literal(value) => self.literal(value, expr, layout),
            ExprKind::Tuple(values) if layout.is_some_and(|layout| layout.look() == Look::Mapping) => {
                self.mapping(values.iter().flat_map(entries).collect(), layout)
            }
            ExprKind::Tuple(values) => {
                let element = layout.map(Layout::element);
                listed(values.iter().map(|value| self.value(value, element.as_ref())).collect())
            }
            ExprKind::Object(_) => self.mapping(entries(expr), layout),
            // JSON has nothing else.
            _ => "null".to_owned(),
        }
    }

    fn mapping(&mut self, entries: Vec<(&str, &Expr)>, layout: Option<&Layout>) -> String {
        if entries.is_empty() {
            return "{}".to_owned();
        }
        let element = layout.map(Layout::element);
        let item = |(name, value): (&str, &Expr)| format!("{} = {}\n", key(name), self.value(value, element.as_ref()));
        format!("{{\n{}}}", entries.into_iter().map(item).collect::<String>())
    }

    fn literal(&mut self, value: &Value, expr: &Expr, layout: Option<&Layout>) -> String {
        let look = layout.map(Layout::look);
        match (value.data(), look) {
            (Data::String(text), Some(Look::List)) => self.split(text, expr),
            (Data::String(text), Some(Look::Truth | Look::Number)) => self.lax(text, expr),
            (Data::String(text), _) => self.translation.text(text, self.place, &expr.span, self.diagnostics).code,
            (Data::Bool(value), _) if layout.is_some_and(Layout::is_text) => {
                if *value { "\"1\"" } else { "\"0\"" }.to_owned()
            }
            (Data::Bool(_) | Data::Number(_), Some(Look::List)) => format!("[{}]", plain(value)),
            _ => plain(value),
        }
    }

    /// A text where a list is wanted: its parts between commas.
    fn split(&mut self, text: &str, expr: &Expr) -> String {
        let whole = self.translation.text(text, self.place, &expr.span, self.diagnostics);
        if !whole.is_literal {
            return format!("compact(split(\",\", {}))", whole.code);
        }
        let parts = text.split(',').filter(|_| !text.is_empty());
        listed(parts.map(|part| self.translation.text(part, self.place, &expr.span, self.diagnostics).code).collect())
    }

    /// A text where a truth value or a number is wanted: an empty one is as good as none.
    fn lax(&mut self, text: &str, expr: &Expr) -> String {
        let whole = self.translation.text(text, self.place, &expr.span, self.diagnostics);
        match text {
            _ if !whole.is_literal => match whole.may_be_empty {
                true => format!("{0} != \"\" ? {0} : null", whole.code),
                false => whole.code,
            },
            "" => "null".to_owned(),
            "t" | "T" | "TRUE" | "True" => "true".to_owned(),
            "f" | "F" | "FALSE" | "False" => "false".to_owned(),
            _ => whole.code,
        }
    }
}

fn plain(value: &Value) -> String {
    value.to_text().unwrap_or_else(|| "null".to_owned())
}

fn is_null(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(value) if value.is_null())
}

/// The entries of an object; none of another value.
fn entries(expr: &Expr) -> Vec<(&str, &Expr)> {
    let ExprKind::Object(entries) = &expr.kind else { return Vec::new() };
    let named = entries.iter().filter_map(|(key, value)| match key {
        Key::Name(key) => Some((key.name.as_str(), value)),
        Key::Expr(_) => None,
    });
    named.collect()
}

/// The bodies of blocks: an object is one, a list of objects several.
fn items(expr: &Expr) -> Vec<&Expr> {
    if let ExprKind::Tuple(items) = &expr.kind { items.iter().collect() } else { vec![expr] }
}

/// How an option is probably written of which nothing is known: lists of objects are mostly blocks.
fn guessed(expr: &Expr) -> Written {
    match &expr.kind {
        ExprKind::Tuple(items)
            if !items.is_empty() && items.iter().all(|item| matches!(item.kind, ExprKind::Object(_))) =>
        {
            Written::Blocks
        }
        _ => Written::Attribute,
    }
}

fn listed(items: Vec<String>) -> String {
    let line = format!("[{}]", items.join(", "));
    if line.len() <= LINE && !line.contains('\n') {
        return line;
    }
    format!("[\n{}]", items.iter().map(|item| format!("{item},\n")).collect::<String>())
}
