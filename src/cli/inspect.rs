//! `kiln inspect`: shows what a template consists of (packer-core.md section 8.2).

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::hcl::Value;
use crate::hcl::print::{print, quote};
use crate::plan::{BuildOverview, Overview};
use crate::report;
use crate::run::data::Reading;
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::exit;
use super::load::{self, How, TemplateArgs};
use super::settings::Settings;

/// Shows the variables, locals and builds of a template
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArgs,
}

/// Runs the verb.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let how = How { mode: Mode::Overview, undeclared: Undeclared::Ignore, reading: Reading::Execute };
    let read = match load::read(&args.template, &how, settings, &World::default()).await {
        Ok(read) => read,
        Err(missing) => return exit::failed(settings, &missing.to_string()),
    };
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    load::print(&reporter, &read.diagnostics, &read.sources);
    let code = match (&read.plan, read.diagnostics.has_errors()) {
        (Some(plan), false) => {
            reporter.print_raw(text(&plan.overview));
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(exit::FAILURE),
    };
    // A closed pipe is nobody to tell.
    let _ = reporter.finish();
    code
}

fn text(overview: &Overview) -> String {
    let mut out = String::from("Packer Inspect: HCL2 mode\n\n");
    section(&mut out, "input-variables", "var", &overview.variables);
    section(&mut out, "local-variables", "local", &overview.locals);
    out.push_str("> builds:\n\n");
    for (at, build) in overview.builds.iter().enumerate() {
        build_text(&mut out, at, build);
    }
    out
}

fn section(out: &mut String, title: &str, prefix: &str, values: &[(String, Value)]) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "> {title}:\n");
    for (name, value) in values {
        let _ = writeln!(out, "{prefix}.{name}: {}", quote(&print(value)));
    }
    out.push('\n');
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
        out.push_str("      <no post-processor>\n");
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
