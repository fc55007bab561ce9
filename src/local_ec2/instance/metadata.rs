//! The instance metadata service, as the instance sees it at 169.254.169.254: version 1 (plain GETs) and 2 (with session tokens).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, SERVER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::local_ec2::machine::{Later, Metadata};

const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";

/// The longest life of a token, in seconds: six hours.
const LONGEST_TTL: u64 = 21_600;

/// Clients ask for one of these; all give the same tree.
const VERSIONS: [&str; 15] = [
    "1.0",
    "2007-01-19",
    "2008-02-01",
    "2009-04-04",
    "2011-01-01",
    "2014-02-25",
    "2016-09-02",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

/// What one instance's service knows, and the tokens that it gave out.
#[derive(Debug)]
pub struct Service {
    tree: BTreeMap<String, Vec<u8>>,
    later: Vec<Later>,
    tokens_required: bool,
    hop_limit: u8,
    tokens: Mutex<HashMap<String, Instant>>,
}

/// An answer before it is HTTP.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    text: Vec<u8>,
    /// The life of the token that this is, in seconds.
    ttl: Option<u64>,
}

impl Answer {
    fn ok(text: impl Into<Vec<u8>>) -> Self {
        Self { status: StatusCode::OK, text: text.into(), ttl: None }
    }

    fn error(status: StatusCode) -> Self {
        Self { status, text: status.canonical_reason().unwrap_or_default().into(), ttl: None }
    }
}

impl Service {
    /// The service for an instance; `None` when its endpoint is switched off.
    pub fn new(metadata: &Metadata, user_data: Option<&[u8]>) -> Option<Arc<Self>> {
        let mut tree: BTreeMap<String, Vec<u8>> =
            metadata.tree.iter().map(|(k, v)| (k.clone(), v.clone().into_bytes())).collect();
        if let Some(user_data) = user_data {
            tree.insert("user-data".to_owned(), user_data.to_vec());
        }
        let service = Self {
            tree,
            later: metadata.later.clone(),
            tokens_required: metadata.tokens_required,
            hop_limit: metadata.hop_limit.max(1),
            tokens: Mutex::default(),
        };
        metadata.enabled.then(|| Arc::new(service))
    }

    /// Serves until the runtime ends.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&self).connection(stream))),
                // Out of descriptors, most likely: the next one may fare better.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        // A second handle on the socket: the hop limit is the IP TTL of the packets that carry a token, and of those only.
        let Ok(stream) = stream.into_std() else { return };
        let (Ok(handle), Ok(stream)) = (stream.try_clone(), TcpStream::from_std(stream)) else { return };
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(request.method(), request.uri().path(), request.headers());
            let ttl = if answer.ttl.is_some() { self.hop_limit.into() } else { 64 };
            let _ = handle.set_ttl(ttl);
            async { Ok::<_, std::convert::Infallible>(respond(answer)) }
        });
        // A client that breaks off is its own affair.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        match *method {
            Method::PUT => self.put(path, headers),
            Method::GET | Method::HEAD if self.may_read(headers) => self.get(path),
            Method::GET | Method::HEAD => Answer::error(StatusCode::UNAUTHORIZED),
            _ => Answer::error(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn put(&self, path: &str, headers: &HeaderMap) -> Answer {
        if !matches!(split(path), Some((_, "api/token"))) {
            return Answer::error(StatusCode::METHOD_NOT_ALLOWED);
        }
        // A request that came through a proxy gets no token: it may not be the instance's own.
        if headers.contains_key("x-forwarded-for") {
            return Answer::error(StatusCode::FORBIDDEN);
        }
        let ttl = headers.get(TTL_HEADER).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let (Some(ttl @ 1..=LONGEST_TTL), Ok(token)) = (ttl, new_token()) else {
            return Answer::error(StatusCode::BAD_REQUEST);
        };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tokens.retain(|_, ends| *ends > now);
        tokens.insert(token.clone(), now + Duration::from_secs(ttl));
        Answer { ttl: Some(ttl), ..Answer::ok(token) }
    }

    fn may_read(&self, headers: &HeaderMap) -> bool {
        match headers.get(TOKEN_HEADER) {
            None => !self.tokens_required,
            Some(token) => {
                let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                token.to_str().ok().and_then(|t| tokens.get(t)).is_some_and(|ends| *ends > Instant::now())
            }
        }
    }

    fn get(&self, path: &str) -> Answer {
        if path.trim_matches('/').is_empty() {
            return Answer::ok(VERSIONS.join("\n"));
        }
        let Some((_, rest)) = split(path) else { return Answer::error(StatusCode::NOT_FOUND) };
        // A path that ends in a slash is a listing that is otherwise than its children say.
        if let Some(text) = self.tree.get(rest).or_else(|| self.tree.get(&format!("{rest}/"))) {
            return Answer::ok(text.clone());
        }
        if let Some(leaf) = self.later.iter().find(|leaf| leaf.path == rest && leaf.from <= SystemTime::now()) {
            return Answer::ok(leaf.text.clone());
        }
        match self.list(rest) {
            names if names.is_empty() => Answer::error(StatusCode::NOT_FOUND),
            names => Answer::ok(names.join("\n")),
        }
    }

    /// The next segments below a directory, those with children of their own with a `/`.
    fn list(&self, directory: &str) -> Vec<String> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let below = self.tree.keys().filter_map(|key| key.strip_prefix(&prefix)).filter(|rest| !rest.is_empty());
        let mut names: Vec<String> = below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => format!("{name}/"),
                None => rest.to_owned(),
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Takes the version off; `None` when there is no such version.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_matches('/');
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    let is_date = version.len() == 10 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    (VERSIONS.contains(&version) || is_date).then_some((version, rest.trim_matches('/')))
}

