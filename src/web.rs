//! Plain HTTP requests, one at a time and blocking: what data sources, functions and the smaller AWS services need. Proxies come from the
//! environment, as everywhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Where systems keep the certificates that their administrator trusts (Debian, Red Hat, SUSE, Alpine), private ones among them.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The address.
    pub url: &'a str,
    /// Headers by name.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body; none when empty.
    pub body: &'a [u8],
    /// How long the whole may take; for ever when unset.
    pub limit: Option<Duration>,
    /// Whom to believe.
    pub trust: Trust,
}

/// How the server is known, and how it knows us.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A PEM file with the authorities that count; the system's when unset.
    pub authorities: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether the server's certificate is checked.
    pub check: Check,
}

/// Whether a certificate is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Check {
    /// It is.
    #[default]
    Full,
    /// It is not.
    Skip,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers in the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// True for 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection, or what came over it.
    #[error("{0}")]
    Http(#[from] ureq::Error),
    /// The request cannot be sent as it is.
    #[error("{0}")]
    Request(#[from] http::Error),
    /// A certificate or key file.
    #[error("{path}: {reason}")]
    Certificates { path: String, reason: String },
}

/// Sends a request, follows up to ten redirections, and reads the answer to its end.
pub fn send(request: &Request<'_>) -> Result<Answer, Error> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // Lets every method have a body.
        .allow_non_standard_methods(true)
        .user_agent(concat!("kiln/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_global(request.limit)
        .tls_config(tls(&request.trust)?)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let builder = http::Request::builder().method(request.method).uri(request.url);
    let builder = request.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    let mut answer = match request.body {
        [] => agent.run(builder.body(())?)?,
        body => agent.run(builder.body(body)?)?,
    };
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
    Ok(Answer { status, headers, body })
}

fn tls(trust: &Trust) -> Result<TlsConfig, Error> {
    let given = trust.authorities.as_deref().map(certificates).transpose()?;
    let roots = given.or_else(system_authorities).map_or(RootCerts::WebPki, |found| RootCerts::new_with_certs(&found));
    let client = trust.client.as_ref().map(|(certificate, key)| client(certificate, key)).transpose()?;
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client)
        .disable_verification(trust.check == Check::Skip)
        .build())
}

/// What the system's administrator trusts; `None` where no bundle is found, and the list that is compiled in counts.
fn system_authorities() -> Option<Vec<Certificate<'static>>> {
    let own = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let bundles = own.into_iter().chain(BUNDLES.map(PathBuf::from));
    bundles.filter_map(|path| certificates(&path).ok()).find(|found| !found.is_empty())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| bad(path, error.to_string()))
}

fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::Certificates { path: path.display().to_string(), reason: reason.into() }
}

/// All certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let items = parse_pem(&read(path)?).collect::<Result<Vec<_>, _>>().map_err(|error| bad(path, error.to_string()))?;
    let certificate = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    Ok(items.into_iter().filter_map(certificate).collect())
}

fn client(certificate: &Path, key: &Path) -> Result<ClientCert, Error> {
    let chain = certificates(certificate)?;
    let key = PrivateKey::from_pem(&read(key)?).map_err(|error| bad(key, error.to_string()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
