//! Images: create, look, wait, release with their snapshots.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, ResourceType, TagSpecification};

use crate::engine::Cause;
use crate::engine::wait::{Probe, WaitError, until};

use super::batch::Batch;
use super::clients::Ec2;
use super::device::{BlockDevice, sdk_devices};
use super::error::{Error, Kind};
use super::repeat::{self, create};
use super::retry::{Age, Call, Verdict, verdict};
use super::snapshot;
use super::tags::{EXPIRES, RUN, Tags, put, specification, take_off};
use super::wait_states::MINUTES;

/// An image as it is now, as far as a bake cares.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `pending`, `available`, `failed`, …
    pub state: String,
    /// Why it is in that state, when EC2 says.
    pub reason: String,
    /// When it was made, as EC2 writes it.
    pub created: String,
    /// Account of its owner.
    pub owner: String,
    /// Alias of its owner (`amazon`), when there is one.
    pub owner_alias: String,
    /// `ebs` or `instance-store`.
    pub root_device_type: String,
    /// `hvm` or `paravirtual`.
    pub virtualization: String,
    /// Its snapshots.
    pub snapshots: Vec<String>,
    /// Whether Windows runs in it.
    pub windows: bool,
    /// Its tags.
    pub tags: Tags,
}

impl Image {
    /// Out of the SDK's form.
    pub fn from_sdk(image: aws_sdk_ec2::types::Image) -> Self {
        let mappings = image.block_device_mappings().iter();
        let snapshots = mappings.filter_map(|mapping| mapping.ebs()?.snapshot_id().map(str::to_owned)).collect();
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Self {
            id: text(image.image_id()),
            name: text(image.name()),
            state: image.state().map(|state| state.to_string()).unwrap_or_default(),
            reason: text(image.state_reason().and_then(|reason| reason.message())),
            created: text(image.creation_date()),
            owner: text(image.owner_id()),
            owner_alias: text(image.image_owner_alias()),
            root_device_type: image.root_device_type().map(|kind| kind.to_string()).unwrap_or_default(),
            virtualization: image.virtualization_type().map(|kind| kind.to_string()).unwrap_or_default(),
            snapshots,
            windows: image.platform().is_some_and(|platform| platform.as_str().eq_ignore_ascii_case("windows")),
            tags: super::tags::from_sdk(image.tags()),
        }
    }
}

/// What to make an image of.
#[derive(Clone, Debug, Default)]
pub struct NewImage {
    /// The stopped instance.
    pub instance: String,
    /// The image's name, unique in the region.
    pub name: String,
    /// Extra or changed block devices.
    pub devices: Vec<BlockDevice>,
    /// Tags of the image, the run's included.
    pub tags: Tags,
    /// Tags of its snapshots, the run's included.
    pub snapshot_tags: Tags,
}

/// Asks for an image and returns its id.
///
/// CreateImage has no client token, so after a lost reply the image is looked for by its name and the run's tag. An endpoint that cannot tag snapshots
/// in the same call (moto answers with an internal error) is asked once more for the image's tags alone; the snapshots are tagged when they are known.
pub async fn create_image(ec2: &Ec2, new: &NewImage) -> Result<String, Error> {
    let both =
        vec![specification(ResourceType::Image, &new.tags), specification(ResourceType::Snapshot, &new.snapshot_tags)];
    let both: Vec<TagSpecification> = both.into_iter().flatten().collect();
    let only_image: Vec<TagSpecification> = specification(ResourceType::Image, &new.tags).into_iter().collect();
    let tags = Cell::new(&both);
    let call = async || {
        let result = request(ec2, new, tags.get().clone()).await;
        if let Err(error) = &result
            && matches!(error.kind, Kind::NoReply | Kind::Unavailable)
            && error.code.is_none()
        {
            tags.set(&only_image);
        }
        result
    };
    create(ec2, async || wait_for_state(&call).await, async || find_own(ec2, new).await).await
}

/// EC2 may refuse for some seconds although the instance has been seen stopped (ec2-api.md 2.0).
async fn wait_for_state(call: &impl AsyncFn() -> Result<String, Error>) -> Result<String, Error> {
    call().await.map_err(|error| {
        let not_yet = error.has_code("InvalidParameterValue") && error.message.contains("Instance is not in state");
        if not_yet { Error { kind: Kind::InUse, ..error } } else { error }
    })
}

async fn request(ec2: &Ec2, new: &NewImage, tags: Vec<TagSpecification>) -> Result<String, Error> {
    let request = ec2
        .client
        .create_image()
        .instance_id(&new.instance)
        .name(&new.name)
        .set_block_device_mappings(sdk_devices(&new.devices))
        .set_tag_specifications((!tags.is_empty()).then_some(tags));
    let made = request.send().await.map_err(|e| Error::from_sdk("CreateImage", &new.name, &e))?;
    let missing = || Error::new("CreateImage", &new.name, Kind::NoReply, "the reply names no image");
    made.image_id.ok_or_else(missing)
}

