//! What decides which account, region and endpoint calls go to, as plain data: from the template and from the command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::secret::{Secret, in_the_open};
pub use crate::web::Check;

/// The access options of a template (packer-amazon.md section 1.1), resolved no further. Written out it holds its secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Region; the SDK's own resolution applies when there is none.
    pub region: Option<String>,
    /// Shared-config profile.
    pub profile: Option<String>,
    /// Static credentials.
    pub keys: Option<Keys>,
    /// A credentials file to use instead of the default one.
    pub credentials_file: Option<String>,
    /// Base URL for EC2, for every regional client.
    pub ec2_endpoint: Option<String>,
    /// Attempts per call, the first one included.
    pub attempts: Option<u32>,
    /// Role to assume on top of the credentials.
    pub role: Option<Role>,
    /// Whether this machine's own metadata service may give credentials.
    pub metadata: Metadata,
    /// Whether the credentials are checked with STS before anything else.
    pub validation: Validation,
    /// Whether the certificates of endpoints are checked.
    pub certificates: Check,
    /// What is done with refusals that only STS can read.
    pub denials: Denials,
}

/// Static credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    #[serde(with = "in_the_open")]
    pub secret: Secret<String>,
    /// Session token; empty when there is none.
    #[serde(with = "in_the_open")]
    pub token: Secret<String>,
}

/// A role to assume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// External id, when the role's trust policy wants one.
    pub external_id: Option<String>,
    /// Session name.
    pub session_name: Option<String>,
    /// Session length in seconds.
    pub seconds: Option<u64>,
    /// Policy that restricts the session, as JSON.
    pub policy: Option<String>,
    /// Managed policies that restrict the session, by ARN.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
}

/// Whether the metadata service of the machine that Kiln runs on is asked for credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metadata {
    /// It is, after everything else.
    #[default]
    Ask,
    /// It is not (`skip_metadata_api_check`).
    Skip,
}

/// Whether `sts:GetCallerIdentity` is called first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validation {
    /// It is.
    #[default]
    Check,
    /// It is not (`skip_credential_validation`).
    Skip,
}

/// What is done with the encoded part of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denials {
    /// It is shown as it is.
    #[default]
    AsTheyAre,
    /// STS is asked to decode it (`decode_authorization_messages`).
    Decode,
}

/// Local EC2, when the run rehearses on it: it takes the place of every AWS service.
#[derive(Clone, Debug)]
pub struct LocalEndpoint {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Its state directory, which the journal records.
    pub directory: String,
}
