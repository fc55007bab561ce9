//! What `kiln inspect` shows of a JSON template of the older form: everything as it is written, nothing rendered.

use std::fmt::Write as _;

use crate::plan::JsonOverview;

/// The whole listing.
pub fn text(overview: &JsonOverview) -> String {
    let mut out = String::from("Packer Inspect: JSON mode\n");
    if !overview.description.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "Description:\n\n{}\n", overview.description);
    }
    if overview.required.is_empty() && overview.optional.is_empty() {
        out.push_str("Variables:\n\n  <No variables>\n\n");
    }
    if !overview.required.is_empty() {
        let _ = writeln!(out, "Required variables:\n\n{}\n", lines(&overview.required));
    }
    if !overview.optional.is_empty() {
        let _ = writeln!(out, "Optional variables and their defaults:\n\n{}\n", pairs(&overview.optional, " = "));
    }
    let builders = overview.builders.iter().map(|(name, kind)| match name == kind {
        true => (name.clone(), String::new()),
        false => (name.clone(), format!("({kind})")),
    });
    let builders: Vec<(String, String)> = builders.collect();
    let _ = writeln!(out, "Builders:\n\n{}", or_none(pairs(&builders, " "), "<No builders>"));
    let provisioners = or_none(lines(&overview.provisioners), "<No provisioners>");
    let _ = writeln!(out, "\nProvisioners:\n\n{provisioners}");
    out.push_str(
        "\nNote: names and defaults are shown as they are written. What stands in {{ }} is worked out when a build starts.\n",
    );
    out
}

fn or_none(text: String, none: &str) -> String {
    if text.is_empty() { format!("  {none}") } else { text }
}

fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("  {item}")).collect::<Vec<_>>().join("\n")
}

/// Pairs in two columns.
fn pairs(items: &[(String, String)], between: &str) -> String {
    let width = items.iter().map(|(left, _)| left.chars().count()).max().unwrap_or_default();
    let line = |(left, right): &(String, String)| {
        if right.is_empty() && between.trim().is_empty() {
            return format!("  {left}");
        }
        format!("  {left:width$}{between}{right}").trim_end().to_owned()
    };
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}