async fn find_own(ec2: &Ec2, new: &NewImage) -> Result<Option<String>, Error> {
    find(ec2, &new.name, new.tags.get(RUN)).await
}

/// The image of that name in this account that this run made, if there is one.
pub async fn find(ec2: &Ec2, name: &str, run: Option<&String>) -> Result<Option<String>, Error> {
    let images = named(ec2, name).await?;
    let ours = |image: &&Image| run.is_none_or(|run| image.tags.get(RUN) == Some(run));
    Ok(images.iter().find(ours).map(|image| image.id.clone()))
}

/// All images of that name in this account.
pub async fn named(ec2: &Ec2, name: &str) -> Result<Vec<Image>, Error> {
    // `*` and `?` would be wildcards; image names can hold neither.
    let filter = Filter::builder().name("name").values(name).build();
    repeat::look(ec2, Age::Old, async || {
        let found = ec2.client.describe_images().owners("self").filters(filter.clone()).send().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeImages", name, &e))?;
        Ok(found.images.unwrap_or_default().into_iter().map(Image::from_sdk).collect())
    })
    .await
}

/// The batched look at images. It asks by filter, since one unknown id would fail a call by ids.
pub fn batch(client: aws_sdk_ec2::Client) -> Batch<Image> {
    Batch::new(Box::new(move |ids| {
        let client = client.clone();
        Box::pin(async move { describe(&client, ids).await })
    }))
}

async fn describe(client: &aws_sdk_ec2::Client, ids: Vec<String>) -> Result<HashMap<String, Image>, Error> {
    let subject = ids.join(", ");
    let filter = Filter::builder().name("image-id").set_values(Some(ids)).build();
    let found = client.describe_images().owners("self").filters(filter).send().await;
    let found = found.map_err(|e| Error::from_sdk("DescribeImages", &subject, &e))?;
    let images = found.images.unwrap_or_default().into_iter().map(Image::from_sdk);
    Ok(images.map(|image| (image.id.clone(), image)).collect())
}

/// How long an image or a copy may take when the template says nothing. Copies of terabytes take most of a day, and are no failure (ec2-api.md 4.2).
const IMAGE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// An image that was not available in time. It is still being made: giving it up would lose it.
#[derive(Debug, thiserror::Error)]
#[error("image {id} in {region} is still {state} after {} s", limit.as_secs())]
pub struct StillPending {
    id: String,
    region: String,
    state: String,
    limit: Duration,
}

/// Waits until an image is available, at most `limit` (a day when `None`; then the error is [`StillPending`]). `tell` hears the state and how far it is.
pub async fn wait_available(
    ec2: &Ec2,
    id: &str,
    limit: Option<Duration>,
    mut tell: impl FnMut(&str, Option<u8>),
) -> Result<Image, Cause> {
    let started = tokio::time::Instant::now();
    let mut progress = Progress::default();
    let probe = async || {
        let found = seen(ec2, id).await?;
        let probe = judge(id, found, Age::after(started.elapsed()))?;
        Ok::<_, Error>(match probe {
            Judged::Ready(image) => Probe::Ready(image),
            Judged::NotYet(image) => Probe::NotYet(image.state.clone(), progress.of(ec2, &image).await),
        })
    };
    let tell = |state: &str, percent: Option<u8>| {
        let left = percent.and_then(|percent| time_left(started.elapsed(), percent));
        tell(&left.map_or(state.to_owned(), |left| format!("{state}, about {left} left")), percent);
    };
    let limit = limit.unwrap_or(IMAGE_LIMIT);
    until(MINUTES, Some(limit), probe, tell).await.map_err(|error| match error {
        WaitError::Hopeless(error) => error.into(),
        WaitError::TimedOut { last: state, limit } => {
            StillPending { id: id.to_owned(), region: ec2.region.clone(), state, limit }.into()
        }
    })
}

/// An estimate from what was done so far; none before there is enough to go by.
fn time_left(elapsed: Duration, percent: u8) -> Option<String> {
    if !(5..100).contains(&percent) || elapsed < Duration::from_secs(5) {
        return None;
    }
    let left = elapsed.as_secs() * u64::from(100 - percent) / u64::from(percent);
    Some(if left < 60 { format!("{left} s") } else { format!("{} min", left.div_ceil(60)) })
}

enum Judged {
    Ready(Image),
    NotYet(Image),
}

fn judge(id: &str, found: Option<Image>, age: Age) -> Result<Judged, Error> {
    match found {
        Some(image) if image.state == "available" => Ok(Judged::Ready(image)),
        Some(image) if ["failed", "error", "invalid", "deregistered"].contains(&image.state.as_str()) => {
            let text = format!("the image is {}: {}", image.state, image.reason);
            Err(Error::new("DescribeImages", id, Kind::Invalid, text))
        }
        Some(image) => Ok(Judged::NotYet(image)),
        None if verdict(Call::Look, Kind::NotFound, age) == Verdict::Again => {
            Ok(Judged::NotYet(Image { state: "not visible yet".into(), ..Image::default() }))
        }
        None => Err(Error::new("DescribeImages", id, Kind::NotFound, "the image no longer exists")),
    }
}

