//! Encryption by default, the encryption of copies, and which keys can be used.
//!
//! Nothing here is encrypted; the rules are those of EC2, so that a template that asks for a key in the wrong way fails here too.

use super::{Call, kms};
use crate::local_ec2::state::{DiskType, Region};
use crate::local_ec2::wire::{Error, Params};

/// The key that every account has.
pub const AWS_KEY: &str = "alias/aws/ebs";

/// How a copy is encrypted.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    on: Option<bool>,
    key: Option<String>,
}

impl Encryption {
    /// Reads `Encrypted` and `KmsKeyId` of a copy.
    pub fn read(params: &Params) -> Result<Self, Error> {
        let this = Self { on: params.flag("Encrypted")?, key: params.get("KmsKeyId").map(str::to_owned) };
        if this.key.is_some() && this.on != Some(true) {
            let text = "The parameter [KmsKeyId] requires the parameter Encrypted to be set.";
            return Err(Error::new("InvalidParameterDependency", text));
        }
        Ok(this)
    }

    /// A disk as it is in the copy. Keys belong to a region, so a copy to another one gets that one's default key.
    pub fn apply(&self, disk: &DiskType, destination: &Region, is_across: bool) -> Result<DiskType, Error> {
        if disk.encrypted && self.on == Some(false) {
            return Err(Error::value("Unencrypted copies of encrypted snapshots are not allowed"));
        }
        let encrypted = disk.encrypted || self.on == Some(true) || destination.settings.encrypt_by_default;
        let own = disk.kms_key.clone().filter(|key| disk.encrypted && (!is_across || is_multi_region(key)));
        let key = || self.key.clone().or(own).unwrap_or_else(|| default_key(destination));
        Ok(DiskType { encrypted, kms_key: encrypted.then(key), ..disk.clone() })
    }

    /// Why its key cannot be used, if so: keys are looked at only after the call was accepted.
    pub fn problem(&self, call: &Call<'_>) -> Option<String> {
        problem(call, self.key.as_deref()?)
    }
}

/// What the account's settings make of a new disk that asks for nothing.
pub fn by_default(region: &Region, disk: DiskType) -> DiskType {
    let encrypted = disk.encrypted || region.settings.encrypt_by_default;
    let kms_key = encrypted.then(|| disk.kms_key.unwrap_or_else(|| default_key(region)));
    DiskType { encrypted, kms_key, ..disk }
}

/// The region's default key.
pub fn default_key(region: &Region) -> String {
    region.settings.default_key.clone().unwrap_or_else(|| AWS_KEY.to_owned())
}

/// True for the key that cannot be shared: AWS's own.
pub fn is_aws_key(key: Option<&str>) -> bool {
    key.is_none_or(|key| kms::key_id(key) == kms::key_id(AWS_KEY))
}

fn is_multi_region(key: &str) -> bool {
    key.rsplit('/').next().unwrap_or(key).starts_with("mrk-")
}

/// Why a key cannot be used in the call's region, if so.
pub fn problem(call: &Call<'_>, key: &str) -> Option<String> {
    let inaccessible = || Some("Given key ID is not accessible".to_owned());
    let (name, region) = match key.strip_prefix("arn:") {
        None => (key, None),
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            let [_, "kms", region, _, name] = parts[..] else { return invalid(key) };
            (name.strip_prefix("key/").unwrap_or(name), Some(region))
        }
    };
    if !is_key_name(name) {
        return invalid(key);
    }
    if region.is_some_and(|region| region != call.scope.region) {
        return inaccessible();
    }
    let known = &call.world.seeds.kms_keys;
    let wanted = kms::key_id(key);
    let is_known = known.is_empty() || is_aws_key(Some(key)) || known.iter().any(|known| kms::key_id(known) == wanted);
    if is_known { None } else { inaccessible() }
}

fn invalid(key: &str) -> Option<String> {
    Some(format!("The specified keyId {key} is invalid"))
}

/// `alias/…`, a UUID, or `mrk-` and 32 digits.
fn is_key_name(name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if let Some(alias) = name.strip_prefix("alias/") {
        return !alias.is_empty() && alias.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c));
    }
    match name.strip_prefix("mrk-") {
        Some(rest) => rest.len() == 32 && is_hex(rest),
        None => name.len() == 36 && is_hex(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_ec2::state::Scope;

    fn region() -> Region {
        Region::new(Scope { region: "eu-west-1".into(), account: "000000000000".into() })
    }

    #[test]
    fn copies_keep_their_key_inside_a_region_only() {
        let disk = DiskType { encrypted: true, kms_key: Some("alias/mine".into()), ..DiskType::default() };
        let none = Encryption::default();
        let key = |across| none.apply(&disk, &region(), across).unwrap().kms_key;
        assert_eq!((key(false).as_deref(), key(true).as_deref()), (Some("alias/mine"), Some(AWS_KEY)));
        let off = Encryption { on: Some(false), key: None };
        assert_eq!(off.apply(&disk, &region(), false).unwrap_err().code, "InvalidParameterValue");
        assert!(!none.apply(&DiskType::default(), &region(), true).unwrap().encrypted);
        assert_eq!(Encryption::read(&Params::parse("KmsKeyId=x")).unwrap_err().code, "InvalidParameterDependency");
    }

    #[test]
    fn the_account_can_encrypt_everything() {
        let mut region = region();
        assert!(!by_default(&region, DiskType::default()).encrypted);
        region.settings.encrypt_by_default = true;
        region.settings.default_key = Some("alias/ours".into());
        assert_eq!(by_default(&region, DiskType::default()).kms_key.as_deref(), Some("alias/ours"));
    }

    #[test]
    fn keys_have_their_shapes() {
        for (name, ok) in [
            ("alias/aws/ebs", true),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", true),
            ("mrk-0123456789abcdef0123456789abcdef", true),
            ("alias/", false),
            ("my key", false),
        ] {
            assert_eq!(is_key_name(name), ok, "{name}");
        }
    }
}
