//! `force_deregister`: older images of the same name make room. EC2 lets two images of one name not exist side by side, so they go last of all before
//! the new one is asked for, when everything that provisioning could break has succeeded.

use crate::aws::image;
use crate::engine::Cause;

use super::super::bake::Bake;
use super::pre_validate::Older;

/// Deregisters them, and deletes their snapshots when the template says so.
pub async fn remove_older(bake: &Bake<'_>, older: &Older) -> Result<(), Cause> {
    for (region, old) in older {
        let ec2 = bake.aws.ec2_in(region);
        image::deregister(&ec2, &old.id).await?;
        bake.cx.events.say(format!("Deregistered AMI {}, id: {}", old.name, old.id));
        if !bake.source.options.force_delete_snapshot {
            continue;
        }
        for snapshot in &old.snapshots {
            image::delete_snapshot(&ec2, snapshot).await?;
            bake.cx.events.say(format!("Deleted snapshot: {snapshot}"));
        }
    }
    Ok(())
}
