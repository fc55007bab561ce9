//! Deprecation, protection, disabling, and the end of images.

use std::time::Duration;

use super::own;
use crate::local_ec2::api::{Call, done, snapshot};
use crate::local_ec2::state::{Image, ImageState, Moment, Protection};
use crate::local_ec2::wire::{Error, Xml};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long an image stays protected after its protection with cooldown is switched off.
const COOLDOWN: Duration = Duration::from_secs(24 * 3600);

/// EnableImageDeprecation: in the future, within ten years (a public image: two from its making), rounded to the minute.
pub fn enable_deprecation(call: &Call<'_>) -> Result<Xml, Error> {
    let text = call.params.need("DeprecateAt")?;
    let bad = |why: &str| Error::value(format!("Value ({text}) for parameter DeprecateAt is invalid. {why}"));
    let at = Moment::parse(text).ok_or_else(|| bad("Expected an ISO 8601 time."))?;
    let at = Moment((at.0 + 30_000).div_euclid(60_000) * 60_000);
    change(call, |image| {
        let last =
            if image.is_public() { image.created.plus(YEAR * 2) } else { call.now.plus(YEAR * 10 + COOLDOWN * 3) };
        if at <= call.now {
            return Err(bad("The date must be in the future."));
        }
        if at > last {
            return Err(bad("The date is too far in the future."));
        }
        image.deprecate_at = Some(at);
        Ok(())
    })?;
    Ok(done())
}

/// DisableImageDeprecation.
pub fn disable_deprecation(call: &Call<'_>) -> Result<Xml, Error> {
    change(call, |image| {
        image.deprecate_at = None;
        Ok(())
    })?;
    Ok(done())
}

/// EnableImageDeregistrationProtection: answers with a word, not with `true`.
pub fn enable_protection(call: &Call<'_>) -> Result<Xml, Error> {
    let cooldown = call.params.flag("WithCooldown")?.unwrap_or(false);
    let protection = if cooldown { Protection::OnWithCooldown } else { Protection::On };
    change(call, |image| {
        image.protection = protection;
        Ok(())
    })?;
    let mut xml = Xml::new();
    xml.text("return", super::listing::protection_text(protection));
    Ok(xml)
}

/// DisableImageDeregistrationProtection.
pub fn disable_protection(call: &Call<'_>) -> Result<Xml, Error> {
    change(call, |image| {
        image.protection = match image.protection {
            Protection::OnWithCooldown => Protection::CoolingUntil(call.now.plus(COOLDOWN)),
            cooling @ Protection::CoolingUntil(_) => cooling,
            Protection::On | Protection::Off => Protection::Off,
        };
        Ok(())
    })?;
    let mut xml = Xml::new();
    xml.text("return", "disabled");
    Ok(xml)
}

/// DisableImage: not launchable, not shared, hidden from lists.
pub fn disable(call: &Call<'_>) -> Result<Xml, Error> {
    change(call, |image| {
        if image.state != ImageState::Available {
            return Err(wrong_state(image));
        }
        image.state = ImageState::Disabled;
        image.permissions.clear();
        Ok(())
    })?;
    Ok(done())
}

/// EnableImage.
pub fn enable(call: &Call<'_>) -> Result<Xml, Error> {
    change(call, |image| {
        if image.state != ImageState::Disabled {
            return Err(wrong_state(image));
        }
        image.state = ImageState::Available;
        Ok(())
    })?;
    Ok(done())
}

fn wrong_state(image: &Image) -> Error {
    Error::new("IncorrectState", format!("The image {} is in the '{}' state", image.id, image.state.name()))
}

fn change(call: &Call<'_>, edit: impl FnOnce(&mut Image) -> Result<(), Error>) -> Result<(), Error> {
    let id = call.params.need("ImageId")?;
    call.update(|region| edit(own(call, region, id)?))
}

/// DeregisterImage: also a pending one (which cancels a copy). Snapshots stay unless asked for, and unless another image uses them.
pub fn deregister(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("ImageId")?;
    let with_snapshots = call.params.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    let results = call.update(|region| {
        let image = own(call, region, id)?;
        if image.protection != Protection::Off {
            let text = format!(
                "The AMI {id} is protected from being deregistered. Disable its deregistration protection first."
            );
            return Err(Error::new("OperationNotPermitted", text));
        }
        let Some(image) = region.images.remove(id) else { return Ok(Vec::new()) };
        let mut results = Vec::new();
        for snapshot_id in image.snapshot_ids().filter(|_| with_snapshots) {
            let is_free = snapshot::in_use(region, snapshot_id).is_none();
            if is_free {
                snapshot::remove(region, snapshot_id);
            }
            results.push((snapshot_id.to_owned(), if is_free { "success" } else { "skipped" }));
        }
        Ok(results)
    })?;
    let mut xml = done();
    if with_snapshots {
        xml.list("deleteSnapshotResultSet", results, |xml, (id, code)| {
            xml.text("snapshotId", id).text("returnCode", code);
        });
    }
    Ok(xml)
}
