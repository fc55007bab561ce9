//! Answers and errors in the form of each protocol.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::request::Route;
use crate::local_ec2::state::id;
use crate::local_ec2::wire::{Error, Xml, xml::document};

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The three ways in which services talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// EC2's dialect of the query protocol.
    Ec2,
    /// The plain query protocol of STS and IAM.
    Sts,
    /// JSON 1.1 of SSM and Secrets Manager.
    Json,
}

impl Protocol {
    /// Throttling, in the service's words.
    pub fn throttled(self) -> Error {
        match self {
            Self::Ec2 => Error::new("RequestLimitExceeded", "Request limit exceeded."),
            Self::Sts => Error::new("Throttling", "Rate exceeded"),
            Self::Json => Error::new("ThrottlingException", "Rate exceeded"),
        }
    }
}

/// What an action said.
pub enum Body {
    /// Children of the root element.
    Xml(Xml),
    /// The whole object.
    Json(Value),
}

/// An answer, ready to be sent.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The error code, if it is one.
    pub code: Option<String>,
    content_type: &'static str,
    request_id: String,
    text: String,
}

impl Reply {
    /// A success.
    pub fn success(route: Route, request_id: &str, body: Body) -> Self {
        let name = route.name();
        let (content_type, text) = match (route.protocol(), body) {
            (_, Body::Json(value)) => ("application/x-amz-json-1.1", value.to_string()),
            (Protocol::Sts, Body::Xml(children)) => {
                let mut xml = Xml::new();
                xml.node(&format!("{name}Result"), |xml| {
                    xml.append(&children);
                });
                xml.node("ResponseMetadata", |xml| {
                    xml.text("RequestId", request_id);
                });
                ("text/xml", document(&format!("{name}Response"), Some(STS_NAMESPACE), &xml))
            }
            (_, Body::Xml(children)) => {
                let mut xml = Xml::new();
                xml.text("requestId", request_id).append(&children);
                ("text/xml;charset=UTF-8", document(&format!("{name}Response"), Some(EC2_NAMESPACE), &xml))
            }
        };
        Self { status: 200, code: None, content_type, request_id: request_id.to_owned(), text }
    }

    /// An error of a request that has no id yet.
    pub fn error(protocol: Protocol, error: &Error) -> Self {
        Self::error_of(protocol, error, &id::uuid())
    }

    /// An error of a request that could not even be read.
    pub fn of_unknown(error: &Error) -> Self {
        Self::error(Protocol::Ec2, error)
    }

    /// An error.
    pub fn error_of(protocol: Protocol, error: &Error, request_id: &str) -> Self {
        let mut xml = Xml::new();
        let (content_type, text) = match protocol {
            Protocol::Ec2 => {
                xml.node("Errors", |xml| {
                    xml.node("Error", |xml| {
                        xml.text("Code", &error.code).text("Message", &error.message);
                    });
                });
                xml.text("RequestID", request_id);
                ("text/xml;charset=UTF-8", document("Response", None, &xml))
            }
            Protocol::Sts => {
                xml.node("Error", |xml| {
                    xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                    xml.text("Code", &error.code).text("Message", &error.message);
                });
                xml.text("RequestId", request_id);
                ("text/xml", document("ErrorResponse", Some(STS_NAMESPACE), &xml))
            }
            Protocol::Json => {
                let value = json!({ "__type": error.code, "message": error.message });
                ("application/x-amz-json-1.1", value.to_string())
            }
        };
        Self {
            status: error.status,
            code: Some(error.code.to_string()),
            content_type,
            request_id: request_id.to_owned(),
            text,
        }
    }

    /// As hyper sends it.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.text)));
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(Ok(code)) = self.code.as_deref().map(HeaderValue::from_str) {
            headers.insert("x-amzn-errortype", code);
        }
        response
    }
}
