//! SigV4: who calls, for which service and region, and (in strict mode) whether the signature is right.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use super::{hex, percent_decode, percent_encode};

/// The credential scope of a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The access key id.
    pub key_id: String,
    /// `yyyymmdd`.
    pub date: String,
    /// The region that was signed for; with one endpoint for all regions, the only place where it is said.
    pub region: String,
    /// `ec2`, `sts`, …
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
}

/// The parts of a request that are signed.
pub struct Signed<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The query string, as sent.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// Reads the scope from the `Authorization` header or from `X-Amz-*` query parameters.
pub fn scope(headers: &HeaderMap, query: &str) -> Option<Scope> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let fields = match header {
        Some(header) => fields_of_header(header)?,
        None => fields_of_query(query)?,
    };
    let credential: Vec<&str> = fields.get("Credential")?.split('/').collect();
    let [key_id, date, region, service, ..] = credential[..] else { return None };
    Some(Scope {
        key_id: key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers: fields
            .get("SignedHeaders")
            .map(|h| h.split(';').map(str::to_owned).collect())
            .unwrap_or_default(),
        signature: fields.get("Signature").cloned().unwrap_or_default(),
    })
}

fn fields_of_header(header: &str) -> Option<BTreeMap<String, String>> {
    let (algorithm, rest) = header.split_once(' ')?;
    algorithm.starts_with("AWS4-").then(|| {
        let pairs = rest.split(',').filter_map(|part| part.trim().split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    })
}

fn fields_of_query(query: &str) -> Option<BTreeMap<String, String>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let fields: BTreeMap<String, String> = pairs
        .filter_map(|(name, value)| Some((name.strip_prefix("X-Amz-")?.to_owned(), percent_decode(value, false))))
        .collect();
    fields.contains_key("Credential").then_some(fields)
}

/// True when `secret` made the signature of this request.
pub fn verify(scope: &Scope, secret: &str, request: &Signed<'_>) -> bool {
    let time =
        header(request.headers, "x-amz-date").or_else(|| query_field(request.query, "X-Amz-Date")).unwrap_or_default();
    let credential = format!("{}/{}/{}/aws4_request", scope.date, scope.region, scope.service);
    let digest = hex(&Sha256::digest(canonical(scope, request).as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{credential}\n{digest}");
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    for part in [&scope.region, &scope.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hex(&hmac(&key, to_sign.as_bytes())) == scope.signature
}

fn canonical(scope: &Scope, request: &Signed<'_>) -> String {
    let mut query: Vec<(String, String)> = request
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent_decode(name, false), percent_decode(value, false)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (percent_encode(&name), percent_encode(&value)))
        .collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers: String = scope
        .signed_headers
        .iter()
        .map(|name| format!("{name}:{}\n", header(request.headers, name).unwrap_or_default()))
        .collect();
    let hash = header(request.headers, "x-amz-content-sha256").unwrap_or_else(|| hex(&Sha256::digest(request.body)));
    let names = scope.signed_headers.join(";");
    format!("{}\n{}\n{}\n{headers}\n{names}\n{hash}", request.method, request.path, query.join("&"))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    // Runs of spaces count as one in the canonical form.
    Some(text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "))
}

fn query_field(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| percent_decode(value, false))
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_rfc_4231() {
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn reads_the_scope_and_checks_the_signature() {
        // The `get-vanilla` vector of AWS's SigV4 test suite.
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().unwrap());
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        headers.insert("authorization", authorization.parse().unwrap());
        let scope = scope(&headers, "").unwrap();
        assert_eq!((scope.key_id.as_str(), scope.region.as_str()), ("AKIDEXAMPLE", "us-east-1"));
        let request = Signed { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
        assert!(verify(&scope, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &request));
        assert!(!verify(&scope, "another", &request));
    }
}
