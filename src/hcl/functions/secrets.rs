//! Functions that fetch secrets and settings from elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::arguments::{string, text, text_param, value};
use super::{Call, Function, FunctionError, Host, HttpGet};
use crate::hcl::value::Value;

/// The value of a key may be all there is, so the key may be null.
const SECRET_KEY: super::Param = text_param("key").nullable();

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("aws_secretsmanager", &[text_param("name"), SECRET_KEY], string, aws_secretsmanager),
    Function::new("aws_secretsmanager_raw", &[text_param("name")], string, aws_secretsmanager_raw),
    Function::new("consul_key", &[text_param("key")], string, consul_key),
    Function::new("vault", &[text_param("path"), text_param("key")], string, vault),
];

/// Where Consul and Vault listen when nothing else is said.
const CONSUL: &str = "127.0.0.1:8500";
const VAULT: &str = "https://127.0.0.1:8200";

fn aws_secretsmanager_raw(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    secret(call, text(args, 0)?).map(Value::string)
}

fn secret(call: &Call<'_>, name: &str) -> Result<String, FunctionError> {
    call.host
        .aws_secret(name)
        .map_err(|error| FunctionError::failed(format!("cannot get the AWS secret {name:?}: {error}")))
}

/// A secret that is a JSON object has its fields by key; any other is the secret as it is.
fn aws_secretsmanager(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let name = text(args, 0)?;
    let secret = secret(call, name)?;
    let Ok(fields) = serde_json::from_str::<Map<String, Json>>(&secret) else { return Ok(Value::string(secret)) };
    let key = value(args, 1)?.as_str().filter(|key| !key.is_empty());
    let field = match key {
        Some(key) => fields.get(key).ok_or_else(|| format!("the AWS secret {name:?} has no key {key:?}")),
        None if fields.len() == 1 => fields.values().next().ok_or_else(String::new),
        None => Err(format!("the AWS secret {name:?} has {} keys: say which one is meant", fields.len())),
    };
    let shown = field.and_then(|field| match field {
        Json::String(text) => Ok(text.clone()),
        // Whole as they mostly are; fractions are cut off, as they always were.
        Json::Number(number) => Ok(format!("{:.0}", number.as_f64().unwrap_or_default())),
        _ => Err(format!("the AWS secret {name:?} holds neither text nor a number there")),
    });
    shown.map(Value::string).map_err(FunctionError::failed)
}

fn set(host: &dyn Host, name: &str) -> Option<String> {
    host.env(name).filter(|value| !value.is_empty())
}

/// True or false as Go programs read it.
fn switch(host: &dyn Host, name: &str) -> Option<bool> {
    match set(host, name)?.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A request with the certificates that the variables of one program name.
fn request<'a>(host: &dyn Host, program: &str, url: &'a str) -> HttpGet<'a> {
    let file = |name: &str| set(host, &format!("{program}_{name}"));
    HttpGet {
        url,
        authorities: file("CACERT"),
        client: file("CLIENT_CERT").zip(file("CLIENT_KEY")),
        ..HttpGet::default()
    }
}

/// The value of a key in Consul, found through the environment that Consul's own tools use.
fn consul_key(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (host, key) = (call.host, text(args, 0)?);
    let failed = |why: String| FunctionError::failed(format!("cannot get the Consul key {key:?}: {why}"));
    let address = consul_address(host).map_err(failed)?;
    let url = format!("{address}/v1/kv/{}{}", escaped(key.trim_start_matches('/')), consul_query(host));
    let mut get = request(host, "CONSUL", &url);
    get.headers = consul_headers(host).map_err(failed)?;
    get.unchecked = switch(host, "CONSUL_HTTP_SSL_VERIFY") == Some(false);
    let body = host.http_get(&get).map_err(failed)?;
    let entries: Vec<Json> = serde_json::from_str(&body).map_err(|error| failed(error.to_string()))?;
    let value = entries.first().and_then(|entry| entry.get("Value")).and_then(Json::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(value).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("its value is no UTF-8 text".into()))?;
    if text.is_empty() {
        return Err(failed("it is missing or empty".into()));
    }
    Ok(Value::string(text))
}

