//! DescribeInstanceImageMetadata: which images instances were launched from.

use super::view;
use crate::local_ec2::api::filter::Filters;
use crate::local_ec2::api::{Call, Kind, image, page, tags};
use crate::local_ec2::state::Instance;
use crate::local_ec2::wire::{Error, Xml};

/// DescribeInstanceImageMetadata.
pub fn describe_image_metadata(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 6] =
        ["availability-zone", "instance-id", "image-id", "instance-state-name", "instance-type", "owner-id"];
    let filters = Filters::read(call.params, &KNOWN)?;
    let ids = call.params.list("InstanceId");
    let region = call.read()?;
    Kind::Instance.check(&ids, |id| region.instances.contains_key(id))?;
    let found = region.instances.values().filter(|instance| {
        (ids.is_empty() || ids.contains(&instance.id))
            && filters.pass(&instance.tags, |name| {
                vec![match name {
                    "availability-zone" => instance.zone.clone(),
                    "instance-id" => instance.id.clone(),
                    "image-id" => instance.origin.image_id.clone(),
                    "instance-state-name" => instance.state.name().to_owned(),
                    "instance-type" => instance.instance_type.clone(),
                    _ => call.scope.account.clone(),
                }]
            })
    });
    let page = page::cut(call, found.collect(), page::USUAL, |i: &&Instance| i.id.clone())?;
    let mut answers = Vec::new();
    for instance in &page.items {
        answers.push((instance, image::find(call, &region, &instance.origin.image_id)?.map(|(image, _)| image)));
    }
    let mut xml = Xml::new();
    xml.list("instanceImageMetadataSet", answers, |xml, (instance, image)| {
        xml.text("instanceId", &instance.id).text("instanceType", &instance.instance_type);
        xml.text("launchTime", instance.launched).text("availabilityZone", &instance.zone);
        view::write_state(xml, "instanceState", instance.state);
        xml.text("instanceOwnerId", &call.scope.account);
        tags::write(xml, &instance.tags);
        xml.node("imageMetadata", |xml| {
            xml.text("imageId", &instance.origin.image_id);
            // Of an image that is gone only the id is left.
            if let Some(image) = &image {
                xml.text("name", &image.name).text("imageOwnerId", &image.owner);
                xml.text("imageState", image.state.name()).some("imageOwnerAlias", image.owner_alias.as_ref());
                xml.text("creationDate", image.created).some("deprecationTime", image.deprecate_at);
                xml.text("isPublic", image.is_public());
            }
        });
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}
