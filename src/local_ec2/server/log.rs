//! The request log: one JSON object a line, so that a test can count calls and put faults on each of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use super::request::{Incoming, Route};
use crate::local_ec2::api::Effect;
use crate::local_ec2::state::Moment;

/// Parameters whose values are nobody's business.
const SECRET: [&str; 10] = [
    "UserData",
    "UserData.Value",
    "SecretString",
    "SecretBinary",
    "Value",
    "TokenCode",
    "ExternalId",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "UefiData",
];

/// The log, if there is one.
pub struct Log {
    file: Option<Mutex<File>>,
    lines: AtomicU64,
}

impl Log {
    /// Opens it for appending.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| File::options().append(true).create(true).open(path)).transpose()?;
        Ok(Self { file: file.map(Mutex::new), lines: AtomicU64::new(1) })
    }

    /// Writes one line, before the answer is sent. A status of 0 means that no (whole) answer is sent; `fault` is an injected one.
    pub fn write(
        &self,
        received: &Incoming,
        route: Option<&Route>,
        status: u16,
        code: Option<&str>,
        fault: Option<&str>,
    ) {
        let Some(file) = &self.file else { return };
        let action = route.map(|route| route.name()).or_else(|| received.params.get("Action"));
        let line = json!({
            "n": self.lines.fetch_add(1, Ordering::Relaxed),
            "time": Moment::now().to_string(),
            "service": received.signed.as_ref().map(|scope| scope.service.as_str()),
            "action": action,
            "writes": route.map(|route| route.effect() == Effect::Writes),
            "region": received.region(),
            "params": params(received),
            "status": status,
            "code": code,
            "fault": fault,
            "request_id": received.request_id,
            "invocation_id": received.header("amz-sdk-invocation-id"),
            "attempt": received.header("amz-sdk-request"),
        });
        let mut file = file.lock().unwrap_or_else(|e| e.into_inner());
        // One write per line, so that lines of several processes do not mix. A full disk must not fail the request.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

fn params(received: &Incoming) -> Value {
    let mask = |name: &str, value: Value| if SECRET.contains(&name) { json!("<sensitive>") } else { value };
    let mut found: Map<String, Value> = received
        .params
        .iter()
        .filter(|(name, _)| !["Action", "Version"].contains(name))
        .map(|(name, value)| (name.to_owned(), mask(name, json!(value))))
        .collect();
    if received.header("x-amz-target").is_some()
        && let Ok(Value::Object(body)) = serde_json::from_slice(&received.body)
    {
        found.extend(body.into_iter().map(|(name, value)| (name.clone(), mask(&name, value))));
    }
    Value::Object(found)
}