fn consul_address(host: &dyn Host) -> Result<String, String> {
    let address = set(host, "CONSUL_HTTP_ADDR").unwrap_or_else(|| CONSUL.into());
    if address.starts_with("unix://") {
        return Err(format!("CONSUL_HTTP_ADDR is the socket {address}: set it to an http:// or https:// address"));
    }
    if address.contains("://") {
        return Ok(address.trim_end_matches('/').into());
    }
    let scheme = if switch(host, "CONSUL_HTTP_SSL") == Some(true) { "https" } else { "http" };
    Ok(format!("{scheme}://{}", address.trim_end_matches('/')))
}

fn consul_query(host: &dyn Host) -> String {
    let parameter = |(name, variable): (&str, &str)| Some(format!("{name}={}", escaped(&set(host, variable)?)));
    let parameters: Vec<String> =
        [("ns", "CONSUL_NAMESPACE"), ("partition", "CONSUL_PARTITION")].into_iter().filter_map(parameter).collect();
    if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) }
}

/// The headers that say who asks.
fn consul_headers(host: &dyn Host) -> Result<Vec<(&'static str, String)>, String> {
    let mut headers = Vec::new();
    let token = match (set(host, "CONSUL_HTTP_TOKEN"), set(host, "CONSUL_HTTP_TOKEN_FILE")) {
        (Some(token), _) => Some(token),
        (None, Some(path)) => {
            let bytes = host.read(path.as_ref()).map_err(|error| format!("cannot read {path}: {error}"))?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        (None, None) => None,
    };
    headers.extend(token.map(|token| ("X-Consul-Token", token)));
    if let Some(user) = set(host, "CONSUL_HTTP_AUTH") {
        headers.push(("Authorization", format!("Basic {}", STANDARD.encode(user))));
    }
    Ok(headers)
}

/// One field of a secret in Vault, found through the environment that Vault's own tools use.
fn vault(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (host, path, key) = (call.host, text(args, 0)?, text(args, 1)?);
    let failed = |why: String| FunctionError::failed(format!("cannot get {key:?} of the Vault secret {path:?}: {why}"));
    let token = set(host, "VAULT_TOKEN").ok_or_else(|| failed("VAULT_TOKEN must be set".into()))?;
    let address = set(host, "VAULT_ADDR").unwrap_or_else(|| VAULT.into());
    let url = format!("{}/v1/{}", address.trim_end_matches('/'), escaped(path.trim_start_matches('/')));
    let mut get = request(host, "VAULT", &url);
    get.headers = vec![("X-Vault-Token", token), ("X-Vault-Request", "true".to_owned())];
    get.headers.extend(set(host, "VAULT_NAMESPACE").map(|namespace| ("X-Vault-Namespace", namespace)));
    get.unchecked = switch(host, "VAULT_SKIP_VERIFY") == Some(true);
    let body = host.http_get(&get).map_err(failed)?;
    let reply: Json = serde_json::from_str(&body).map_err(|error| failed(error.to_string()))?;
    let field = vault_field(&reply, key).ok_or_else(|| failed("there is no such key".into()))?;
    field.as_str().map(Value::string).ok_or_else(|| failed("its value is no text".into()))
}

/// The second version of the key-value store wraps the secret once more than the first.
fn vault_field<'j>(reply: &'j Json, key: &str) -> Option<&'j Json> {
    let data = reply.get("data")?;
    let secret = data.get("data").filter(|inner| inner.is_object()).unwrap_or(data);
    secret.get(key)
}

/// A path with everything escaped that has a meaning in URLs, but for its slashes.
fn escaped(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vault_has_two_shapes() {
        let first: Json = serde_json::from_str(r#"{"data": {"k": "v"}}"#).unwrap();
        let second: Json = serde_json::from_str(r#"{"data": {"data": {"k": "w"}, "metadata": {}}}"#).unwrap();
        assert_eq!(vault_field(&first, "k").and_then(Json::as_str), Some("v"));
        assert_eq!(vault_field(&second, "k").and_then(Json::as_str), Some("w"));
        assert_eq!(vault_field(&second, "x"), None);
    }
}
