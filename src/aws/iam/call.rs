//! Calls of IAM: parameters as a form, answers in XML of a known, flat shape.

use crate::aws::clients::Aws;
use crate::aws::error::{Error, Kind, kind_of_code};
use crate::aws::signed_call::Post;
use crate::aws::tags::Tags;

/// Version of the API.
const VERSION: &str = "2010-05-08";

/// Makes one call and returns the answer's XML. `subject` names what it is about.
pub async fn call(
    aws: &Aws,
    action: &'static str,
    subject: &str,
    params: &[(String, String)],
) -> Result<String, Error> {
    let own = [("Action", action), ("Version", VERSION)];
    let given = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs = own.into_iter().chain(given).map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let (url, region) = endpoint(aws);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = pairs.collect::<Vec<_>>().join("&");
    let answer = Post { service: "iam", region, url: &url, headers: &headers, body }.send(aws, action, subject).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.is_success() {
        return Ok(text);
    }
    Err(refusal(action, subject, answer.status, &text))
}

/// IAM belongs to an account: there is one endpoint in each of AWS's partitions.
fn endpoint(aws: &Aws) -> (String, &'static str) {
    let (host, region) = match aws.region() {
        region if region.starts_with("cn-") => ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        region if region.starts_with("us-gov-") => ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
        region if region.starts_with("us-iso-") => ("iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        region if region.starts_with("us-isob-") => ("iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        region if region.starts_with("eusc-") => ("iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        _ => ("iam.amazonaws.com", "us-east-1"),
    };
    (aws.endpoint("IAM").unwrap_or_else(|| format!("https://{host}/")), region)
}

fn refusal(action: &'static str, subject: &str, status: u16, text: &str) -> Error {
    let code = elements(text, "Code").into_iter().next();
    let kind = match &code {
        Some(code) if status < 500 => kind_of_code(code),
        None if status < 500 => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    let message = match (&code, elements(text, "Message").first()) {
        (Some(code), Some(message)) => format!("{code}: {}", message.trim_end_matches('.')),
        (Some(code), None) => code.clone(),
        (None, _) => format!("the endpoint answered with HTTP status {status}"),
    };
    Error { code, ..Error::new(action, subject, kind, message) }
}

/// All but letters, digits and `-._~`, as SigV4 and forms both take it.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The texts of all elements of that name. None of those that are asked for holds one of its own name.
pub fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(open.as_str()).skip(1).filter_map(|rest| Some(unescaped(rest.split(&close).next()?))).collect()
}

fn unescaped(text: &str) -> String {
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    known.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The tags in an answer about one thing.
pub fn tags(xml: &str) -> Tags {
    elements(xml, "Key").into_iter().zip(elements(xml, "Value")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_answers() {
        assert_eq!(encoded("a b=c&\u{e4}~"), "a%20b%3Dc%26%C3%A4~");
        let xml = "<Tags><member><Key>a</Key><Value>1 &lt; 2 &amp;amp;</Value></member><member><Key>b</Key><Value></Value></member></Tags>";
        let expected: Tags = [("a", "1 < 2 &amp;"), ("b", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(tags(xml), expected);
        let error = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role with name x cannot be found.</Message></Error></ErrorResponse>";
        let error = refusal("GetRole", "x", 404, error);
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(error.to_string(), "GetRole x: NoSuchEntity: The role with name x cannot be found");
        assert_eq!(refusal("GetRole", "x", 500, "").kind, Kind::Unavailable);
    }
}
