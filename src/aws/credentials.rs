//! The usual sources of credentials but the metadata service of this machine: a build server on EC2 need not lend its own role.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::access::Access;

/// In the order in which the SDK asks them: environment, profile, web identity, container.
pub fn without_metadata(access: &Access, http: &SharedHttpClient) -> CredentialsProviderChain {
    let config = ProviderConfig::default().with_http_client(http.clone());
    let mut profile = ProfileFileCredentialsProvider::builder().configure(&config);
    if let Some(name) = &access.profile {
        profile = profile.profile_name(name);
    }
    let web = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
    CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", profile.build())
        .or_else("WebIdentityToken", web)
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&config).build())
}
