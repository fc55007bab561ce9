//! Who we are: the one STS call that finds wrong credentials before anything is made.

use aws_sdk_sts::config::retry::RetryConfig;

use crate::engine::Cause;

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

/// The credentials are of another account than the one in which a run made things.
#[derive(Debug, thiserror::Error)]
#[error(
    "the credentials are of account {ours}, but the run's things are in account {theirs}: give those of that account (AWS_PROFILE, AWS_ACCESS_KEY_ID) and try again"
)]
pub struct OtherAccount {
    ours: String,
    theirs: String,
}

/// Checks that these are credentials of the account that the run knew. In another one nothing of it would be found, and all be taken for gone.
pub async fn check_same(aws: &Aws, theirs: &str) -> Result<(), Cause> {
    if theirs.is_empty() {
        return Ok(());
    }
    let ours = check(aws).await?;
    if ours.is_empty() || ours == theirs {
        return Ok(());
    }
    Err(OtherAccount { ours, theirs: theirs.to_owned() }.into())
}
