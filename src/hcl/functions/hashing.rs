//! Functions that digest and decrypt text.

use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::arguments::{number_param, string, text, text_param, whole};
use super::encoding::from_base64;
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("bcrypt", &[text_param("str")], string, bcrypt_hash).with_variadic(number_param("cost")),
    Function::new("md5", &[text_param("str")], string, md5_digest),
    Function::new("rsadecrypt", &[text_param("ciphertext"), text_param("privatekey")], string, rsadecrypt),
    Function::new("sha1", &[text_param("str")], string, digest::<Sha1>),
    Function::new("sha256", &[text_param("str")], string, digest::<Sha256>),
    Function::new("sha512", &[text_param("str")], string, digest::<Sha512>),
];

/// bcrypt's work factor where none is given, or one that is too small.
const DEFAULT_COST: u32 = 10;
/// The least and the greatest work factor that bcrypt has.
const COSTS: std::ops::RangeInclusive<i64> = 4..=31;
/// Bytes of a password that bcrypt looks at; longer ones are refused rather than cut.
const MAX_PASSWORD: usize = 72;

fn hexadecimal(bytes: &[u8]) -> Value {
    Value::string(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn digest<D: Digest>(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(hexadecimal(&D::digest(text(args, 0)?)))
}

fn md5_digest(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(hexadecimal(&*md5::compute(text(args, 0)?)))
}

/// The hash of a password, with a random salt.
fn bcrypt_hash(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let password = text(args, 0)?;
    let cost = match args.len() {
        1 => i64::from(DEFAULT_COST),
        2 => whole(args, 1)?,
        _ => return Err(FunctionError::failed("at most one cost can be given")),
    };
    if cost > *COSTS.end() {
        return Err(FunctionError::argument(1, format!("the cost must be at most {}", COSTS.end())));
    }
    if password.len() > MAX_PASSWORD {
        return Err(FunctionError::argument(0, format!("the text is longer than {MAX_PASSWORD} bytes")));
    }
    let cost = u32::try_from(cost).ok().filter(|cost| COSTS.contains(&i64::from(*cost))).unwrap_or(DEFAULT_COST);
    let mut salt = [0; 16];
    call.host.random(&mut salt);
    let hash = bcrypt::hash_with_salt(password, cost, salt)
        .map_err(|error| FunctionError::failed(format!("cannot hash: {error}")))?;
    Ok(Value::string(hash.format_for_version(bcrypt::Version::TwoA)))
}

/// Decrypts what was encrypted for an RSA key after PKCS #1 v1.5.
fn rsadecrypt(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let secret = from_base64(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    let key = private_key(text(args, 1)?).map_err(|message| FunctionError::argument(1, message))?;
    let clear = key
        .decrypt(Pkcs1v15Encrypt, &secret)
        .map_err(|_| FunctionError::failed("the text was not encrypted for this key"))?;
    let clear = String::from_utf8(clear).map_err(|_| FunctionError::failed("the decrypted bytes are no UTF-8 text"))?;
    Ok(Value::string(clear))
}

/// The key in the first PEM block of a text.
fn private_key(text: &str) -> Result<RsaPrivateKey, String> {
    let block = || {
        let (_, rest) = text.split_once("-----BEGIN ")?;
        let (_, rest) = rest.split_once("-----")?;
        rest.split_once("-----END ").map(|(block, _)| block)
    };
    let block = block().ok_or("there is no key in PEM form")?;
    if block.contains("ENCRYPTED") {
        return Err("keys that are protected by a password are not supported".into());
    }
    let der = from_base64(&block.replace([' ', '\t'], "")).map_err(|_| "the key is damaged".to_owned())?;
    RsaPrivateKey::from_pkcs1_der(&der)
        .map_err(|_| "this is no RSA key in PKCS #1 form (-----BEGIN RSA PRIVATE KEY-----)".into())
}
