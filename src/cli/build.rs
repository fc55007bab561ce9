//! `kiln build`: bakes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::cancel::Cancelled;
use crate::engine::mode::{Force, Mode as EngineMode, OnError, Pauses};
use crate::event::{Events, Summary};
use crate::hcl::diagnostics::{Diagnostics, Sources};
use crate::hcl::duration::{GoDuration, ParseDurationError};
use crate::report::{self, Colour, Mode as ReportMode, Reporter, Timestamps};
use crate::run::data::Reading;
use crate::run::prepare::{PreparedBuild, prepare_to_run};
use crate::run::{Shared, parallel};
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::args::go_bool;
use super::files::Missing;
use super::flags::{InputArgs, OrderArgs, PrereleaseArgs, SelectionArgs};
use super::load::{self, How, Read, Template};
use super::local_ec2::{self, Local, Wishes};
use super::records::{Begin, Records};
use super::settings::Settings;
use super::terminal::TerminalPrompt;
use super::{exit, interrupt};

/// Bakes the images of a template
#[derive(clap::Args)]
pub struct Args {
    /// Rehearses on local EC2: instances boot on this machine, and no AWS account is needed.
    #[arg(long)]
    local: bool,
    /// Timing and faults of local EC2: `instant`, `realistic`, `slow`, `chaos`, or a profile file (JSON).
    #[arg(long, value_name = "PROFILE", default_value = "instant", requires = "local")]
    local_profile: String,
    /// Rules of what goes wrong in local EC2 (JSON), read again when they change; else `KILN_LOCAL_FAULTS`.
    #[arg(long, value_name = "FILE", requires = "local")]
    local_faults: Option<PathBuf>,
    /// Appends a line of JSON for each request to local EC2; else `KILN_LOCAL_LOG`.
    #[arg(long, value_name = "FILE", requires = "local")]
    local_log: Option<PathBuf>,
    /// Pauses after each step and saves the temporary key as ec2_NAME.pem.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    debug: bool,
    /// Replaces older products of the same name.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    force: bool,
    /// Colours the lines of each build.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = go_bool, action = clap::ArgAction::Set)]
    color: bool,
    /// Puts the time in front of each line.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    timestamp_ui: bool,
    /// Writes one JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// What to do when a step fails: cleanup, abort, ask or run-cleanup-provisioner.
    #[arg(long, value_name = "MODE", default_value = "cleanup", value_parser = on_error)]
    on_error: OnError,
    /// How many builds run at once; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    parallel_builds: i64,
    /// Warns of variables in variable files that the template does not declare.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    warn_on_undeclared_var: bool,
    /// Says that provisioners enforced by HCP Packer are skipped; Kiln knows no such provisioners.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    skip_enforcement: bool,
    /// How long, after this run's last sign of life, `kiln cleanup` on other machines leaves alone what it made.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lease)]
    lease: Duration,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    #[command(flatten)]
    _prerelease: PrereleaseArgs,
    /// Has no effect in this form, as in Packer: write -machine-readable, with one dash.
    #[arg(long = "machine-readable", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set, help_heading = "Accepted as in Packer, without meaning here")]
    _machine_readable: bool,
}

/// At least a second: it is renewed three times in its length.
fn lease(text: &str) -> Result<Duration, String> {
    let lease: GoDuration = text.parse().map_err(|e: ParseDurationError| e.to_string())?;
    match lease.as_nanos() >= 1_000_000_000 {
        true => Ok(lease.into()),
        false => Err("a lease lasts at least 1s".to_owned()),
    }
}

