//! Filters as templates give them: a map whose values are CSV records, or repeated blocks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::image_filter::{Deprecated, Several, Wanted};
use crate::aws::network::Filters;

/// One filter as a block.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Filter {
    /// Name of the filter, as the EC2 API has it: `tag:Name` for one.
    pub name: String,
    /// Value that matches; several are separated by commas, and `*` stands for anything.
    pub value: String,
}

/// Finds one image by its owners and properties.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImageFilter {
    /// Filters by their names in the EC2 API (DescribeImages): `name`, `virtualization-type` and so on. Several values of one are separated by commas, and `*` stands for anything.
    pub filters: BTreeMap<String, String>,
    /// Accounts whose images count, by their ids, or `self`, `amazon`, `aws-marketplace`. Required.
    pub owners: Vec<String>,
    /// Takes the newest image when several match; otherwise several are an error. Default: `false`.
    pub most_recent: bool,
    /// Whether images count that their owner has deprecated. Default: `false`.
    pub include_deprecated: bool,
}

impl ImageFilter {
    /// As the AWS layer takes it, with an image id that the template may name besides.
    pub fn wanted(&self, id: Option<String>) -> Wanted {
        Wanted {
            id,
            filters: filters(&self.filters, &[]),
            owners: self.owners.clone(),
            several: if self.most_recent { Several::Newest } else { Several::Refuse },
            deprecated: if self.include_deprecated { Deprecated::Include } else { Deprecated::Leave },
        }
    }
}

/// Map and blocks together.
pub fn filters(map: &BTreeMap<String, String>, blocks: &[Filter]) -> Filters {
    let pairs = map.iter().map(|(name, value)| (name.clone(), values(value)));
    pairs.chain(blocks.iter().map(|filter| (filter.name.clone(), values(&filter.value)))).collect()
}

/// The values of one CSV record: separated by commas, blanks before a value dropped, quotes around one with commas.
fn values(record: &str) -> Vec<String> {
    let (mut values, mut value, mut quoted) = (Vec::new(), String::new(), false);
    for letter in record.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(std::mem::take(&mut value)),
            ' ' if value.is_empty() && !quoted => {}
            other => value.push(other),
        }
    }
    values.push(value);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_csv_records() {
        assert_eq!(values("a,b"), ["a", "b"]);
        assert_eq!(values("x86_64, arm64"), ["x86_64", "arm64"]);
        assert_eq!(values(r#""a,b",c d"#), ["a,b", "c d"]);
        assert_eq!(values("ubuntu/images/*"), ["ubuntu/images/*"]);
    }
}
