//! `amazon-ami`: finds an image.

use async_trait::async_trait;

use crate::aws::image_filter;
use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::{Type, Value};
use crate::sources::World;
use crate::sources::options::access::AccessOptions;
use crate::sources::options::filters::ImageFilter;
use crate::sources::options::take;

use super::{DataSource, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "amazon-ami",
    prepare,
    output,
    schema: || vec![schemars::schema_for!(AccessOptions), schemars::schema_for!(ImageFilter)],
};

fn output() -> Type {
    let texts = ["id", "name", "creation_date", "owner", "owner_name"].map(|name| (name, Type::String));
    Type::object(texts.into_iter().chain([("tags", Type::map(Type::String))]))
}

struct AmazonAmi {
    access: AccessOptions,
    filter: ImageFilter,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn DataSource>, Diagnostics> {
    let mut rest = body.clone();
    let access = take::<AccessOptions>(&mut rest)?;
    let filter = decode::<ImageFilter>(&rest)?;
    let mut problems = access.problems();
    if filter.owners.is_empty() {
        if filter.filters.is_empty() {
            problems.push("The `filters` must be specified".to_owned());
        }
        problems.push("For security reasons, you must declare an owner.".to_owned());
    }
    if problems.is_empty() {
        return Ok(Box::new(AmazonAmi { access, filter }));
    }
    Err(body.refused(&problems))
}

#[async_trait(?Send)]
impl DataSource for AmazonAmi {
    async fn read(&self, world: &World) -> Result<Value, Cause> {
        let aws = world.aws(&self.access.access()).await?;
        let image = image_filter::find(&aws.ec2(), &self.filter.wanted(None)).await?;
        let texts = [
            ("id", image.id),
            ("name", image.name),
            ("creation_date", image.created),
            ("owner", image.owner),
            ("owner_name", image.owner_alias),
        ];
        let tags = image.tags.into_iter().map(|(key, value)| (key, Value::string(value))).collect();
        let mut all: std::collections::BTreeMap<String, Value> =
            texts.into_iter().map(|(name, text)| (name.to_owned(), Value::string(text))).collect();
        all.insert("tags".into(), Value::map(Type::String, tags));
        Ok(Value::object(all))
    }
}
