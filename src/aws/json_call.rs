//! One signed JSON call, for services of which Kiln makes too few calls to carry their SDK: Secrets Manager and Systems Manager.

use serde_json::Value as Json;

use super::clients::Aws;
use super::error::{Error, Kind, kind_of_code};
use super::repeat::look;
use super::retry::Age;
use super::signed_call::Post;

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
    let url = aws.endpoint(service.id).unwrap_or_else(|| public_endpoint(service.name, aws.region()));
    let target = format!("{}.{operation}", service.target);
    let own = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let post = Post { service: service.name, region: aws.region(), url: &url, headers: &own, body: input.to_string() };
    let answer = post.send(aws, operation, subject).await?;
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
