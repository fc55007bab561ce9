//! SDK clients: one configuration per access, one EC2 client per region, made when first asked for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind as ProfileFileKind, EnvConfigFiles as ProfileFiles};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::OnceCell;

use crate::engine::ledger::Place;
use crate::event::Events;

use super::access::{Access, Check, Denials, Keys, LocalEndpoint, Metadata, Role};
use super::batch::Batch;
use super::error::{Error, Kind};
use super::line::Line;
use super::{credentials, image, instance, trusting_http};

/// How long one attempt may take. The SDK itself would wait for ever for an endpoint that accepts and never answers.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take; a little over the SDK's own 3.1 s, for slow proxies.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that is needed to make calls with one set of credentials.
pub struct Aws {
    config: SdkConfig,
    access: Access,
    local: Option<LocalEndpoint>,
    region: String,
    line: Arc<Line>,
    regions: Mutex<HashMap<String, Arc<Ec2>>>,
    /// The account, when it was asked for.
    pub(super) account: OnceCell<String>,
}

/// EC2 in one region.
pub struct Ec2 {
    /// The SDK's client.
    pub client: aws_sdk_ec2::Client,
    /// The region.
    pub region: String,
    /// Where what is made here lives, for the journal.
    pub place: Place,
    /// Looks at instances, many in one call.
    pub instances: Batch<instance::Instance>,
    /// Looks at images, many in one call.
    pub images: Batch<image::Image>,
    line: Arc<Line>,
}

impl AsRef<Line> for Aws {
    fn as_ref(&self) -> &Line {
        &self.line
    }
}

impl AsRef<Line> for Ec2 {
    fn as_ref(&self) -> &Line {
        &self.line
    }
}

impl Aws {
    /// Resolves credentials and region. No call is made yet, except those that the credential chain makes when first used. `events` hears of it when
    /// AWS does not answer.
    pub async fn connect(access: Access, local: Option<LocalEndpoint>, events: Option<Events>) -> Result<Self, Error> {
        check_endpoints(std::env::vars_os())?;
        let config = load(&access, local.as_ref()).await;
        let missing = "no region: set `region` in the source, AWS_REGION, or a region in your AWS profile";
        let region = match config.region() {
            Some(region) if !region.as_ref().is_empty() => region.to_string(),
            _ => return Err(Error::new("configure AWS access", "", Kind::Invalid, missing)),
        };
        let attempts = access.attempts.filter(|n| *n > 0).or_else(|| attempts_variable(&config));
        let reader = (access.denials == Denials::Decode).then(|| aws_sdk_sts::Client::new(&config));
        let line = Arc::new(Line::new(attempts, events, reader));
        Ok(Self { config, access, local, region, line, regions: Mutex::default(), account: OnceCell::new() })
    }

    /// The region of the access options.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// True when EC2's endpoint is on this machine.
    pub fn is_loopback(&self) -> bool {
        let url = match (&self.local, &self.access.ec2_endpoint) {
            (None, Some(given)) => Some(given.clone()),
            _ => self.endpoint("ec2"),
        };
        let host = url.as_deref().and_then(|url| url.split("://").nth(1)).unwrap_or_default();
        ["127.", "localhost", "[::1]"].iter().any(|prefix| host.starts_with(prefix))
    }

    /// The endpoint that local EC2 or the user's AWS configuration gives a service; `None`: the public one.
    pub fn endpoint(&self, service_id: &str) -> Option<String> {
        match &self.local {
            Some(local) => Some(local.url.clone()),
            None => self.config.service_config().and_then(|config| endpoint_variable(config, service_id)),
        }
    }

    /// The endpoint of EC2 when it is neither AWS's own nor a local EC2 of this process, which has another one each time; else an empty one.
    pub fn remote_endpoint(&self) -> String {
        match (&self.local, &self.access.ec2_endpoint) {
            (Some(_), _) => String::new(),
            (None, Some(given)) => given.clone(),
            (None, None) => self.endpoint("ec2").unwrap_or_default(),
        }
    }

    /// The configuration, for clients of other services.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The access options.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// EC2 in the region of the access options.
    pub fn ec2(&self) -> Arc<Ec2> {
        self.ec2_in(&self.region)
    }

    /// EC2 in any region. A custom endpoint reaches all of them.
    pub fn ec2_in(&self, region: &str) -> Arc<Ec2> {
        let mut regions = self.regions.lock().unwrap_or_else(|e| e.into_inner());
        let make = || Arc::new(self.make_ec2(region));
        regions.entry(region.to_owned()).or_insert_with(make).clone()
    }

    fn make_ec2(&self, region: &str) -> Ec2 {
        let mut builder = aws_sdk_ec2::config::Builder::from(&self.config).region(Region::new(region.to_owned()));
        // What is tried again, and how often, is decided in one place (`retry.rs`).
        builder = builder.retry_config(RetryConfig::disabled());
        if let (Some(url), None) = (&self.access.ec2_endpoint, &self.local) {
            builder = builder.endpoint_url(url);
        }
        let client = aws_sdk_ec2::Client::from_conf(builder.build());
        Ec2 {
            instances: instance::batch(client.clone()),
            images: image::batch(client.clone()),
            client,
            region: region.to_owned(),
            place: self.place(region),
            line: self.line.clone(),
        }
    }