pub(super) fn on_error(text: &str) -> Result<OnError, String> {
    match text {
        "" | "cleanup" => Ok(OnError::Cleanup),
        "abort" => Ok(OnError::Abort),
        "ask" => Ok(OnError::Ask),
        "run-cleanup-provisioner" => Ok(OnError::RunCleanupProvisioner),
        _ => Err(r#"expected one of ["cleanup" "abort" "ask" "run-cleanup-provisioner"]"#.to_owned()),
    }
}

/// Runs the verb, for a new run or for one that goes on.
pub async fn run(args: Args, settings: &Settings, begin: Begin) -> ExitCode {
    let reporter = match report::start(report_settings(&args, settings), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let args = Arc::new(args);
    let code = match Session::start(&args, settings, &reporter).await {
        Ok(session) => session.build(&args, settings, begin).await,
        Err(text) => {
            reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}

impl Args {
    /// What the template is read from.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The same, with another answer to failures.
    pub fn with_on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }
}

fn report_settings(args: &Args, settings: &Settings) -> report::Settings {
    let mut report = settings.for_people();
    if args.json {
        report.mode = ReportMode::Json;
    }
    if !args.color {
        report.colour = Colour::Off;
    }
    if args.timestamp_ui {
        report.timestamps = Timestamps::In(jiff::tz::TimeZone::system());
    }
    report
}

/// What there is to run.
struct Prepared {
    /// The files, for showing diagnostics.
    sources: Arc<Sources>,
    /// The builds without errors; none when the template has some.
    builds: Vec<PreparedBuild>,
    /// What is wrong with the components, and what was noticed before.
    diagnostics: Diagnostics,
    /// What data sources were asked through.
    world: World,
}

impl Prepared {
    async fn read(args: &Args, settings: &Settings, world: World) -> Result<Self, Missing> {
        let undeclared = if args.warn_on_undeclared_var { Undeclared::Warn } else { Undeclared::Ignore };
        let how = How { mode: Mode::Full, undeclared, reading: Reading::Execute, order: (&args.order).into() };
        let template = Template { argument: Some(&args.template), inputs: &args.inputs, selection: &args.selection };
        let Read { plan, diagnostics: noticed, sources, .. } = load::read(&template, &how, settings, &world).await?;
        let force = if args.force { Force::Yes } else { Force::No };
        let plan = plan.filter(|_| !noticed.has_errors());
        let prepared = plan.map(|plan| prepare_to_run(&plan, force, &settings.secrets));
        let (builds, mut diagnostics) = prepared.unwrap_or_default();
        diagnostics.extend(noticed);
        Ok(Self { sources, builds, diagnostics, world })
    }
}

/// Everything that lives as long as the command.
struct Session {
    reporter: Arc<Reporter>,
    local: Option<Local>,
    cancel: crate::engine::cancel::Cancel,
}

impl Session {
    async fn start(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Self, String> {
        let cancel = interrupt::listen(reporter)?;
        let local = match args.local {
            true => {
                let wishes = Wishes {
                    profile: &args.local_profile,
                    faults: args.local_faults.as_deref(),
                    log: args.local_log.as_deref(),
                    ..Wishes::default()
                };
                Some(local_ec2::start(settings, wishes, reporter).await?)
            }
            false => None,
        };
        Ok(Self { reporter: reporter.clone(), local, cancel })
    }

    async fn build(self, args: &Arc<Args>, settings: &Settings, begin: Begin) -> ExitCode {
        let world = World::new(self.local.as_ref().map(Local::endpoint)).telling(Events::new(self.reporter.sink()));
        if args.skip_enforcement {
            self.reporter.print("Skipping HCP Packer enforced provisioners (--skip-enforcement flag set)");
        }
        let (own_args, own_settings) = (args.clone(), settings.clone());
        let work = move || async move { Prepared::read(&own_args, &own_settings, world).await };
        let prepared = match interrupt::evaluate(&self.cancel, work).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(missing)) => return self.end(Err(missing.to_string())).await,
            Err(Cancelled) => return self.end(Ok(ExitCode::from(exit::FAILURE))).await,
        };
        let Prepared { sources, builds, diagnostics, world } = prepared;
        load::print(&self.reporter, &diagnostics, &sources);
        if builds.is_empty() {
            let text = "No builds to run: see what -only and -except leave, and the errors above";
            let failed = diagnostics.has_errors();
            return self.end(if failed { Ok(ExitCode::from(exit::FAILURE)) } else { Err(text.to_owned()) }).await;
        }
        let result = self.run(args, settings, world, &builds, &sources, begin).await;
        let result = result.map(|summary| code(&summary, !diagnostics.has_errors()));
        self.end(result).await
    }

    async fn run(
        &self,
        args: &Args,
        settings: &Settings,
        world: World,
        builds: &[PreparedBuild],
        sources: &Arc<Sources>,
        begin: Begin,
    ) -> Result<Summary, String> {
        let Records { run, journal, keeper } = begin.records(settings, builds, &self.reporter)?;
        super::crash::clean_up_after(&run);
        let pauses = if args.debug { Pauses::AfterSteps } else { Pauses::None };
        let force = if args.force { Force::Yes } else { Force::No };
        if args.debug {
            self.reporter.print("Debug mode enabled. Builds will not be parallelized.");
        }
        let shared = Shared {
            run: run.into(),
            events: Events::new(self.reporter.sink()),
            journal,
            keeper,
            cancel: self.cancel.clone(),
            mode: EngineMode { on_error: args.on_error, pauses, force, lease: args.lease },
            prompt: Arc::new(TerminalPrompt::new(self.reporter.clone())),
            world,
            secrets: settings.secrets.clone(),
        };
        let most = usize::try_from(args.parallel_builds).unwrap_or(0);
        Ok(parallel::run(builds, &shared, sources, most).await)
    }

    /// Ends local EC2 and gives the exit code.
    async fn end(self, result: Result<ExitCode, String>) -> ExitCode {
        if let Some(local) = self.local {
            local.stop().await;
        }
        result.unwrap_or_else(|text| {
            self.reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        })
    }
}

fn code(summary: &Summary, all_prepared: bool) -> ExitCode {
    if !summary.leftovers.is_empty() {
        return ExitCode::from(exit::LEFTOVERS);
    }
    let good = summary.errors.is_empty() && !summary.interrupted && all_prepared;
    if good { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) }
}