/// How far an image is. People read it, so it is looked at less often than whether the image is there.
#[derive(Default)]
struct Progress {
    last: Option<(tokio::time::Instant, Option<u8>)>,
}

impl Progress {
    const PAUSE: Duration = Duration::from_secs(3);

    async fn of(&mut self, ec2: &Ec2, image: &Image) -> Option<u8> {
        match self.last {
            Some((at, percent)) if at.elapsed() < Self::PAUSE => percent,
            _ => {
                let percent = snapshot::progress(ec2, &image.snapshots).await;
                self.last = Some((tokio::time::Instant::now(), percent));
                percent
            }
        }
    }
}

/// An image of this account as it is now; `None` when it does not exist (or does not show yet).
async fn seen(ec2: &Ec2, id: &str) -> Result<Option<Image>, Error> {
    repeat::look(ec2, Age::Old, async || ec2.images.look("DescribeImages", id).await).await
}

/// The snapshots of an image; none when it is gone.
pub async fn snapshots(ec2: &Ec2, id: &str) -> Result<Vec<String>, Error> {
    let found = seen(ec2, id).await?;
    Ok(found.map(|image| image.snapshots).unwrap_or_default())
}

/// Takes the lease off an image and its snapshots: it is a product now, which no clean-up by tags touches.
pub async fn keep(ec2: &Ec2, id: &str) -> Result<(), Error> {
    let mut all = snapshots(ec2, id).await?;
    all.push(id.to_owned());
    match take_off(ec2, &all, EXPIRES).await {
        // Policies that were written for Packer allow CreateTags and not DeleteTags. A lease that is no time never ends.
        Err(error) if error.kind == Kind::Denied => {
            put(ec2, &all, &[(EXPIRES.to_owned(), "never".to_owned())].into()).await
        }
        other => other,
    }
}

/// Deregisters an image and deletes its snapshots; what is gone is no error.
///
/// Snapshots outlive their image, and whoever comes after a crash may find the image gone: so they are also found by their descriptions. That finds what
/// EC2 began for an image that never became available, too.
pub async fn release(ec2: &Ec2, id: &str) -> Result<(), Error> {
    let mut all = snapshots(ec2, id).await?;
    deregister(ec2, id, Snapshots::Stay).await?;
    all.extend(snapshot::made_for(ec2, id).await?);
    let others = snapshots_of_others(ec2, id, &all).await?;
    all.sort();
    all.dedup();
    for snapshot in all.iter().filter(|snapshot| !others.contains(snapshot)) {
        snapshot::release(ec2, snapshot).await?;
    }
    Ok(())
}

/// Which of these snapshots another image stands on: an image can be registered once more under another name. All own images are looked at, since not every
/// endpoint can filter by snapshot.
async fn snapshots_of_others(ec2: &Ec2, image: &str, ids: &[String]) -> Result<Vec<String>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    repeat::look(ec2, Age::Old, async || {
        let pages = ec2.client.describe_images().owners("self").into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeImages", &ids.join(", "), &e))?;
        let others = found.into_iter().map(Image::from_sdk).filter(|other| other.id != image);
        let all = others.flat_map(|other| other.snapshots);
        Ok(all.filter(|snapshot| ids.contains(snapshot)).collect())
    })
    .await
}

/// What becomes of the snapshots of an image that is deregistered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// They stay.
    Stay,
    /// They go in the same call, where the endpoint knows how, unless another image stands on them.
    Go,
}

/// Deregisters an image; one that is gone is no error.
pub async fn deregister(ec2: &Ec2, id: &str, snapshots: Snapshots) -> Result<(), Error> {
    let with_snapshots = (snapshots == Snapshots::Go).then_some(true);
    repeat::release(ec2, Age::Old, async || {
        let call = ec2.client.deregister_image().image_id(id);
        let call = call.set_delete_associated_snapshots(with_snapshots).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("DeregisterImage", id, &e))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_estimated_from_what_is_done() {
        let left = |seconds, percent| time_left(Duration::from_secs(seconds), percent);
        assert_eq!(left(60, 50).as_deref(), Some("1 min"));
        assert_eq!(left(30, 75).as_deref(), Some("10 s"));
        assert_eq!((left(60, 2), left(2, 50), left(60, 100)), (None, None, None));
    }

    #[test]
    fn a_failed_image_ends_the_wait_with_its_reason() {
        let image = |state: &str| Some(Image { state: state.into(), reason: "no key".into(), ..Image::default() });
        assert!(matches!(judge("ami-1", image("available"), Age::Young), Ok(Judged::Ready(_))));
        assert!(matches!(judge("ami-1", image("pending"), Age::Young), Ok(Judged::NotYet(_))));
        assert!(matches!(judge("ami-1", None, Age::Young), Ok(Judged::NotYet(_))));
        assert!(judge("ami-1", None, Age::Old).is_err());
        let Err(error) = judge("ami-1", image("failed"), Age::Young) else { panic!("a failed image is hopeless") };
        assert!(error.to_string().contains("no key"), "{error}");
    }
}
