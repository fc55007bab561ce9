//! The image to start from.

use crate::aws::image::Image;
use crate::aws::image_filter::{Wanted, find as find_image};
use crate::aws::instance;
use crate::engine::Cause;

use super::super::bake::Bake;
use super::Refused;

/// Finds it and checks that it can be baked from.
pub async fn find(bake: &Bake<'_>) -> Result<Image, Cause> {
    if let Some((_, id)) = bake.past.instance()
        && let Some(instance) = instance::seen(&bake.ec2, &id).await?
    {
        // Whatever the template finds today, the machine was made of this one.
        return Ok(find_image(&bake.ec2, &Wanted { id: Some(instance.image), ..Wanted::default() }).await?);
    }
    let options = &bake.source.options;
    let id = options.source_ami.clone().filter(|id| !id.is_empty());
    let wanted = match &options.source_ami_filter {
        Some(filter) => filter.wanted(id),
        None => Wanted { id, ..Wanted::default() },
    };
    let image = find_image(&bake.ec2, &wanted).await?;
    bake.cx.events.say(format!("Found Image ID: {}", image.id));
    check(bake, &image)?;
    Ok(image)
}

fn check(bake: &Bake<'_>, image: &Image) -> Result<(), Refused> {
    let options = &bake.source.options;
    // moto says `standard` for images of its own making.
    if image.root_device_type == "instance-store" {
        let text = "The provided source AMI has an invalid root device type.\nExpected 'ebs', got 'instance-store'.";
        return Err(Refused(text.to_owned()));
    }
    let enhanced = options.ena_support == Some(true) || options.sriov_support;
    let kind =
        options.ami_virtualization_type.as_ref().filter(|kind| !kind.is_empty()).unwrap_or(&image.virtualization);
    if enhanced && kind != "hvm" {
        let text = format!("Cannot enable enhanced networking, AMIVirtType '{kind}' of {} is not HVM", image.id);
        return Err(Refused(text));
    }
    Ok(())
}
