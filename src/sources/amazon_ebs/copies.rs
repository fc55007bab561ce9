//! Where copies of the image are made, with which encryption, and what is wrong with the options that say so.

use super::options::Options;

impl Options {
    /// Whether the image that is made of the instance only serves to be copied: it goes when its copies are there.
    pub fn is_intermediate(&self) -> bool {
        self.encrypt_boot == Some(true) || self.skip_save_build_region
    }

    /// Regions of copies, each once. The region of the build is one of them where the copy is what encrypts.
    pub fn copy_regions(&self, build_region: &str) -> Vec<String> {
        let mut regions: Vec<String> = self.ami_regions.clone();
        regions.retain(|region| !region.is_empty() && region != build_region);
        if self.encrypt_boot == Some(true) && !self.skip_save_build_region {
            regions.push(build_region.to_owned());
        }
        regions.sort();
        regions.dedup();
        regions
    }

    /// Regions in which there is an image in the end.
    pub fn image_regions(&self, build_region: &str) -> Vec<String> {
        let mut regions = self.copy_regions(build_region);
        if !self.is_intermediate() {
            regions.push(build_region.to_owned());
        }
        regions
    }

    /// The key of the copy in a region; `None` for the region's default one.
    pub fn copy_key(&self, region: &str, build_region: &str) -> Option<String> {
        let own = (region == build_region).then_some(self.kms_key_id.as_ref()).flatten();
        let key = self.region_kms_key_ids.get(region).or(own)?;
        Some(key.clone()).filter(|key| self.encrypt_boot == Some(true) && !key.is_empty())
    }
}

/// What is wrong with them. `build_region` is the one that the template names, if it names one.
pub fn problems(options: &Options, build_region: Option<&str>) -> Vec<String> {
    let mut problems = region_problems(options, build_region);
    let single = options.kms_key_id.as_ref().filter(|key| !key.is_empty());
    let (keys, encrypts) = (&options.region_kms_key_ids, options.encrypt_boot == Some(true));
    let has_none = single.is_none() && keys.is_empty();
    let shares = [&options.ami_users, &options.ami_org_arns, &options.ami_ou_arns].iter().any(|list| !list.is_empty());
    let of_default_key = encrypts && keys.values().any(String::is_empty);
    if shares && encrypts && has_none {
        problems.push("Cannot share AMI encrypted with default KMS key".to_owned());
    }
    if shares && of_default_key {
        problems.push("Cannot share AMI encrypted with default KMS key for other regions".to_owned());
    }
    if !encrypts && !has_none {
        let text = "If you have set either region_kms_key_ids or kms_key_id, encrypt_boot must also be true.";
        problems.push(text.to_owned());
    }
    let all = single.into_iter().chain(keys.values().filter(|key| !key.is_empty()));
    problems.extend(all.filter(|key| !is_key(key)).map(|key| format!("\"{key}\" is not a valid KMS Key Id.")));
    if !options.snapshot_users.is_empty() && encrypts && has_none {
        problems.push("Cannot share snapshot encrypted with default KMS key: set kms_key_id".to_owned());
    }
    if !options.snapshot_users.is_empty() && of_default_key {
        problems.push("Cannot share snapshot encrypted with default KMS key".to_owned());
    }
    problems
}

fn region_problems(options: &Options, build_region: Option<&str>) -> Vec<String> {
    let keys = &options.region_kms_key_ids;
    let is_own = |region: &&String| build_region == Some(region.as_str());
    let unknown = keys.keys().filter(|region| !is_own(region) && !options.ami_regions.contains(region));
    let mut problems: Vec<String> =
        unknown.map(|region| format!("Region {region} is in region_kms_key_ids but not in ami_regions")).collect();
    if !keys.is_empty() {
        let keyless = options.ami_regions.iter().filter(|region| !is_own(region) && !keys.contains_key(*region));
        problems
            .extend(keyless.map(|region| format!("Region {region} is in ami_regions but not in region_kms_key_ids")));
    }
    problems
}

/// Whether a text names a KMS key: an id, a multi-region id, an alias, or the ARN of one of them.
fn is_key(text: &str) -> bool {
    let is_id = |id: &str| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        id.bytes().next().is_some_and(hex) && id.bytes().all(|byte| hex(byte) || byte == b'-')
    };
    let is_id = |id: &str| is_id(id) || id.strip_prefix("mrk-").is_some_and(is_id);
    let is_alias = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
        text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.bytes().all(allowed))
    };
    let Some(arn) = text.strip_prefix("arn:") else { return is_id(text) || is_alias(text) };
    let parts: Vec<&str> = arn.splitn(5, ':').collect();
    let &[partition, "kms", region, account, key] = parts.as_slice() else { return false };
    (partition == "aws" || partition.starts_with("aws-"))
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && (is_alias(key) || key.strip_prefix("key/").is_some_and(is_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (text, good) in [
            ("abcdef01-2345-6789-abcd-ef0123456789", true),
            ("mrk-abcdef0123456789", true),
            ("alias/a-b/c_d:e", true),
            ("arn:aws:kms:eu-west-1:123456789012:key/mrk-ab", true),
            ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/x", true),
            ("arn:aws:kms:eu-west-1:123:alias/x", false),
            ("arn:aws:ec2:eu-west-1:123456789012:alias/x", false),
            ("ABCDEF01-2345", false),
            ("-abc", false),
            ("mykey", false),
            ("alias/", false),
        ] {
            assert_eq!(is_key(text), good, "{text}");
        }
    }

    #[test]
    fn regions_and_their_keys() {
        let keys = [("eu-west-1", "alias/own"), ("us-east-1", "")].map(|(region, key)| (region.into(), key.into()));
        let options = Options {
            ami_regions: ["us-east-1", "eu-west-1", "us-east-1"].map(str::to_owned).to_vec(),
            encrypt_boot: Some(true),
            kms_key_id: Some("alias/build".into()),
            ..Options::default()
        };
        assert_eq!(options.copy_regions("eu-west-1"), ["eu-west-1", "us-east-1"]);
        let key = |options: &Options, region: &str| options.copy_key(region, "eu-west-1");
        assert_eq!(key(&options, "eu-west-1").as_deref(), Some("alias/build"));
        assert_eq!(key(&options, "us-east-1"), None);
        let options = Options { region_kms_key_ids: keys.into(), skip_save_build_region: true, ..options };
        assert_eq!(key(&options, "eu-west-1").as_deref(), Some("alias/own"));
        assert_eq!(options.copy_regions("eu-west-1"), ["us-east-1"]);
        let plain = Options { encrypt_boot: None, skip_save_build_region: false, ..options };
        assert_eq!((plain.copy_regions("eu-west-1"), key(&plain, "eu-west-1")), (vec!["us-east-1".to_owned()], None));
        assert_eq!(plain.image_regions("eu-west-1"), ["us-east-1", "eu-west-1"]);
    }
}
