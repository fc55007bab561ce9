//! Who we are: the one STS call that finds wrong credentials before anything is made.

use aws_sdk_sts::config::retry::RetryConfig;

use crate::engine::Cause;
use crate::engine::continuation::Reach;

use super::access::Validation;
use super::clients::Aws;
use super::error::Error;
use super::repeat::look;
use super::retry::Age;

/// Checks the credentials, once, and returns the account id; an empty one when the template skips the check.
pub async fn check(aws: &Aws) -> Result<String, Error> {
    if aws.access().validation == Validation::Skip {
        return Ok(String::new());
    }
    aws.account.get_or_try_init(|| ask(aws)).await.cloned()
}

async fn ask(aws: &Aws) -> Result<String, Error> {
    let config = aws_sdk_sts::config::Builder::from(aws.config()).retry_config(RetryConfig::disabled());
    let client = aws_sdk_sts::Client::from_conf(config.build());
    look(aws, Age::Old, async || {
        let identity = client.get_caller_identity().send().await;
        identity
            .map(|identity| identity.account.unwrap_or_default())
            .map_err(|e| Error::from_sdk("GetCallerIdentity", "", &e))
    })
    .await
}

/// Calls would go elsewhere than to where a run made things. There nothing of it would be found, and all be taken for gone.
#[derive(Debug, thiserror::Error)]
pub enum Elsewhere {
    /// Another account.
    #[error(
        "the credentials are of account {ours}, but the run's things are in account {theirs}: give those of that account (AWS_PROFILE, AWS_ACCESS_KEY_ID) and try again"
    )]
    Account { ours: String, theirs: String },
    /// Another endpoint.
    #[error(
        "calls go to {ours}, but the run's things are at {theirs}: set AWS_ENDPOINT_URL (or unset it) accordingly and try again"
    )]
    Endpoint { ours: String, theirs: String },
    /// Another region.
    #[error(
        "the build's region is {ours} now, but the run's things are in {theirs}: give that region again (in the template, or AWS_REGION), or remove them"
    )]
    Region { ours: String, theirs: String },
}

/// Checks that calls go to the endpoint and the account that the run knew.
pub async fn check_same(aws: &Aws, reach: &Reach) -> Result<(), Cause> {
    let named = |endpoint: &str| if endpoint.is_empty() { "AWS itself" } else { endpoint }.to_owned();
    let endpoint = aws.remote_endpoint();
    if endpoint != reach.endpoint {
        return Err(Elsewhere::Endpoint { ours: named(&endpoint), theirs: named(&reach.endpoint) }.into());
    }
    if reach.account.is_empty() {
        return Ok(());
    }
    let ours = check(aws).await?;
    if ours.is_empty() || ours == reach.account {
        return Ok(());
    }
    Err(Elsewhere::Account { ours, theirs: reach.account.clone() }.into())
}
