//! Access to AWS, as templates give it (packer-amazon.md section 1.1).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::access::{Access, Check, Denials, Keys, Metadata, Role, Validation};
use crate::secret::Secret;

/// Access to AWS: which account, region and endpoint calls go to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccessOptions {
    /// Region to work in, `eu-central-1` for one. Default: the one of the environment (`AWS_REGION`) or of your AWS profile.
    pub region: Option<String>,
    /// Access key id; only together with `secret_key`. Default: the usual AWS sources, in their order.
    access_key: Option<String>,
    /// Secret access key; only together with `access_key`. Masked in output.
    secret_key: Option<String>,
    /// Session token that belongs to temporary keys. Masked in output.
    token: Option<String>,
    /// Profile of your AWS configuration to take keys and region from. Default: `AWS_PROFILE`, or the default profile.
    profile: Option<String>,
    /// A credentials file to use. Default: `~/.aws/credentials`.
    shared_credentials_file: Option<String>,
    /// Base URL of the EC2 API, for endpoints that are not AWS's own; used for every region.
    custom_endpoint_ec2: Option<String>,
    /// How many times an API call is tried in all as long as nothing has been made. Default: `AWS_MAX_ATTEMPTS`, or as often as is possible within 20
    /// seconds when AWS does not answer and within 5 minutes when it is busy. Once something has been made the number does not count: giving up a build
    /// costs more than a wait.
    max_retries: Option<u32>,
    /// Does not check the certificates of AWS's endpoints, for proxies that put their own in the way. Everybody on the way can then read and change what
    /// is sent. Default: `false`.
    insecure_skip_tls_verify: bool,
    /// Asks STS what a refusal means whose text is encoded; the credentials must be allowed `sts:DecodeAuthorizationMessage`. Default: `false`.
    decode_authorization_messages: bool,
    /// A role to assume with the credentials; all calls are made as that role.
    assume_role: Option<AssumeRole>,
    /// Does not ask STS first whether the credentials are valid. Default: `false`.
    skip_credential_validation: bool,
    /// Does not ask the metadata service of the machine that Kiln runs on for credentials.
    skip_metadata_api_check: bool,
}

/// A role to assume.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AssumeRole {
    /// ARN of the role; without one nothing is assumed.
    role_arn: String,
    /// Length of the session in seconds. Default: 900.
    duration_seconds: Option<u64>,
    /// External id, if the role's trust policy wants one.
    external_id: Option<String>,
    /// Name of the session, as it shows in CloudTrail. Default: made up.
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
        let token = Secret::new(self.token.clone().unwrap_or_default());
        let keys = given(&self.access_key).zip(given(&self.secret_key));
        Access {
            region: given(&self.region),
            profile: given(&self.profile),
            keys: keys.map(|(id, secret)| Keys { id, secret: Secret::new(secret), token }),
            credentials_file: given(&self.shared_credentials_file),
            ec2_endpoint: given(&self.custom_endpoint_ec2),
            attempts: self.max_retries,
            role: self.assume_role.as_ref().filter(|role| !role.role_arn.is_empty()).map(AssumeRole::role),
            metadata: if self.skip_metadata_api_check { Metadata::Skip } else { Metadata::Ask },
            certificates: if self.insecure_skip_tls_verify { Check::Skip } else { Check::Full },
            denials: if self.decode_authorization_messages { Denials::Decode } else { Denials::AsTheyAre },
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
