//! Fast launch, which is for Windows images; there are none here, so it is looked at and refused.

use super::filter::Filters;
use super::{Call, Kind, image, page};
use crate::local_ec2::wire::{Error, Xml};

/// EnableFastLaunch: checks the request as EC2 does, and refuses the image, which is not for Windows.
pub fn enable(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("ImageId")?;
    if let Some(kind) = call.params.get("ResourceType").filter(|kind| *kind != "snapshot") {
        return Err(Error::value(format!("Value ({kind}) for parameter ResourceType is invalid.")));
    }
    at_least(call, "MaxParallelLaunches", 6)?;
    at_least(call, "SnapshotConfiguration.TargetResourceCount", 1)?;
    refuse(call, id)
}

/// DisableFastLaunch.
pub fn disable(call: &Call<'_>) -> Result<Xml, Error> {
    call.params.flag("Force")?;
    refuse(call, call.params.need("ImageId")?)
}

fn refuse(call: &Call<'_>, id: &str) -> Result<Xml, Error> {
    Kind::Image.check_shape(id)?;
    let (image, _) = image::find(call, &call.read()?, id)?.ok_or_else(|| Kind::Image.not_found(&[id]))?;
    let text = format!("Fast launch is for Windows images only, and {} is for {}.", image.id, image.platform_details);
    Err(Error::value(text))
}

fn at_least(call: &Call<'_>, name: &str, least: i64) -> Result<(), Error> {
    match call.params.int(name)? {
        Some(n) if n < least => {
            Err(Error::value(format!("Value ({n}) for parameter {name} is invalid. Must be at least {least}.")))
        }
        _ => Ok(()),
    }
}

/// DescribeFastLaunchImages.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    Filters::read(call.params, &["resource-type", "owner-id", "state"])?;
    let page = page::cut(call, Vec::<String>::new(), 0..=200, String::clone)?;
    let mut xml = Xml::new();
    xml.list("fastLaunchImageSet", page.items, |xml, id| {
        xml.text("imageId", id);
    });
    Ok(xml)
}
