//! `kiln local rm`: removes images.

use crate::aws::access::Access;
use crate::aws::image;
use crate::engine::chain;
use crate::local_ec2::shelf::layers_in_use;
use crate::sources::World;

use super::Room;
use crate::cli::local_ec2;

/// Removes images, and the layers that nothing uses any more
#[derive(clap::Args)]
pub struct Args {
    /// The images' ids.
    #[arg(required = true)]
    amis: Vec<String>,
}

/// Runs the verb.
pub async fn run(args: &Args, room: &Room<'_>) -> Result<(), String> {
    let local = local_ec2::start(room.settings, local_ec2::Wishes::default(), &room.reporter).await?;
    let world = World::new(Some(local.endpoint()));
    let result = remove_all(args, room, &world).await;
    local.stop().await;
    result
}

async fn remove_all(args: &Args, room: &Room<'_>, world: &World) -> Result<(), String> {
    let store = room.store()?;
    for ami in &args.amis {
        let record = store.image(ami).map_err(|e| chain(&e))?.record;
        let region = record.config.get("region").and_then(|region| region.as_str()).unwrap_or("us-east-1").to_owned();
        let access = Access { region: Some(region), ..Access::default() };
        let aws = world.aws(&access).await.map_err(|e| chain(&e))?;
        image::release(&aws.ec2(), ami).await.map_err(|e| chain(&e))?;
        room.reporter.print(format!("Removed {ami}"));
    }
    let keep = layers_in_use(&local_ec2::state_directory(&room.settings.data)).map_err(|e| chain(&e))?;
    let freed = room.store()?.garbage_collect(&keep).map_err(|e| chain(&e))?;
    room.reporter.print(format!("Freed {} bytes", freed.bytes));
    Ok(())
}
