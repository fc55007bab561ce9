//! The throw-away key: made here, its public half imported, deleted as soon as the session stands.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::aws::{key_pair, release};
use crate::communicator::ssh::key::Keypair;
use crate::engine::Cause;
use crate::engine::ledger::{Claim, ClaimId, Keep};
use crate::engine::mode::Pauses;

use super::super::bake::Bake;
use super::super::tags::BuildTags;
use super::Refused;

/// The key that the instance is launched with.
#[derive(Clone, Default)]
pub struct Key {
    /// Name of the pair at EC2, when there is one.
    pub name: Option<String>,
    /// The private half, when it was made here.
    pub pair: Option<Keypair>,
    /// The claim on the temporary pair.
    pub claim: Option<ClaimId>,
}

/// Makes and imports a key, unless the template brings its own way to log in.
pub async fn import(bake: &Bake<'_>, tags: &BuildTags) -> Result<Key, Cause> {
    let options = &bake.source.communicator;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (existing, events) = (given(&options.ssh_keypair_name), &bake.cx.events);
    if options.ssh_private_key_file.is_some() {
        events.say("Using existing SSH private key");
        return Ok(Key { name: existing, ..Key::default() });
    }
    if options.ssh_agent_auth {
        match &existing {
            Some(name) => events.say(format!("Using SSH Agent for existing key pair {name}")),
            None => events.say("Using SSH Agent with key pair in Source AMI"),
        }
        return Ok(Key { name: existing, ..Key::default() });
    }
    let named = given(&options.temporary_key_pair_name);
    if options.is_none() || (options.ssh_password.is_some() && named.is_none()) {
        events.say("Not using temporary keypair");
        return Ok(Key { name: existing, ..Key::default() });
    }
    match made_before(bake)? {
        Some(key) => Ok(key),
        None => make(bake, tags, named.unwrap_or_else(|| bake.names.temporary.clone())).await,
    }
}

/// The key of the machine that the run had before it was resumed. The pair at EC2 may be gone: the private half still opens the machine.
fn made_before(bake: &Bake<'_>) -> Result<Option<Key>, Cause> {
    let (claim, has_machine) = (bake.past.key_pair(), bake.past.instance().is_some());
    if !has_machine && !claim.is_some_and(Claim::is_open) {
        return Ok(None);
    }
    let text = bake.cx.keeper.key(&bake.cx.build);
    let text = text.ok_or_else(|| Refused("the private key is not in the run's files any more".to_owned()))?;
    let claim_id = claim.filter(|claim| claim.is_open()).map(|claim| claim.id);
    let name = claim.map(|claim| claim.intent.name.clone());
    Ok(Some(Key { name, pair: Some(Keypair::parse(&text)?), claim: claim_id }))
}

async fn make(bake: &Bake<'_>, tags: &BuildTags, name: String) -> Result<Key, Cause> {
    bake.cx.events.say(format!("Creating temporary keypair: {name}"));
    let pair = generate(bake, &name).await?;
    let public = pair.public_line()?;
    bake.cx.keeper.keep_key(&bake.cx.build, pair.to_openssh()?.reveal())?;
    let intent = bake.intent(release::KEY_PAIR, Keep::Never, &name);
    let call = async { key_pair::import(&bake.ec2, &name, &public, &tags.run).await.map(|id| (id, ())) };
    let (claim, ()) = bake.cx.journal.acquire(intent, call).await?;
    if bake.cx.mode.pauses == Pauses::AfterSteps {
        save_for_debug(bake, &pair)?;
    }
    Ok(Key { name: Some(name), pair: Some(pair), claim: Some(claim) })
}

/// Ed25519 unless the template asks for RSA.
async fn generate(bake: &Bake<'_>, name: &str) -> Result<Keypair, Cause> {
    if bake.source.communicator.temporary_key_pair_type.as_deref() != Some("rsa") {
        return Ok(Keypair::generate(name)?);
    }
    let name = name.to_owned();
    Ok(tokio::task::spawn_blocking(move || Keypair::generate_rsa(&name)).await??)
}

/// The file that `-debug` leaves the key in while a build of the source of that name runs.
pub fn debug_file(name: &str) -> PathBuf {
    PathBuf::from(format!("ec2_{name}.pem"))
}

fn save_for_debug(bake: &Bake<'_>, pair: &Keypair) -> Result<(), Cause> {
    let path = debug_file(&bake.source.name);
    bake.cx.events.say(format!("Saving key for debug purposes: {}", path.display()));
    let mut options = std::fs::OpenOptions::new();
    // An older file may be readable by others; a new one never is, not even for a moment.
    let _ = std::fs::remove_file(&path);
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
    Ok(file.write_all(pair.to_openssh()?.reveal().as_bytes())?)
}

/// Deletes the temporary pair at EC2: with the session standing nobody needs it any more.
pub async fn delete(bake: &Bake<'_>, key: &Key) {
    let (Some(claim), Some(name)) = (key.claim, &key.name) else { return };
    // A failure is no harm here, nor is a signal: the claim stays open and is released with the rest.
    if let Ok(Ok(())) = bake.cx.cancel.guard(key_pair::release(&bake.ec2, name)).await {
        let _ = bake.released(claim);
    }
}
