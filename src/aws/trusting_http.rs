//! HTTP for the SDK that takes every certificate (`insecure_skip_tls_verify`): the SDK's own client knows no such mode.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::web::{self, Answer, Check, Request, Trust};

/// A client that checks no certificate.
pub fn client() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(Trusting))
}

#[derive(Debug)]
struct Trusting;

impl HttpConnector for Trusting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            // Time limits are the SDK's.
            let sent = tokio::task::spawn_blocking(move || send(&request)).await;
            let answer = sent.map_err(|e| ConnectorError::other(e.into(), None))?;
            response(answer.map_err(|e| ConnectorError::io(e.into()))?)
        })
    }
}

fn send(request: &HttpRequest) -> Result<Answer, web::Error> {
    let trust = Trust { check: Check::Skip, ..Trust::default() };
    // All calls of Kiln's have their bodies in memory.
    let body = request.body().bytes().unwrap_or_default();
    let headers = request.headers().iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")).collect();
    web::send(&Request { method: request.method(), url: request.uri(), headers, body, limit: None, trust })
}

fn response(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|e| ConnectorError::other(e.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    for (name, value) in answer.headers {
        // A header that is none is nothing that the SDK reads.
        let _ = response.headers_mut().try_append(name, value);
    }
    Ok(response)
}
