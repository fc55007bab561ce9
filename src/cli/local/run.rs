//! `kiln local run`: boots an image and opens a shell in it.

use std::collections::BTreeMap;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use crate::aws::access::Access;
use crate::aws::instance;
use crate::aws::launch::{Launch, launch as launch_instance};
use crate::aws::{Age, Ec2, key_pair};
use crate::communicator::ssh::key::Keypair;
use crate::engine::chain;
use crate::sources::World;

use super::Room;
use crate::cli::local_ec2;

/// Boots an image and opens a shell in it; the instance ends with the shell
#[derive(clap::Args)]
pub struct Args {
    /// The image's id.
    ami: String,
    /// A command to run instead of a shell.
    #[arg(trailing_var_arg = true)]
    command: Vec<String>,
}

/// Runs the verb.
pub async fn run(args: &Args, room: &Room<'_>) -> Result<ExitCode, String> {
    let record = room.store()?.image(&args.ami).map_err(|e| chain(&e))?.record;
    let text = |name: &str, default: &str| {
        record.config.get(name).and_then(|value| value.as_str()).unwrap_or(default).to_owned()
    };
    let (region, user) = (text("region", "us-east-1"), text("User", "root"));
    let local = local_ec2::start(room.settings, local_ec2::Wishes::default(), &room.reporter).await?;
    let world = World::new(Some(local.endpoint()));
    let access = Access { region: Some(region), ..Access::default() };
    let result = match world.aws(&access).await {
        Ok(aws) => shell(args, room, &aws.ec2(), &user).await,
        Err(error) => Err(chain(&error)),
    };
    local.stop().await;
    result
}

async fn shell(args: &Args, room: &Room<'_>, ec2: &Arc<Ec2>, user: &str) -> Result<ExitCode, String> {
    // Random, since tokens live on in the endpoint's state and process ids repeat.
    let name = format!("kiln-local-run-{:032x}", rand::random::<u128>());
    let key = Keypair::generate(&name).map_err(|e| chain(&e))?;
    let public = key.public_line().map_err(|e| chain(&e))?;
    key_pair::import(ec2, &name, &public, &BTreeMap::new()).await.map_err(|e| chain(&e))?;
    let result = boot(args, room, ec2, user, (&name, &key)).await;
    // The instance ends with this process; the key is all that would stay.
    key_pair::release(ec2, &name).await.map_err(|e| chain(&e))?;
    result
}

async fn boot(
    args: &Args,
    room: &Room<'_>,
    ec2: &Arc<Ec2>,
    user: &str,
    (name, key): (&str, &Keypair),
) -> Result<ExitCode, String> {
    let launch = Launch {
        token: name.to_owned(),
        image: args.ami.clone(),
        instance_type: "t3.micro".into(),
        key: Some(name.to_owned()),
        ..Launch::default()
    };
    let id = launch_instance(ec2, &launch).await.map_err(|e| chain(&e))?;
    let running = instance::wait(ec2, &id, "running", None, |_| ()).await.map_err(|e| chain(e.as_ref()))?;
    let address = running.public_ip.or(running.private_ip).ok_or("the instance has no address")?;
    room.reporter.print(format!("{id} runs {} at {address}; it ends with this shell", args.ami));
    let code = ssh(args, user, &address, key).await;
    instance::terminate(ec2, &id, Age::Old).await.map_err(|e| chain(&e))?;
    code
}

/// The user's own `ssh` has the terminal in its hands better than anything that could be written here.
async fn ssh(args: &Args, user: &str, address: &str, key: &Keypair) -> Result<ExitCode, String> {
    let file = tempfile::Builder::new().prefix("kiln-key").tempfile().map_err(|e| e.to_string())?;
    let private = key.to_openssh().map_err(|e| chain(&e))?;
    std::fs::write(file.path(), private.reveal()).map_err(|e| e.to_string())?;
    let mut command = tokio::process::Command::new("ssh");
    command.args(["-q", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(file.path()).arg(format!("{user}@{address}"));
    command.args(&args.command);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).kill_on_drop(true);
    let status = command.status().await.map_err(|e| format!("start ssh (package openssh-client): {e}"))?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
