//! The artifact of a bake (packer-amazon.md section 3).

use std::collections::BTreeMap;

use crate::artifact::{Artifact, Destroy};
use crate::hcl::Value;

/// The artifact of these images: (region, image id).
pub fn artifact(mut images: Vec<(String, String)>, values: BTreeMap<String, Value>) -> Artifact {
    images.sort();
    let ids: Vec<String> = images.iter().map(|(region, image)| format!("{region}:{image}")).collect();
    let lines: String = images.iter().map(|(region, image)| format!("{region}: {image}\n")).collect();
    Artifact {
        builder_id: "mitchellh.amazonebs".into(),
        id: ids.join(","),
        text: format!("AMIs were created:\n{lines}"),
        files: Vec::new(),
        values,
        destroy: Destroy::Images(images),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_joined() {
        let images = [("us-east-1", "ami-2"), ("eu-west-1", "ami-1")].map(|(r, i)| (r.to_owned(), i.to_owned()));
        let artifact = artifact(images.to_vec(), BTreeMap::new());
        assert_eq!(artifact.id, "eu-west-1:ami-1,us-east-1:ami-2");
        assert_eq!(artifact.text, "AMIs were created:\neu-west-1: ami-1\nus-east-1: ami-2\n");
    }
}
