//! Who we are: the one STS call that finds wrong credentials before anything is made.

use aws_sdk_sts::config::retry::RetryConfig;

use super::access::Validation;
use super::clients::Aws;
use super::error::Error;
use super::repeat::look;
use super::retry::Age;

/// Checks the credentials and returns the account id; `None` when the template skips the check.
pub async fn check(aws: &Aws) -> Result<Option<String>, Error> {
    if aws.access().validation == Validation::Skip {
        return Ok(None);
    }
    let config = aws_sdk_sts::config::Builder::from(aws.config()).retry_config(RetryConfig::disabled());
    let client = aws_sdk_sts::Client::from_conf(config.build());
    look(aws, Age::Old, async || {
        let identity = client.get_caller_identity().send().await;
        identity.map(|identity| identity.account).map_err(|e| Error::from_sdk("GetCallerIdentity", "", &e))
    })
    .await
}