fn new_token() -> io::Result<String> {
    let mut bytes = [0; 28];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.text)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("EC2ws"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Some(ttl) = answer.ttl {
        headers.insert(TTL_HEADER, HeaderValue::from(ttl));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(tokens_required: bool) -> Arc<Service> {
        let leaves = [
            ("meta-data/instance-id", "i-1"),
            ("meta-data/placement/region", "us-east-1"),
            ("meta-data/placement/availability-zone", "us-east-1a"),
            ("meta-data/public-keys/", "0=k"),
            ("meta-data/public-keys/0/openssh-key", "ssh-ed25519 A k"),
        ];
        let tree = leaves.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let metadata = Metadata { tokens_required, enabled: true, hop_limit: 1, tree, later: later() };
        Service::new(&metadata, Some(b"#!/bin/sh")).unwrap()
    }

    fn later() -> Vec<Later> {
        let leaf = |name: &str, from| Later { path: format!("meta-data/spot/{name}"), text: "{}".to_owned(), from };
        let now = SystemTime::now();
        vec![leaf("instance-action", now), leaf("termination-time", now + Duration::from_secs(3600))]
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (hyper::header::HeaderName::from_static(k), HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    fn get(service: &Service, path: &str, with: &[(&'static str, &str)]) -> (u16, String) {
        let answer = service.answer(&Method::GET, path, &headers(with));
        (answer.status.as_u16(), String::from_utf8(answer.text).unwrap())
    }

    #[test]
    fn version_one_reads_leaves_and_lists_directories() {
        let service = service(false);
        for (path, status, text) in [
            ("/latest/meta-data/instance-id", 200, "i-1"),
            ("/2009-04-04/meta-data/instance-id", 200, "i-1"),
            ("/latest/meta-data/", 200, "instance-id\nplacement/\npublic-keys/"),
            ("/latest/meta-data/public-keys/", 200, "0=k"),
            ("/latest/meta-data/public-keys/0/", 200, "openssh-key"),
            ("/latest/meta-data/placement", 200, "availability-zone\nregion"),
            ("/latest", 200, "meta-data/\nuser-data"),
            ("/latest/user-data", 200, "#!/bin/sh"),
            ("/latest/meta-data/spot", 404, "Not Found"),
            ("/latest/meta-data/spot/instance-action", 200, "{}"),
            ("/latest/meta-data/spot/termination-time", 404, "Not Found"),
            ("/oldest/meta-data", 404, "Not Found"),
        ] {
            assert_eq!(get(&service, path, &[]), (status, text.to_owned()), "{path}");
        }
        assert!(get(&service, "/", &[]).1.ends_with("latest"));
    }

    #[test]
    fn version_two_wants_a_token_and_knows_its_own() {
        let service = service(true);
        let path = "/latest/meta-data/instance-id";
        assert_eq!(get(&service, path, &[]).0, 401);
        assert_eq!(get(&service, path, &[(TOKEN_HEADER, "made-up")]).0, 401);
        let put = |with: &[(&'static str, &str)]| service.answer(&Method::PUT, "/latest/api/token", &headers(with));
        assert_eq!(put(&[]).status, StatusCode::BAD_REQUEST);
        assert_eq!(put(&[(TTL_HEADER, "21601")]).status, StatusCode::BAD_REQUEST);
        assert_eq!(put(&[(TTL_HEADER, "60"), ("x-forwarded-for", "10.0.0.1")]).status, StatusCode::FORBIDDEN);
        let token = put(&[(TTL_HEADER, "60")]);
        assert_eq!((token.status, token.ttl), (StatusCode::OK, Some(60)));
        let token = String::from_utf8(token.text).unwrap();
        assert_eq!(get(&service, path, &[(TOKEN_HEADER, &token)]), (200, "i-1".to_owned()));
    }

    #[test]
    fn a_wrong_token_is_refused_even_where_none_is_needed() {
        assert_eq!(get(&service(false), "/latest/user-data", &[(TOKEN_HEADER, "stale")]).0, 401);
    }

    #[test]
    fn a_disabled_endpoint_has_no_service() {
        assert!(Service::new(&Metadata::default(), None).is_none());
    }
}
