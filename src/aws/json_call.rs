//! One signed JSON call, for services of which Kiln makes too few calls to carry their SDK: Secrets Manager and Systems Manager.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::config::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use serde_json::Value as Json;

use crate::web::{self, Request};

use super::clients::Aws;
use super::error::{Error, Kind, NO_CREDENTIALS, kind_of_code};
use super::repeat::look;
use super::retry::Age;

/// How long one call may take; the services answer within a second or not at all.
const LIMIT: Duration = Duration::from_secs(30);

/// A service that speaks JSON 1.1.
pub struct Service {
    /// Its name in endpoints and signatures.
    pub name: &'static str,
    /// Its name before the operation's in `X-Amz-Target`.
    pub target: &'static str,
    /// Its name in the AWS configuration: `AWS_ENDPOINT_URL_<ID>`.
    pub id: &'static str,
}

/// Secrets Manager.
pub const SECRETS_MANAGER: Service =
    Service { name: "secretsmanager", target: "secretsmanager", id: "Secrets Manager" };
/// Systems Manager.
pub const SSM: Service = Service { name: "ssm", target: "AmazonSSM", id: "SSM" };

/// Makes a call that changes nothing; again after throttling and faults of the other side. `subject` names what it is about.
pub async fn call(
    aws: &Aws,
    service: &Service,
    operation: &'static str,
    subject: &str,
    input: &Json,
) -> Result<Json, Error> {
    look(aws, Age::Old, async || call_once(aws, service, operation, subject, input).await).await
}

async fn call_once(
    aws: &Aws,
    service: &Service,
    operation: &'static str,
    subject: &str,
    input: &Json,
) -> Result<Json, Error> {
    let failed = |kind, message: String| Error::new(operation, subject, kind, message);
    let url = aws.endpoint(service.id).unwrap_or_else(|| public_endpoint(service.name, aws.region()));
    let identity = identity(aws).await.map_err(|message| failed(Kind::Denied, message))?;
    let body = input.to_string();
    let target = format!("{}.{operation}", service.target);
    let own = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let signature = signature(&identity, service, aws.region(), (&url, &own, &body))
        .map_err(|error| failed(Kind::Invalid, format!("sign the request to {url}: {error}")))?;
    let headers: Vec<(String, String)> =
        own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).chain(signature).collect();
    let sent = tokio::task::spawn_blocking(move || {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (method, body) = ("POST", body.as_bytes());
        web::send(&Request { method, url: &url, headers, body, limit: Some(LIMIT), ..Request::default() })
    });
    let answer = sent.await.map_err(|error| failed(Kind::NoReply, error.to_string()))?;
    let answer = answer.map_err(|error| failed(Kind::Unreachable, error.to_string()))?;
    let reply: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.is_success() && reply.is_object() {
        return Ok(reply);
    }
    Err(refusal(operation, subject, answer.status, &reply))
}

/// An error reply: its code may be prefixed with a namespace, its text is spelt in two ways.
fn refusal(operation: &'static str, subject: &str, status: u16, reply: &Json) -> Error {
    let text = |name: &str| reply.get(name).and_then(Json::as_str);
    let code = text("__type").map(|code| code.rsplit('#').next().unwrap_or(code).to_owned());
    let kind = match &code {
        Some(code) if status < 500 => kind_of_code(code),
        None if status < 500 => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    let message = match (&code, text("message").or_else(|| text("Message"))) {
        (Some(code), Some(message)) => format!("{code}: {}", message.trim_end_matches('.')),
        (Some(code), None) => code.clone(),
        (None, _) => format!("the endpoint answered with HTTP status {status}"),
    };
    Error { code, ..Error::new(operation, subject, kind, message) }
}

async fn identity(aws: &Aws) -> Result<Identity, String> {
    let provider = aws.config().credentials_provider().ok_or(NO_CREDENTIALS)?;
    let credentials = provider.provide_credentials().await.map_err(|_| NO_CREDENTIALS)?;
    Ok(credentials.into())
}

/// The headers that sign a request.
fn signature(
    identity: &Identity,
    service: &Service,
    region: &str,
    (url, headers, body): (&str, &[(&str, &str)], &str),
) -> Result<Vec<(String, String)>, Box<dyn std::error::Error + Send + Sync>> {
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(service.name)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?;
    let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(request, &params.into())?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Where a service listens in a region; AWS's other partitions have domains of their own.
fn public_endpoint(service: &str, region: &str) -> String {
    let domain = match region {
        _ if region.starts_with("cn-") => "amazonaws.com.cn",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ if region.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("https://{service}.{region}.{domain}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        assert_eq!(public_endpoint("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(public_endpoint("ssm", "cn-north-1"), "https://ssm.cn-north-1.amazonaws.com.cn/");
    }

    #[test]
    fn refusals() {
        let reply = serde_json::json!({"__type": "com.amazonaws.x#ResourceNotFoundException", "Message": "gone"});
        let error = refusal("GetSecretValue", "s", 400, &reply);
        assert_eq!(
            (error.kind, error.to_string().as_str()),
            (Kind::NotFound, "GetSecretValue s: ResourceNotFoundException: gone")
        );
        assert_eq!(refusal("GetParameter", "p", 503, &Json::Null).kind, Kind::Unavailable);
        assert_eq!(refusal("GetParameter", "p", 404, &Json::Null).kind, Kind::Invalid);
    }
}
