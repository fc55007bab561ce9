//! Tags of one build, rendered when the source image is known.

use std::collections::BTreeMap;

use crate::aws::image::Image;
use crate::aws::tags::{Tags, merged, ownership};
use crate::engine::Cause;
use crate::engine::step::Cx;
use crate::hcl::Value;
use crate::plan::legacy::{self, RenderError};
use crate::sources::options::tags::all;

use super::AmazonEbs;
use super::options::Options;

/// All tags of one build.
pub struct BuildTags {
    /// Those by which Kiln finds what it made, under the template's run tags: for everything temporary.
    pub run: Tags,
    /// For the instance's volumes.
    pub volumes: Tags,
    /// For the spot request.
    pub spot: Tags,
    /// For its launch template.
    pub template: Tags,
    /// For the fleet that launches the spot instance.
    pub fleet: Tags,
    /// For the image.
    pub image: Tags,
    /// For its snapshots.
    pub snapshots: Tags,
    /// The template's own image tags, as people read of them.
    pub shown: Tags,
    /// The image's description.
    pub description: Option<String>,
}

/// What templates can name of the source image (packer-amazon.md section 0.5).
pub fn source_values(region: &str, image: &Image) -> BTreeMap<String, Value> {
    let texts = [
        ("BuildRegion", region),
        ("SourceAMI", &image.id),
        ("SourceAMIName", &image.name),
        ("SourceAMICreationDate", &image.created),
        ("SourceAMIOwner", &image.owner),
        ("SourceAMIOwnerName", &image.owner_alias),
    ];
    texts.map(|(name, text)| (name.to_owned(), Value::string(text))).into()
}

impl BuildTags {
    /// Renders the template's tags.
    pub fn render(source: &AmazonEbs, cx: &Cx, region: &str, image: &Image) -> Result<Self, Cause> {
        let options = &source.options;
        let mut values = source_values(region, image);
        let tags = image.tags.iter().map(|(key, value)| (key.clone(), Value::string(value)));
        values.insert("SourceAMITags".into(), Value::object(tags.collect()));
        let renderer = Renderer { name: &source.name, values: &values };
        let ours = ownership(&cx.run, &cx.build, cx.mode.lease);
        let mut run = renderer.tags("run_tags", &all(&options.run_tags, &options.run_tag))?;
        let on_image = if options.skip_ami_run_tags { Tags::new() } else { run.clone() };
        run.entry("Name".into()).or_insert_with(|| "Packer Builder".into());
        let shown = renderer.tags("tags", &all(&options.tags, &options.tag))?;
        let image_tags = merged(&on_image, &shown);
        let own_snapshot = renderer.tags("snapshot_tags", &all(&options.snapshot_tags, &options.snapshot_tag))?;
        let volumes = renderer.tags("run_volume_tags", &volume_tags(options))?;
        let spot = renderer.tags("spot_tags", &all(&options.spot_tags, &options.spot_tag))?;
        let description = options.ami_description.as_deref().filter(|text| !text.is_empty());
        Ok(Self {
            volumes: merged(&volumes, &ours),
            template: merged(&spot, &ours),
            spot,
            fleet: renderer.tags("fleet_tags", &all(&options.fleet_tags, &options.fleet_tag))?,
            snapshots: merged(&merged(&image_tags, &own_snapshot), &ours),
            image: merged(&image_tags, &ours),
            run: merged(&run, &ours),
            shown,
            description: description.map(|text| renderer.text("ami_description", text)).transpose()?,
        })
    }
}

fn volume_tags(options: &Options) -> Tags {
    let mut tags = options.run_volume_tags.clone();
    tags.extend(options.run_volume_tag.iter().map(|tag| (tag.name.clone(), tag.value.clone())));
    tags
}

struct Renderer<'a> {
    name: &'a str,
    values: &'a BTreeMap<String, Value>,
}

impl Renderer<'_> {
    fn text(&self, option: &str, text: &str) -> Result<String, RenderError> {
        let names = legacy::Names { build_name: self.name, build_type: "amazon-ebs" };
        legacy::render(option, text, &names, self.values, &[])
    }

    fn tags(&self, option: &str, tags: &Tags) -> Result<Tags, RenderError> {
        tags.iter().map(|(key, value)| Ok((self.text(option, key)?, self.text(option, value)?))).collect()
    }
}
