//! Images: one file per group of calls. Here: which images a caller can see, and the rules of names.

mod attribute;
mod copy;
mod create;
mod lifetime;
mod listing;
mod register;

pub use attribute::{MODIFY_PARAMS, describe_attribute, modify_attribute};
pub use copy::{COPY_PARAMS, copy};
pub use create::create;
pub use lifetime::{
    deregister, disable, disable_deprecation, disable_protection, enable, enable_deprecation, enable_protection,
};
pub use listing::describe;
pub use register::{REGISTER_PARAMS, register};

use std::collections::BTreeMap;

use super::{Call, Kind};
use crate::local_ec2::catalog;
use crate::local_ec2::state::{Content, Image, Moment, Region, Scope, Snapshot, Store};
use crate::local_ec2::wire::Error;

/// The image with this id, if the caller may launch it, and what it boots.
pub fn find(call: &Call<'_>, region: &Region, id: &str) -> Result<Option<(Image, Content)>, Error> {
    if let Some(own) = region.images.get(id) {
        return Ok(Some((own.clone(), region.content_of(own))));
    }
    find_foreign(&call.world.store, &call.scope, id, call.now)
}

/// The same for an image that another account owns: a publisher's, or one that is shared.
pub fn find_foreign(store: &Store, me: &Scope, id: &str, now: Moment) -> Result<Option<(Image, Content)>, Error> {
    if let Some(image) = catalog::images(&me.region).into_iter().find(|image| image.id == id) {
        let content = image.content.clone();
        return Ok(Some((image, content)));
    }
    for scope in store.scopes_in(&me.region)?.into_iter().filter(|scope| scope.account != me.account) {
        let theirs = store.read(&scope, now)?;
        if let Some(image) = theirs.images.get(id).filter(|image| image.is_visible_to(&me.account)) {
            return Ok(Some((foreign(image), theirs.content_of(image))));
        }
    }
    Ok(None)
}

/// The snapshots that an image's mappings name, by id: its owner's, who need not be the caller. A publisher's are not in the state.
pub fn snapshots_of(call: &Call<'_>, region: &Region, image: &Image) -> Result<BTreeMap<String, Snapshot>, Error> {
    let of = |region: &Region| {
        let known = image.snapshot_ids().filter_map(|id| region.snapshots.get(id));
        known.map(|snapshot| (snapshot.id.clone(), snapshot.clone())).collect()
    };
    if image.owner == region.scope.account {
        return Ok(of(region));
    }
    let theirs = Scope { region: region.scope.region.clone(), account: image.owner.clone() };
    Ok(of(&call.world.store.read(&theirs, call.now)?))
}

/// An image as another account than its owner's sees it: tags belong to the account that set them.
fn foreign(image: &Image) -> Image {
    Image { tags: [].into(), ..image.clone() }
}

/// Everything that the caller can see.
fn visible(call: &Call<'_>) -> Result<Vec<Image>, Error> {
    let mut found: Vec<Image> = call.read()?.images.into_values().collect();
    let me = &call.scope;
    for scope in call.world.store.scopes_in(&me.region)?.into_iter().filter(|scope| scope.account != me.account) {
        let theirs = call.world.store.read(&scope, call.now)?;
        found.extend(theirs.images.values().filter(|image| image.is_visible_to(&me.account)).map(foreign));
    }
    found.extend(catalog::images(&me.region));
    Ok(found)
}

/// The caller's own image, to change. Somebody else's is `AuthFailure`, as on EC2.
fn own<'a>(call: &Call<'_>, region: &'a mut Region, id: &str) -> Result<&'a mut Image, Error> {
    Kind::Image.check_shape(id)?;
    if !region.images.contains_key(id) {
        let is_foreign = find_foreign(&call.world.store, &call.scope, id, call.now)?.is_some();
        let denied = || Error::new("AuthFailure", format!("Not authorized for image:{id}"));
        return Err(if is_foreign { denied() } else { Kind::Image.not_found(&[id]) });
    }
    region.images.get_mut(id).ok_or_else(|| Kind::Image.not_found(&[id]))
}

/// Names: 3 to 128 legal characters, and not in use. The text of the second error names the image, by which a lost reply is found.
fn check_name(region: &Region, name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || " ()[]./-'@_".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(legal) {
        let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'";
        return Err(Error::new("InvalidAMIName.Malformed", text));
    }
    match region.images.values().find(|image| image.name == name) {
        None => Ok(()),
        Some(image) => {
            let text = format!("AMI name {name} is already in use by AMI {}", image.id);
            Err(Error::new("InvalidAMIName.Duplicate", text))
        }
    }
}

fn check_description(text: Option<&str>) -> Result<String, Error> {
    let text = text.unwrap_or_default();
    if text.chars().count() <= 255 {
        return Ok(text.to_owned());
    }
    Err(Error::value("Value for parameter description is invalid: at most 255 characters."))
}
