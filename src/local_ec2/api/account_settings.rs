//! Settings of an account in a region: encryption by default, and whether images and snapshots may be public.

use super::Call;
use super::encryption::{self, AWS_KEY};
use crate::local_ec2::wire::{Error, Xml};

fn said(name: &str, value: impl std::fmt::Display) -> Xml {
    let mut xml = Xml::new();
    xml.text(name, value);
    xml
}

/// GetEbsEncryptionByDefault.
pub fn encryption_by_default(call: &Call<'_>) -> Result<Xml, Error> {
    let mut xml = said("ebsEncryptionByDefault", call.read()?.settings.encrypt_by_default);
    xml.text("sseType", "none");
    Ok(xml)
}

/// EnableEbsEncryptionByDefault.
pub fn enable_encryption(call: &Call<'_>) -> Result<Xml, Error> {
    set_encryption(call, true)
}

/// DisableEbsEncryptionByDefault.
pub fn disable_encryption(call: &Call<'_>) -> Result<Xml, Error> {
    set_encryption(call, false)
}

fn set_encryption(call: &Call<'_>, on: bool) -> Result<Xml, Error> {
    call.update(|region| {
        region.settings.encrypt_by_default = on;
        Ok(said("ebsEncryptionByDefault", on))
    })
}

/// GetEbsDefaultKmsKeyId.
pub fn default_key(call: &Call<'_>) -> Result<Xml, Error> {
    Ok(said("kmsKeyId", encryption::default_key(&call.read()?)))
}

/// ModifyEbsDefaultKmsKeyId.
pub fn set_default_key(call: &Call<'_>) -> Result<Xml, Error> {
    let key = call.params.need("KmsKeyId")?;
    if let Some(problem) = encryption::problem(call, key) {
        return Err(Error::value(problem));
    }
    call.update(|region| {
        region.settings.default_key = Some(key.to_owned());
        Ok(said("kmsKeyId", key))
    })
}

/// ResetEbsDefaultKmsKeyId.
pub fn reset_default_key(call: &Call<'_>) -> Result<Xml, Error> {
    call.update(|region| {
        region.settings.default_key = None;
        Ok(said("kmsKeyId", AWS_KEY))
    })
}

const UNBLOCKED: &str = "unblocked";

/// GetImageBlockPublicAccessState.
pub fn image_block(call: &Call<'_>) -> Result<Xml, Error> {
    let state = call.read()?.settings.image_block;
    let mut xml = said("imageBlockPublicAccessState", state.as_deref().unwrap_or(UNBLOCKED));
    xml.text("managedBy", "account");
    Ok(xml)
}

/// EnableImageBlockPublicAccess.
pub fn enable_image_block(call: &Call<'_>) -> Result<Xml, Error> {
    let state = one_of(call, "ImageBlockPublicAccessState", &["block-new-sharing"])?;
    call.update(|region| {
        region.settings.image_block = Some(state.clone());
        Ok(said("imageBlockPublicAccessState", state))
    })
}

/// DisableImageBlockPublicAccess.
pub fn disable_image_block(call: &Call<'_>) -> Result<Xml, Error> {
    call.update(|region| {
        region.settings.image_block = None;
        Ok(said("imageBlockPublicAccessState", UNBLOCKED))
    })
}

/// GetSnapshotBlockPublicAccessState.
pub fn snapshot_block(call: &Call<'_>) -> Result<Xml, Error> {
    let state = call.read()?.settings.snapshot_block;
    let mut xml = said("state", state.as_deref().unwrap_or(UNBLOCKED));
    xml.text("managedBy", "account");
    Ok(xml)
}

/// EnableSnapshotBlockPublicAccess.
pub fn enable_snapshot_block(call: &Call<'_>) -> Result<Xml, Error> {
    let state = one_of(call, "State", &["block-all-sharing", "block-new-sharing"])?;
    call.update(|region| {
        region.settings.snapshot_block = Some(state.clone());
        Ok(said("state", state))
    })
}

/// DisableSnapshotBlockPublicAccess.
pub fn disable_snapshot_block(call: &Call<'_>) -> Result<Xml, Error> {
    call.update(|region| {
        region.settings.snapshot_block = None;
        Ok(said("state", UNBLOCKED))
    })
}

fn one_of(call: &Call<'_>, name: &str, legal: &[&str]) -> Result<String, Error> {
    let value = call.params.need(name)?;
    if legal.contains(&value) {
        return Ok(value.to_owned());
    }
    Err(Error::value(format!("Value ({value}) for parameter {name} is invalid.")))
}

/// GetSerialConsoleAccessStatus: there is none here.
pub fn serial_console(_: &Call<'_>) -> Result<Xml, Error> {
    let mut xml = said("serialConsoleAccessEnabled", false);
    xml.text("managedBy", "account");
    Ok(xml)
}

/// What is said to sharing with everybody while that is blocked.
pub fn blocked(what: &str) -> Error {
    let text = format!(
        "You can't publicly share this {what} because block public access is enabled for this account and Region."
    );
    Error::new("OperationNotPermitted", text)
}

/// ListImagesInRecycleBin: without rules that keep images there, nothing gets there.
pub fn recycle_bin(_: &Call<'_>) -> Result<Xml, Error> {
    let mut xml = Xml::new();
    xml.list("imageSet", std::iter::empty::<()>(), |_, ()| {});
    Ok(xml)
}
