//! A request as it came, and which action it is for.

use http_body_util::{BodyExt, Limited};
use hyper::HeaderMap;
use serde_json::Value;

use super::reply::{Body, Protocol};
use crate::local_ec2::api::{Action, Call, EC2, Effect, IAM, JSON, JsonAction, STS};
use crate::local_ec2::state::{RegionInfo, id};
use crate::local_ec2::wire::auth::{self, Scope};
use crate::local_ec2::wire::{Error, Params};

/// Bytes that a request body may have; the largest real one is a launch with 16 KiB of user data.
const MAX_BODY: usize = 4 << 20;

/// One request, read.
#[derive(Clone)]
pub struct Incoming {
    /// `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// All of them.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Vec<u8>,
    /// Query parameters from URL and form together; empty for JSON.
    pub params: Params,
    /// The credential scope, if it is signed.
    pub signed: Option<Scope>,
    /// Ours, for the answer.
    pub request_id: String,
}

/// The action that a request is for.
#[derive(Clone, Copy)]
pub enum Route {
    /// An EC2 action.
    Ec2(&'static Action),
    /// An STS action.
    Sts(&'static Action),
    /// An IAM action.
    Iam(&'static Action),
    /// An action of a JSON service.
    Json(&'static JsonAction),
}

impl Incoming {
    /// Reads the whole request.
    pub async fn read(request: hyper::Request<hyper::body::Incoming>) -> Result<Self, Error> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| Error::new("MalformedQueryString", error.to_string()))?.to_bytes().to_vec();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let is_json = header(&head.headers, "content-type").is_some_and(|kind| kind.contains("json"));
        let form = if is_json { query.clone() } else { format!("{query}&{}", String::from_utf8_lossy(&body)) };
        Ok(Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            signed: auth::scope(&head.headers, &query),
            params: Params::parse(&form),
            headers: head.headers,
            query,
            body,
            request_id: id::uuid(),
        })
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The region that was signed for, known or not.
    pub fn region(&self) -> String {
        self.signed.as_ref().map(|scope| scope.region.clone()).unwrap_or_default()
    }

    /// The region that the call is about. STS and IAM have none, so any will do.
    pub fn known_region(&self, route: Route) -> Result<String, Error> {
        let region = self.region();
        if matches!(route, Route::Sts(_) | Route::Iam(_)) {
            return Ok("global".to_owned());
        }
        let unknown =
            || Error::new("AuthFailure", format!("Credential should be scoped to a valid region: '{region}'"));
        RegionInfo::find(&region).map(|info| info.name.to_owned()).ok_or_else(unknown)
    }

    /// The action: by the signed service, the JSON target, the path, or the API version.
    pub fn route(&self) -> Result<Route, (Protocol, Error)> {
        let service = self.signed.as_ref().map(|scope| scope.service.as_str()).unwrap_or_default();
        if let Some(target) = self.header("x-amz-target") {
            let found = JSON.iter().find(|action| action.name == target).map(Route::Json);
            let unknown = || Error::new("UnknownOperationException", format!("{target} is not there in local EC2"));
            return found.ok_or_else(|| (Protocol::Json, unknown()));
        }
        if self.path.starts_with("/snapshots") || service == "ebs" {
            let text = "EBS direct APIs are not there in local EC2";
            return Err((Protocol::Json, Error::new("UnsupportedOperation", text)));
        }
        let version = self.params.get("Version");
        let is_sts = service == "sts" || service != "ec2" && version == Some("2011-06-15");
        let is_iam = service == "iam" || service != "ec2" && version == Some("2010-05-08");
        let protocol = match (is_sts, is_iam) {
            (_, true) => Protocol::Iam,
            (true, _) => Protocol::Sts,
            _ => Protocol::Ec2,
        };
        let Some(name) = self.params.get("Action") else {
            let text = "The request is missing an action or a required parameter";
            return Err((protocol, Error::new("MissingAction", text)));
        };
        let table: &'static [Action] = match protocol {
            Protocol::Iam => IAM,
            Protocol::Sts => STS,
            _ => EC2,
        };
        let action = table.iter().find(|action| action.name == name).ok_or_else(|| {
            let text = format!("The action {name} is not valid for this web service.");
            (protocol, Error::new("InvalidAction", text))
        })?;
        Ok(match protocol {
            Protocol::Iam => Route::Iam(action),
            Protocol::Sts => Route::Sts(action),
            _ => Route::Ec2(action),
        })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Route {
    /// The action's name, for JSON services without the target prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2(action) | Self::Sts(action) | Self::Iam(action) => action.name,
            Self::Json(action) => action.name.split_once('.').map_or(action.name, |(_, name)| name),
        }
    }

    /// The service's name, as permissions have it.
    pub fn service(self) -> &'static str {
        match self {
            Self::Ec2(_) => "ec2",
            Self::Sts(_) => "sts",
            Self::Iam(_) => "iam",
            Self::Json(action) => match action.name.split_once('.') {
                Some(("AmazonSSM", _)) => "ssm",
                Some(("TrentService", _)) => "kms",
                Some((prefix, _)) => prefix,
                None => "",
            },
        }
    }

    /// Whether it changes anything.
    pub fn effect(self) -> Effect {
        match self {
            Self::Ec2(action) | Self::Sts(action) | Self::Iam(action) => action.effect,
            Self::Json(action) => action.effect,
        }
    }

    /// How its answers look.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Ec2(_) => Protocol::Ec2,
            Self::Sts(_) => Protocol::Sts,
            Self::Iam(_) => Protocol::Iam,
            Self::Json(_) => Protocol::Json,
        }
    }

    /// Does it.
    pub fn run(self, call: &Call<'_>, received: &Incoming) -> Result<Body, Error> {
        match self {
            Self::Ec2(action) | Self::Sts(action) | Self::Iam(action) => action.answer(call).map(Body::Xml),
            Self::Json(action) => {
                let bad = |error| Error::new("SerializationException", format!("{error}"));
                let request: Value = serde_json::from_slice(&received.body).map_err(bad)?;
                (action.run)(call, &request).map(Body::Json)
            }
        }
    }
}
