//! Access to AWS, as templates give it (packer-amazon.md section 1.1).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::access::{Access, Metadata, Role, Validation};
use crate::secret::Secret;

/// Which account, region and endpoint calls go to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccessOptions {
    /// Region; from the environment or your AWS profile when unset.
    region: Option<String>,
    /// Access key id; only together with `secret_key`. The usual AWS sources are used when unset.
    access_key: Option<String>,
    /// Secret key; only together with `access_key`.
    secret_key: Option<String>,
    /// Session token of temporary keys.
    token: Option<String>,
    /// Profile of your AWS configuration.
    profile: Option<String>,
    /// A credentials file to use instead of `~/.aws/credentials`.
    shared_credentials_file: Option<String>,
    /// Base URL for EC2 in every region.
    custom_endpoint_ec2: Option<String>,
    /// Attempts per API call; 10 when unset.
    max_retries: Option<u32>,
    /// A role to assume on top of the credentials.
    assume_role: Option<AssumeRole>,
    /// Does not check the credentials with STS first.
    skip_credential_validation: bool,
    /// Does not ask the metadata service of the machine that Kiln runs on for credentials.
    skip_metadata_api_check: bool,
}

/// A role to assume.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AssumeRole {
    /// Its ARN; without one nothing is assumed.
    role_arn: String,
    /// Session length in seconds; 900 when unset.
    duration_seconds: Option<u64>,
    /// External id that the role's trust policy wants.
    external_id: Option<String>,
    /// Session name.
    session_name: Option<String>,
    /// Policy that restricts the session, as JSON.
    policy: Option<String>,
    /// Managed policies that restrict the session, by ARN.
    policy_arns: Vec<String>,
    /// Session tags.
    tags: BTreeMap<String, String>,
}

impl AccessOptions {
    /// What is wrong, one text each.
    pub fn problems(&self) -> Vec<String> {
        let half = self.access_key.is_some() != self.secret_key.is_some();
        let text = "`access_key` and `secret_key` must both be either set or not set.";
        half.then(|| text.to_owned()).into_iter().collect()
    }

    /// Texts to mask in output.
    pub fn secrets(&self) -> Vec<String> {
        [&self.secret_key, &self.token].into_iter().flatten().cloned().collect()
    }

    /// As the AWS layer takes it.
    pub fn access(&self) -> Access {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let token = given(&self.token).map(Secret::new);
        let keys = given(&self.access_key).zip(given(&self.secret_key));
        Access {
            region: given(&self.region),
            profile: given(&self.profile),
            keys: keys.map(|(id, secret)| (id, Secret::new(secret), token)),
            credentials_file: given(&self.shared_credentials_file),
            ec2_endpoint: given(&self.custom_endpoint_ec2),
            attempts: self.max_retries,
            role: self.assume_role.as_ref().filter(|role| !role.role_arn.is_empty()).map(AssumeRole::role),
            metadata: if self.skip_metadata_api_check { Metadata::Skip } else { Metadata::Ask },
            validation: if self.skip_credential_validation { Validation::Skip } else { Validation::Check },
        }
    }
}

impl AssumeRole {
    fn role(&self) -> Role {
        Role {
            arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            session_name: self.session_name.clone(),
            seconds: self.duration_seconds,
            policy: self.policy.clone().filter(|policy| !policy.is_empty()),
            policy_arns: self.policy_arns.clone(),
            tags: self.tags.clone(),
        }
    }
}
