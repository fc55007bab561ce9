//! One signed POST, for services of which Kiln makes too few calls to carry their SDK.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::config::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::web::{self, Answer, Request, Trust};

use super::clients::Aws;
use super::error::{Error, Kind, NO_CREDENTIALS, kind_of_connection};

/// How long one call may take; the services answer within a second or not at all.
const LIMIT: Duration = Duration::from_secs(30);

/// What is sent.
pub(super) struct Post<'a> {
    /// The service's name in signatures.
    pub service: &'a str,
    /// The region in signatures.
    pub region: &'a str,
    /// Where to.
    pub url: &'a str,
    /// Headers by name.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: String,
}

impl Post<'_> {
    /// Signs and sends it, once. Any answer at all is a success here; errors name `operation` and `subject`.
    pub async fn send(self, aws: &Aws, operation: &'static str, subject: &str) -> Result<Answer, Error> {
        let failed = |kind, message: String| Error::new(operation, subject, kind, message);
        let identity = identity(aws).await.map_err(|message| failed(Kind::Denied, message))?;
        let signature = self
            .signature(&identity)
            .map_err(|error| failed(Kind::Invalid, format!("sign the request to {}: {error}", self.url)))?;
        let headers: Vec<(String, String)> =
            self.headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).chain(signature).collect();
        let (url, body) = (self.url.to_owned(), self.body);
        let trust = Trust { check: aws.access().certificates, ..Trust::default() };
        let sent = tokio::task::spawn_blocking(move || {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let (method, body) = ("POST", body.as_bytes());
            web::send(&Request { method, url: &url, headers, body, limit: Some(LIMIT), trust })
        });
        let answer = sent.await.map_err(|error| failed(Kind::NoReply, error.to_string()))?;
        answer.map_err(|error| failed(kind_of_connection(&error.to_string()), error.to_string()))
    }

    /// The headers that sign it.
    fn signature(
        &self,
        identity: &Identity,
    ) -> Result<Vec<(String, String)>, Box<dyn std::error::Error + Send + Sync>> {
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let body = SignableBody::Bytes(self.body.as_bytes());
        let request = SignableRequest::new("POST", self.url, self.headers.iter().copied(), body)?;
        let (instructions, _) = sign(request, &params.into())?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

async fn identity(aws: &Aws) -> Result<Identity, String> {
    let provider = aws.config().credentials_provider().ok_or(NO_CREDENTIALS)?;
    let credentials = provider.provide_credentials().await.map_err(|_| NO_CREDENTIALS)?;
    Ok(credentials.into())
}
