//! `kiln ec2-local`: serves local EC2 to any client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::engine::cancel::Urgency;
use crate::report;

use super::local_ec2::Wishes;
use super::settings::Settings;
use super::{exit, interrupt, local_ec2};

/// Serves local EC2 to any client: the AWS CLI, boto3, Packer
#[derive(clap::Args)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// How long things take and what goes wrong: `instant`, `realistic`, `slow`, `chaos`, or a profile file (JSON).
    #[arg(long, value_name = "PROFILE", default_value = "instant")]
    profile: String,
    /// Rules of what goes wrong (JSON), read again when they change; else `KILN_LOCAL_FAULTS`.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Appends a line of JSON for each request; else `KILN_LOCAL_LOG`.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Runs the verb until a signal ends it.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let started = match interrupt::listen(&reporter) {
        Ok(cancel) => {
            let (faults, log) = (args.faults.as_deref(), args.log.as_deref());
            let wishes = Wishes { listen: args.listen, profile: &args.profile, faults, log };
            local_ec2::start(settings, wishes, &reporter).await.map(|local| (local, cancel))
        }
        Err(text) => Err(text),
    };
    let code = match started {
        Ok((local, cancel)) => {
            reporter.print(format!("Local EC2 listens at {}", local.endpoint().url));
            reporter.print(format!("export AWS_ENDPOINT_URL={}", local.endpoint().url));
            cancel.reached(Urgency::Unwind).await;
            local.stop().await;
            ExitCode::SUCCESS
        }
        Err(text) => {
            reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}
