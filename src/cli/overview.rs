//! What a template consists of, as text: `inspect`, and the console's `variables` (packer-core.md section 8.2).

use std::fmt::Write as _;

use crate::hcl::print::{print, quote};
use crate::hcl::value::Mapping;
use crate::plan::{BuildOverview, Overview};
use crate::secret::MASK;

/// All of it. `sensitive` are the texts that must not be shown.
pub fn text(overview: &Overview, sensitive: &[String]) -> String {
    let mut out = String::from("Packer Inspect: HCL2 mode\n\n");
    out.push_str(&variables(overview, sensitive));
    out.push_str("> builds:\n\n");
    for (at, build) in overview.builds.iter().enumerate() {
        build_text(&mut out, at, build);
    }
    out
}

/// Variables and locals.
pub fn variables(overview: &Overview, sensitive: &[String]) -> String {
    let mut out = String::new();
    section(&mut out, ("input-variables", "var"), &overview.variables, sensitive);
    section(&mut out, ("local-variables", "local"), &overview.locals, sensitive);
    out
}

fn section(out: &mut String, (title, prefix): (&str, &str), values: &Mapping, sensitive: &[String]) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "> {title}:\n");
    for (name, value) in values.iter() {
        let _ = writeln!(out, "{prefix}.{name}: {}", quote(&masked(print(value), sensitive)));
    }
    out.push('\n');
}

/// The lines of secrets are masked one by one, before line ends become `\n`: so it still shows what has several lines.
fn masked(text: String, sensitive: &[String]) -> String {
    let lines = sensitive.iter().filter(|secret| !secret.contains(['\n', '\r']));
    lines.fold(text, |text, secret| text.replace(secret.as_str(), MASK))
}

fn build_text(out: &mut String, at: usize, build: &BuildOverview) {
    let name = if build.name.is_empty() { format!("<unnamed build {at}>") } else { build.name.clone() };
    let _ = writeln!(out, "  > {name}:\n");
    if !build.description.is_empty() {
        let _ = writeln!(out, "  > Description: {}\n", build.description);
    }
    list(out, "sources", &build.sources, "<no source>", "\n\n");
    list(out, "provisioners", &build.provisioners, "<no provisioner>", "\n");
    out.push_str("\n    post-processors:\n\n");
    if build.post_processors.is_empty() {
        out.push_str("      <no post-processor>\n\n");
    }
    for (at, chain) in build.post_processors.iter().enumerate() {
        let _ = writeln!(out, "      {at}:");
        for one in chain {
            let _ = writeln!(out, "        {one}");
        }
        out.push('\n');
    }
}

fn list(out: &mut String, title: &str, items: &[String], none: &str, between: &str) {
    let _ = writeln!(out, "    {title}:\n");
    let shown: Vec<String> = match items.is_empty() {
        true => vec![format!("      {none}")],
        false => items.iter().map(|item| format!("      {item}")).collect(),
    };
    out.push_str(&shown.join(between));
    out.push_str(between);
}
