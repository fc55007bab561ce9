//! `http`: the answer to one HTTP request.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::{Type, Value};
use crate::sources::World;
use crate::web::{self, Request};

use super::{DataSource, Kind};

/// The kind.
pub const KIND: Kind = Kind { name: "http", prepare, output, schema: || vec![schemars::schema_for!(Options)] };

/// What `method` may be.
const METHODS: [&str; 7] = ["HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

fn output() -> Type {
    Type::object([
        ("url", Type::String),
        ("body", Type::String),
        // Of the answer, whatever the name says: that is what templates get from Packer.
        ("request_headers", Type::map(Type::String)),
    ])
}

/// Asks a web server. `body` is its answer, `request_headers` the answer's headers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The address. Required.
    url: String,
    /// `GET` (default), `HEAD`, `POST`, `PUT`, `DELETE`, `OPTIONS` or `PATCH`.
    method: Option<String>,
    /// Headers of the request by name.
    request_headers: BTreeMap<String, String>,
    /// Body of the request.
    request_body: String,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn DataSource>, Diagnostics> {
    let options = decode::<Options>(body)?;
    let problems = options.problems();
    if problems.is_empty() {
        return Ok(Box::new(options));
    }
    Err(body.refused(&problems))
}

impl Options {
    fn method(&self) -> &str {
        self.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET")
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.url.is_empty() {
            problems.push("the `url` must be specified".to_owned());
        }
        if !METHODS.contains(&self.method()) {
            problems.push(format!("the `method` {:?} is not one of {}", self.method(), METHODS.join(", ")));
        }
        problems
    }
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{method} {url}")]
    Request { method: String, url: String, source: web::Error },
    #[error("HTTP request error. Response code: {status} ({method} {url})")]
    Status { method: String, url: String, status: u16 },
}

#[async_trait(?Send)]
impl DataSource for Options {
    async fn read(&self, _: &World) -> Result<Value, Cause> {
        let (method, url) = (self.method().to_owned(), self.url.clone());
        let (headers, body) = (self.request_headers.clone(), self.request_body.clone());
        let answer = tokio::task::spawn_blocking(move || {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let request = Request { method: &method, url: &url, headers, body: body.as_bytes(), ..Request::default() };
            match web::send(&request) {
                Ok(answer) if answer.is_success() => Ok(answer),
                Ok(answer) => Err(Failure::Status { method, url, status: answer.status }),
                Err(source) => Err(Failure::Request { method, url, source }),
            }
        });
        let answer = answer.await??;
        Ok(Value::object(BTreeMap::from([
            ("url".to_owned(), Value::string(&self.url)),
            ("body".to_owned(), Value::string(answer.text())),
            ("request_headers".to_owned(), Value::map(Type::String, joined_headers(&answer.headers))),
        ])))
    }
}

/// Headers under the names that people write, several values of one joined.
fn joined_headers(headers: &[(String, String)]) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let known = all.entry(canonical(name)).or_default();
        let separator = if known.is_empty() { "" } else { ", " };
        *known += &format!("{separator}{value}");
    }
    all.into_iter().map(|(name, value)| (name, Value::string(value))).collect()
}

/// `content-type` as `Content-Type`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_canonical_and_joined() {
        let headers = [("x-b", "1"), ("content-type", "t"), ("x-b", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let joined = joined_headers(&headers);
        let names: Vec<_> = joined.keys().cloned().collect();
        assert_eq!(names, ["Content-Type", "X-B"]);
        assert_eq!(joined["X-B"].as_str(), Some("1, 2"));
    }

    #[test]
    fn methods_are_case_sensitive() {
        let with = |method: &str| Options { url: "u".into(), method: Some(method.into()), ..Options::default() };
        assert_eq!(with("get").problems().len(), 1);
        assert!(with("PATCH").problems().is_empty() && with("").problems().is_empty());
        assert_eq!(Options::default().problems().len(), 1);
    }
}