    fn place(&self, region: &str) -> Place {
        Place {
            region: region.to_owned(),
            endpoint: self.access.ec2_endpoint.clone().unwrap_or_default(),
            profile: self.access.profile.clone().unwrap_or_default(),
            local: self.local.as_ref().map(|local| local.directory.clone()).unwrap_or_default(),
        }
    }
}

/// The SDK panics over an empty endpoint, and takes what is no URL for one that does not answer.
fn check_endpoints(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), Error> {
    for (name, value) in variables {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        if name.starts_with("AWS_ENDPOINT_URL") && !value.starts_with("http://") && !value.starts_with("https://") {
            let text = format!(
                "{name} is `{value}`, which is no URL: unset it, or give it one that begins with https:// or http://"
            );
            return Err(Error::new("configure AWS access", "", Kind::Invalid, text));
        }
    }
    Ok(())
}

/// `AWS_ENDPOINT_URL_EC2` and its like, as the SDK itself resolves them.
fn endpoint_variable(config: &dyn aws_types::service_config::LoadServiceConfig, service_id: &str) -> Option<String> {
    variable(config, service_id, "AWS_ENDPOINT_URL", "endpoint_url")
}

/// `AWS_MAX_ATTEMPTS`, or `max_attempts` of the profile.
fn attempts_variable(config: &SdkConfig) -> Option<u32> {
    let config = config.service_config()?;
    variable(config, "EC2", "AWS_MAX_ATTEMPTS", "max_attempts")?.parse().ok().filter(|n| *n > 0)
}

fn variable(
    config: &dyn aws_types::service_config::LoadServiceConfig,
    service_id: &str,
    environment: &str,
    profile: &str,
) -> Option<String> {
    let key = aws_types::service_config::ServiceConfigKey::builder();
    let key = key.service_id(service_id).env(environment).profile(profile).build().ok()?;
    config.load_config(key)
}

async fn load(access: &Access, local: Option<&LocalEndpoint>) -> SdkConfig {
    let http = match access.certificates {
        Check::Full => {
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
        }
        Check::Skip => trusting_http::client(),
    };
    let without_metadata = credentials::without_metadata(access, &http);
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard());
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if access.metadata == Metadata::Skip {
        loader = loader.credentials_provider(without_metadata);
    }
    match local {
        Some(local) => load_local(loader, access, local).await,
        None => with_role(with_keys(loader, access).await.load().await, access).await,
    }
}

/// Local EC2 takes any key. The template's own keys are used, since they choose the account there; the user's real ones never are.
async fn load_local(loader: ConfigLoader, access: &Access, local: &LocalEndpoint) -> SdkConfig {
    let (id, secret) = match &access.keys {
        Some(keys) => (keys.id.clone(), keys.secret.reveal().clone()),
        None => ("local".to_owned(), "local".to_owned()),
    };
    let loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "local EC2"));
    let region = access.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    loader.region(Region::new(region)).endpoint_url(&local.url).load().await
}

async fn with_keys(loader: ConfigLoader, access: &Access) -> ConfigLoader {
    if let Some(Keys { id, secret, token }) = &access.keys {
        let token = Some(token.reveal().clone()).filter(|token| !token.is_empty());
        return loader.credentials_provider(Credentials::new(id, secret.reveal(), token, None, "template"));
    }
    let Some(file) = &access.credentials_file else { return loader };
    // Handed over as a credentials file, so that every profile in it works (Packer takes it for a config file).
    let files =
        ProfileFiles::builder().include_default_config_file(true).with_file(ProfileFileKind::Credentials, file).build();
    loader.profile_files(files)
}

async fn with_role(config: SdkConfig, access: &Access) -> SdkConfig {
    let Some(Role { arn, external_id, session_name, seconds, policy, policy_arns, tags }) = &access.role else {
        return config;
    };
    let mut builder = aws_config::sts::AssumeRoleProvider::builder(arn)
        .session_name(session_name.clone().unwrap_or_else(|| "kiln".to_owned()))
        .session_length(Duration::from_secs(seconds.unwrap_or(900)))
        .configure(&config);
    if let Some(id) = external_id {
        builder = builder.external_id(id);
    }
    if let Some(policy) = policy {
        builder = builder.policy(policy);
    }
    if !policy_arns.is_empty() {
        builder = builder.policy_arns(policy_arns.clone());
    }
    if !tags.is_empty() {
        builder = builder.tags(tags);
    }
    let provider = builder.build().await;
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_url_is_named() {
        let check = |name: &str, value: &str| check_endpoints([(name.into(), value.into())].into_iter());
        for (name, value) in [("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_EC2", "localhost:4566")] {
            assert!(check(name, value).unwrap_err().to_string().contains(name));
        }
        assert!(check("AWS_ENDPOINT_URL", "http://127.0.0.1:4566").is_ok() && check("OTHER", "").is_ok());
    }
}
