//! `kiln docs`: the reference of every component and its options.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use crate::hcl::decode::OptionReference;
use crate::hcl::diagnostics::did_you_mean;
use crate::hcl::functions;
use crate::hcl::types::Type;
use crate::report;

use super::exit;
use super::reference::{Category, Component, components, function_names, signature};
use super::settings::Settings;

/// Lines are broken at this width at most: longer ones are hard to read.
const MAX_WIDTH: usize = 100;
/// A word of so many letters at most is soon another one.
const SHORT: usize = 4;
/// How far a text stands to the right of its option's name.
const INDENT: usize = 4;

/// Shows what components there are and what options they take
#[derive(clap::Args)]
pub struct Args {
    /// A type as templates name it (amazon-ebs, shell), with its category in front where several have it
    /// (provisioner.shell-local), or a function. A list of all when left out.
    #[arg(value_name = "TYPE")]
    name: Option<String>,
    /// One option of it; one in a block as block.option.
    #[arg(value_name = "OPTION")]
    option: Option<String>,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = match answer(args, &Paper::of_stdout(settings)) {
        Ok(text) => {
            reporter.print_raw(text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}

fn answer(args: &Args, paper: &Paper) -> Result<String, String> {
    let all = components();
    let Some(name) = &args.name else { return Ok(overview(&all, paper)) };
    let found: Vec<&Component> = all.iter().filter(|c| c.name == name || c.full_name() == *name).collect();
    if found.is_empty() {
        return function(name).ok_or_else(|| unknown(name, &all));
    }
    let Some(option) = &args.option else {
        let pages: Vec<String> = found.iter().map(|component| page(component, &found, paper)).collect();
        return Ok(pages.join("\n\n"));
    };
    let told: Vec<String> = found.iter().filter_map(|component| one_option(component, option, paper)).collect();
    if told.is_empty() { Err(unknown_option(option, &found)) } else { Ok(told.join("\n")) }
}

fn function(name: &str) -> Option<String> {
    functions::lookup(name).map(|function| format!("function {}\n", signature(function)))
}

fn unknown(name: &str, all: &[Component]) -> String {
    let full: Vec<String> = all.iter().map(Component::full_name).collect();
    let names = all.iter().map(|c| c.name).chain(full.iter().map(String::as_str)).chain(function_names());
    let hint = did_you_mean(name, names).unwrap_or_else(|| "`kiln docs` lists all types".to_owned());
    format!("there is no component and no function named {name:?}\n\nhint: {hint}")
}

fn unknown_option(name: &str, found: &[&Component]) -> String {
    let options: Vec<OptionReference> =
        found.iter().flat_map(|c| c.groups()).flat_map(|(_, options)| options).collect();
    let mut paths = Vec::new();
    options.iter().for_each(|option| collect_paths("", option, &mut paths));
    let title = found.first().map_or("", |component| component.name);
    let hint = meant(name, &paths).unwrap_or_else(|| {
        let mut names: Vec<&str> = options.iter().map(|option| option.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        format!("its options are {}; `kiln docs {title}` shows what they mean", names.join(", "))
    });
    format!("{title} has no option {name:?}\n\nhint: {hint}")
}

/// A hint that names the option that was meant. A short word must begin as the option does: `nope` is not far from
/// `name`, and yet nobody meant that.
fn meant(name: &str, paths: &[String]) -> Option<String> {
    let short = name.chars().count() <= SHORT;
    let alike = |path: &&str| !short || path.chars().take(2).eq(name.chars().take(2));
    did_you_mean(name, paths.iter().map(String::as_str).filter(alike))
}

/// The names of an option and of those in its block: `a`, `a.b`.
fn collect_paths(before: &str, option: &OptionReference, paths: &mut Vec<String>) {
    let path = format!("{before}{}", option.name);
    let inner = format!("{path}.");
    option.nested.iter().for_each(|nested| collect_paths(&inner, nested, paths));
    paths.push(path);
}

fn overview(all: &[Component], paper: &Paper) -> String {
    let width = all.iter().map(|component| component.name.len()).max().unwrap_or_default() + 4;
    let mut out = String::new();
    let mut last = None;
    for component in all {
        if last != Some(component.category) {
            let gap = if last.is_some() { "\n" } else { "" };
            out += &format!("{gap}{}\n\n", paper.bold(component.category.heading()));
            last = Some(component.category);
        }
        let pad = " ".repeat(width - component.name.len() - 2);
        out += &paper.filled(&format!("  {}{pad}", paper.bold(component.name)), &component.summary(), width);
    }
    out += &format!("\n{}\n\n{}", paper.bold("Functions"), paper.filled("  ", &function_names().join(", "), 2));
    out + "\nkiln docs TYPE shows the options of one, kiln docs TYPE OPTION one option, kiln docs FUNCTION how it is called.\n"
}

fn page(component: &Component, found: &[&Component], paper: &Paper) -> String {
    let title = match component.category {
        Category::Communicator => "communicator options".to_owned(),
        category => format!("{} {}", category.word(), component.name),
    };
    let mut out = format!("{}\n\n{}", paper.bold(&title), paper.filled("", &component.summary(), 0));
    for other in found.iter().filter(|other| other.category != component.category) {
        let text = format!("For the other of this name alone: kiln docs {}", other.full_name());
        out += &paper.filled("", &text, 0);
    }
    if let Some(output) = &component.output {
        out += &format!("\nGives {}\n", output_text(output));
    }
    for (at, (about, options)) in component.groups().iter().enumerate() {
        // The first group is the component's own, whose text stands above.
        out += &if at == 0 && *about == component.summary() {
            String::from("\n")
        } else {
            format!("\n{}\n", paper.filled("", about, 0))
        };
        let told: Vec<String> = options.iter().map(|option| option_text(option, 0, paper)).collect();
        out += &told.join("\n");
    }
    out
}

/// The attributes of a value with their types.
fn output_text(output: &Type) -> String {
    match output {
        Type::Object(object) => {
            let attributes = object.attributes.iter().map(|(name, attribute)| format!("{name} ({})", attribute.ty));
            attributes.collect::<Vec<_>>().join(", ") + "."
        }
        other => format!("a value: {other}."),
    }
    .replace("any single type", "any")
}

/// An option by its name, one of its other names, or its path through blocks.
fn one_option(component: &Component, path: &str, paper: &Paper) -> Option<String> {
    let groups = component.groups();
    let found = groups.iter().find_map(|(_, options)| find(options, path))?;
    Some(format!("{} {path}\n\n{}", paper.bold(&component.full_name()), option_text(found, 0, paper)))
}

fn find<'o>(options: &'o [OptionReference], path: &str) -> Option<&'o OptionReference> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let found =
        options.iter().find(|option| option.name == name || option.aliases.iter().any(|alias| alias == name))?;
    match rest {
        Some(rest) => find(&found.nested, rest),
        None => Some(found),
    }
}

fn option_text(option: &OptionReference, indent: usize, paper: &Paper) -> String {
    let margin = " ".repeat(indent);
    let mut facts = vec![option.kind.replace("any single type", "any")];
    if option.required {
        facts.push("required".to_owned());
    }
    facts.extend(option.default.iter().map(|default| format!("default {default}")));
    facts.extend(option.aliases.iter().map(|alias| format!("also called {alias}")));
    let mut out = format!("{margin}{} ({})\n", paper.bold(&option.name), facts.join(", "));
    let inner = " ".repeat(indent + INDENT);
    out += &paper.filled(&inner, &option.text, indent + INDENT);
    for nested in &option.nested {
        out += "\n";
        out += &option_text(nested, indent + INDENT, paper);
    }
    out
}

/// What the text is written on.
struct Paper {
    width: usize,
    style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Names in bold.
    Terminal,
    /// Nothing but text.
    Plain,
}

impl Paper {
    fn of_stdout(settings: &Settings) -> Self {
        let plain = !std::io::stdout().is_terminal()
            || settings.machine_readable
            || settings.variable("PACKER_NO_COLOR").is_some()
            || settings.variable("NO_COLOR").is_some();
        let width = usize::from(report::Screen::of_stdout().size().columns).clamp(40, MAX_WIDTH);
        Self { width, style: if plain { Style::Plain } else { Style::Terminal } }
    }

    fn bold(&self, text: &str) -> String {
        if self.style == Style::Terminal { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A text after a first line's beginning, broken at blanks, further lines indented. Ends with a line break.
    fn filled(&self, start: &str, text: &str, indent: usize) -> String {
        let mut out = start.to_owned();
        for (at, paragraph) in text.split("\n\n").enumerate() {
            if at > 0 {
                out += &format!("\n\n{}", " ".repeat(indent));
            }
            let mut column = indent;
            for (at, word) in paragraph.split_whitespace().enumerate() {
                let length = word.chars().count();
                if at > 0 && column + 1 + length > self.width {
                    out += &format!("\n{}", " ".repeat(indent));
                    column = indent;
                } else if at > 0 {
                    out.push(' ');
                    column += 1;
                }
                out += word;
                column += length;
            }
        }
        out.push('\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_says_what_it_means() {
        fn check(path: &str, option: &OptionReference) {
            let path = format!("{path} {}", option.name);
            assert!(option.text.split_whitespace().count() > 1, "{path}: {:?} says too little", option.text);
            assert!(option.text.ends_with(['.', '`']), "{path}: {:?} is no sentence", option.text);
            option.nested.iter().for_each(|nested| check(&path, nested));
        }
        for component in components() {
            assert!(!component.summary().is_empty(), "{} says nothing of itself", component.full_name());
            for (_, options) in component.groups() {
                options.iter().for_each(|option| check(&component.full_name(), option));
            }
        }
    }

    #[test]
    fn no_option_is_in_two_groups() {
        for component in components() {
            let groups = component.groups();
            let mut names: Vec<&str> =
                groups.iter().flat_map(|(_, options)| options).map(|o| o.name.as_str()).collect();
            let before = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), before, "{}", component.full_name());
        }
    }
}
