//! `kiln ec2-local`: serves local EC2 to any client.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use crate::engine::cancel::{Canceller, Urgency};
use crate::report;

use super::settings::Settings;
use super::{exit, interrupt, local_ec2};

/// Serves local EC2 to any client: the AWS CLI, boto3, Packer
#[derive(clap::Args)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// Timing: `instant` or `realistic`.
    #[arg(long, value_name = "PROFILE", default_value = "instant")]
    profile: String,
}

/// Runs the verb until a signal ends it.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let (canceller, cancel) = Canceller::new();
    let started = match interrupt::listen(canceller, reporter.clone()) {
        Ok(()) => local_ec2::start_at(settings, args.listen, &args.profile, &reporter).await,
        Err(error) => Err(format!("listen for signals: {error}")),
    };
    let code = match started {
        Ok(local) => {
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
    // A closed pipe is nobody to tell.
    let _ = reporter.finish();
    code
}
