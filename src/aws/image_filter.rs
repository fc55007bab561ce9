//! Finding images: the source image of a build, and `data "amazon-ami"`.

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::image::Image;
use super::network::{Filters, sdk_filters};
use super::repeat::look;
use super::retry::Age;

/// Which image is wanted (packer-amazon.md section 2.2 step 2).
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// An id, when the template names one.
    pub id: Option<String>,
    /// Filters by name.
    pub filters: Filters,
    /// Owners: account ids, `self`, `amazon`, …
    pub owners: Vec<String>,
    /// What to do with several matches.
    pub several: Several,
    /// Whether deprecated images count.
    pub deprecated: Deprecated,
}

/// What to do when several images match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Several {
    /// It is an error.
    #[default]
    Refuse,
    /// The newest one is taken (`most_recent`).
    Newest,
}

/// Whether deprecated images count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deprecated {
    /// They do not.
    #[default]
    Leave,
    /// They do (`include_deprecated`).
    Include,
}

/// The image that is wanted.
pub async fn find(ec2: &Ec2, wanted: &Wanted) -> Result<Image, Error> {
    let mut images = look(ec2, Age::Old, async || describe(ec2, wanted).await).await?;
    match images.len() {
        0 => Err(error(
            wanted,
            Kind::NotFound,
            format!(
                "No AMI was found matching filters: {} (check them, the owners, and that {} is the right region)",
                text(wanted),
                ec2.region
            ),
        )),
        1 => Ok(images.remove(0)),
        _ if wanted.several == Several::Newest => {
            newest(images).ok_or_else(|| error(wanted, Kind::NotFound, "the images found have no creation date".into()))
        }
        n => Err(error(
            wanted,
            Kind::Invalid,
            format!(
                "Your query returned more than one result ({n}). Please try a more specific search, or set most_recent to true."
            ),
        )),
    }
}

/// The newest by creation date, to the second as Packer compares; equal dates by id, so that the choice is the same each time.
fn newest(images: Vec<Image>) -> Option<Image> {
    images.into_iter().max_by_key(|image| {
        let created = image.created.parse::<jiff::Timestamp>().map(|at| at.as_second()).unwrap_or(i64::MIN);
        (created, image.id.clone())
    })
}

async fn describe(ec2: &Ec2, wanted: &Wanted) -> Result<Vec<Image>, Error> {
    let call = ec2
        .client
        .describe_images()
        .set_image_ids(wanted.id.clone().map(|id| vec![id]))
        .set_filters(some(sdk_filters(&wanted.filters)))
        .set_owners(some(wanted.owners.clone()))
        .include_deprecated(wanted.deprecated == Deprecated::Include);
    let mut pages = call.into_paginator().items().send();
    let mut images = Vec::new();
    while let Some(next) = pages.next().await {
        let subject = wanted.id.clone().unwrap_or_default();
        images.push(Image::from_sdk(next.map_err(|e| Error::from_sdk("DescribeImages", &subject, &e))?));
    }
    Ok(images)
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn error(wanted: &Wanted, kind: Kind, message: String) -> Error {
    Error::new("DescribeImages", wanted.id.clone().unwrap_or_default(), kind, message)
}

/// The query as people can read it.
fn text(wanted: &Wanted) -> String {
    let mut parts: Vec<String> =
        wanted.filters.iter().map(|(name, values)| format!("{name} = {}", values.join(" or "))).collect();
    parts.extend(wanted.id.iter().map(|id| format!("image-id = {id}")));
    if !wanted.owners.is_empty() {
        parts.push(format!("owners = {}", wanted.owners.join(" or ")));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_is_by_date_then_id() {
        let image = |id: &str, created: &str| Image { id: id.into(), created: created.into(), ..Image::default() };
        let images = vec![
            image("ami-3", "not a date"),
            image("ami-1", "2026-01-02T00:00:00.900Z"),
            image("ami-2", "2026-01-02T00:00:00.100Z"),
            image("ami-4", "2025-01-02T00:00:00.000Z"),
        ];
        assert_eq!(newest(images).unwrap().id, "ami-2");
    }
}
