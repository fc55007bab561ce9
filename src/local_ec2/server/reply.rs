//! Answers and errors in the form of each protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Bytes, Frame, SizeHint};
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::request::Route;
use crate::local_ec2::state::id;
use crate::local_ec2::wire::{Error, Xml, xml::document};

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The three ways in which services talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// EC2's dialect of the query protocol.
    Ec2,
    /// The plain query protocol of STS.
    Sts,
    /// The same, of IAM.
    Iam,
    /// JSON 1.1 of SSM and Secrets Manager.
    Json,
}

impl Protocol {
    /// Throttling, in the service's words.
    pub fn throttled(self) -> Error {
        match self {
            Self::Ec2 => Error::new("RequestLimitExceeded", "Request limit exceeded."),
            Self::Sts | Self::Iam => Error::new("Throttling", "Rate exceeded"),
            Self::Json => Error::new("ThrottlingException", "Rate exceeded"),
        }
    }

    fn namespace(self) -> &'static str {
        if self == Self::Iam { IAM_NAMESPACE } else { STS_NAMESPACE }
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
    rest: Option<Rest>,
}

/// What comes after the first half of an answer that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The connection is closed.
    Closed,
    /// Nothing, for ever.
    Never,
}

impl Reply {
    /// What a proxy says whose server does not answer.
    pub fn bad_gateway(request_id: &str) -> Self {
        let text = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
        Self {
            status: 502,
            code: None,
            content_type: "text/html",
            request_id: request_id.to_owned(),
            text: text.to_owned(),
            rest: None,
        }
    }

    /// Only the first half of it.
    pub fn cut(self, rest: Rest) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// A success.
    pub fn success(route: Route, request_id: &str, body: Body) -> Self {
        let name = route.name();
        let (content_type, text) = match (route.protocol(), body) {
            (_, Body::Json(value)) => ("application/x-amz-json-1.1", value.to_string()),
            (protocol @ (Protocol::Sts | Protocol::Iam), Body::Xml(children)) => {
                let mut xml = Xml::new();
                // Actions without output have no result element.
                if !children.is_empty() {
                    xml.node(&format!("{name}Result"), |xml| {
                        xml.append(&children);
                    });
                }
                xml.node("ResponseMetadata", |xml| {
                    xml.text("RequestId", request_id);
                });
                ("text/xml", document(&format!("{name}Response"), Some(protocol.namespace()), &xml))
            }
            (_, Body::Xml(children)) => {
                let mut xml = Xml::new();
                xml.text("requestId", request_id).append(&children);
                ("text/xml;charset=UTF-8", document(&format!("{name}Response"), Some(EC2_NAMESPACE), &xml))
            }
        };
        Self { status: 200, code: None, content_type, request_id: request_id.to_owned(), text, rest: None }
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
            Protocol::Sts | Protocol::Iam => {
                xml.node("Error", |xml| {
                    xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                    xml.text("Code", &error.code).text("Message", &error.message);
                });
                xml.text("RequestId", request_id);
                ("text/xml", document("ErrorResponse", Some(protocol.namespace()), &xml))
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
            rest: None,
        }
    }

    /// As hyper sends it.
    pub fn into_response(self) -> Response<Payload> {
        let mut response = Response::new(Payload::new(self.text, self.rest));
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

/// The body of an answer: all of it, or the first half and then what a fault makes of the rest.
pub struct Payload {
    length: u64,
    bytes: Option<Bytes>,
    rest: Option<Rest>,
    is_flushed: bool,
}

impl Payload {
    fn new(text: String, rest: Option<Rest>) -> Self {
        let mut bytes = Bytes::from(text);
        let length = u64::try_from(bytes.len()).unwrap_or(0);
        if rest.is_some() {
            bytes.truncate(bytes.len() / 2);
        }
        Self { length, bytes: Some(bytes), rest, is_flushed: false }
    }
}

impl hyper::body::Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.bytes.take(), self.rest) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            (None, None) => Poll::Ready(None),
            (None, Some(Rest::Closed)) if !self.is_flushed => {
                // An error right away would also drop what is not sent yet; hyper sends it when it has to wait.
                self.is_flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (None, Some(Rest::Closed)) => Poll::Ready(Some(Err(io::Error::other("closed by an injected fault")))),
            // Nobody wakes it: the connection ends when the client gives up or the server is shut down.
            (None, Some(Rest::Never)) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
