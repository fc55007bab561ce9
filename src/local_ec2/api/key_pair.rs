//! Key pairs: imported, made here, listed, deleted. Only the public half is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{LineEnding, PrivateKey, PublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::filter::Filters;
use super::tags::{self, Specified};
use super::{Call, Kind, done};
use crate::local_ec2::state::{KeyPair, Region, id};
use crate::local_ec2::wire::auth::hmac;
use crate::local_ec2::wire::{Error, Xml, hex};

/// Bits of the RSA keys that CreateKeyPair makes.
const RSA_BITS: usize = 2048;

/// ImportKeyPair.
pub fn import(call: &Call<'_>) -> Result<Xml, Error> {
    let name = read_name(call)?;
    let malformed = || Error::new("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    let bytes = STANDARD.decode(call.params.need("PublicKeyMaterial")?.trim()).map_err(|_| malformed())?;
    let line = String::from_utf8(bytes).map_err(|_| malformed())?;
    let key = PublicKey::from_openssh(line.trim()).map_err(|_| malformed())?;
    let fingerprint = match key.key_data() {
        KeyData::Ed25519(_) => fingerprint_of_blob(&key)?,
        KeyData::Rsa(rsa) => {
            let rsa = rsa::RsaPublicKey::try_from(rsa).map_err(|_| malformed())?;
            let der = rsa.to_public_key_der().map_err(Error::internal)?;
            colons(&md5::compute(der.as_bytes()).0)
        }
        _ => return Err(malformed()),
    };
    let pair = keep(call, name, &key, fingerprint)?;
    let mut xml = Xml::new();
    write_head(&mut xml, &pair);
    tags::write(&mut xml, &pair.tags);
    Ok(xml)
}

/// CreateKeyPair.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let name = read_name(call)?;
    let format = call.params.get("KeyFormat").unwrap_or("pem");
    if !["pem", "ppk"].contains(&format) {
        return Err(Error::value(format!("Value ({format}) for parameter KeyFormat is invalid.")));
    }
    // Making an RSA key is slow: find out first whether it is wanted.
    if call.read()?.key_pairs.contains_key(name) {
        return Err(duplicate(name));
    }
    let made = match call.params.get("KeyType").unwrap_or("rsa") {
        "rsa" => make_rsa()?,
        "ed25519" => make_ed25519()?,
        other => return Err(Error::value(format!("Value ({other}) for parameter KeyType is invalid."))),
    };
    let pair = keep(call, name, made.key.public_key(), made.fingerprint)?;
    let material = if format == "ppk" { ppk(&made.key, name)? } else { made.pem };
    let mut xml = Xml::new();
    write_head(&mut xml, &pair);
    xml.text("keyMaterial", material);
    tags::write(&mut xml, &pair.tags);
    Ok(xml)
}

struct Made {
    key: PrivateKey,
    pem: String,
    fingerprint: String,
}

fn make_rsa() -> Result<Made, Error> {
    let private = rsa::RsaPrivateKey::new(&mut rand::rng(), RSA_BITS).map_err(Error::internal)?;
    let pkcs8 = private.to_pkcs8_der().map_err(Error::internal)?;
    let fingerprint = colons(&Sha1::digest(pkcs8.as_bytes()));
    let pkcs1 = private.to_pkcs1_der().map_err(Error::internal)?;
    let pem = pem("RSA PRIVATE KEY", pkcs1.as_bytes());
    let pair = RsaKeypair::try_from(private).map_err(Error::internal)?;
    Ok(Made { key: PrivateKey::from(pair), pem, fingerprint })
}

fn make_ed25519() -> Result<Made, Error> {
    let key = PrivateKey::from(Ed25519Keypair::random(&mut rand::rng()));
    let pem = key.to_openssh(LineEnding::LF).map_err(Error::internal)?.trim_end().to_owned();
    Ok(Made { pem, fingerprint: fingerprint_of_blob(key.public_key())?, key })
}

fn fingerprint_of_blob(key: &PublicKey) -> Result<String, Error> {
    Ok(STANDARD.encode(Sha256::digest(key.to_bytes().map_err(Error::internal)?)))
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn wrapped(bytes: &[u8]) -> Vec<String> {
    // Base64 is ASCII: every chunk of bytes is text.
    STANDARD.encode(bytes).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", wrapped(der).join("\n"))
}

/// PuTTY's private key file, version 3, without a passphrase (so the key of its MAC is empty).
fn ppk(key: &PrivateKey, comment: &str) -> Result<String, Error> {
    let algorithm = key.algorithm().to_string();
    let public = key.public_key().to_bytes().map_err(Error::internal)?;
    let private = match key.key_data() {
        KeypairData::Ed25519(pair) => string(pair.private.as_ref()),
        KeypairData::Rsa(pair) => {
            let rsa = pair.private();
            [rsa.d(), rsa.p(), rsa.q(), rsa.iqmp()].into_iter().flat_map(|n| string(n.as_bytes())).collect()
        }
        _ => return Err(Error::internal("unexpected kind of key")),
    };
    let signed: [&[u8]; 5] = [algorithm.as_bytes(), b"none", comment.as_bytes(), &public, &private];
    let mac = hmac(b"", &signed.into_iter().flat_map(string).collect::<Vec<u8>>());
    let (public, private) = (wrapped(&public), wrapped(&private));
    Ok(format!(
        "PuTTY-User-Key-File-3: {algorithm}\nEncryption: none\nComment: {comment}\nPublic-Lines: {}\n{}\nPrivate-Lines: {}\n{}\nPrivate-MAC: {}\n",
        public.len(),
        public.join("\n"),
        private.len(),
        private.join("\n"),
        hex(&mac)
    ))
}

/// An SSH string: its length in four bytes, then itself.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn read_name<'a>(call: &'a Call<'_>) -> Result<&'a str, Error> {
    let name = call.params.need("KeyName")?;
    if name.len() <= 255 && name.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
        return Ok(name);
    }
    Err(Error::value(format!("Value ({name}) for parameter KeyName is invalid. Up to 255 ASCII characters.")))
}

fn duplicate(name: &str) -> Error {
    Error::new("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."))
}

fn keep(call: &Call<'_>, name: &str, key: &PublicKey, fingerprint: String) -> Result<KeyPair, Error> {
    let tags = Specified::read(call.params, &["key-pair"])?.of(Kind::KeyPair);
    // The line without its comment: at launch the pair's name takes that place.
    let line = key.to_openssh().map_err(Error::internal)?;
    let public_line = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let kind = if matches!(key.key_data(), KeyData::Rsa(_)) { "rsa" } else { "ed25519" };
    let pair = KeyPair {
        id: id::fresh("key"),
        name: name.to_owned(),
        kind: kind.to_owned(),
        fingerprint,
        public_line,
        created: call.now,
        tags,
    };
    call.update(|region| {
        if region.key_pairs.contains_key(name) {
            return Err(duplicate(name));
        }
        region.key_pairs.insert(name.to_owned(), pair.clone());
        Ok(())
    })?;
    Ok(pair)
}

fn write_head(xml: &mut Xml, pair: &KeyPair) {
    xml.text("keyPairId", &pair.id).text("keyName", &pair.name).text("keyFingerprint", &pair.fingerprint);
}

/// DescribeKeyPairs.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["key-name", "key-pair-id", "fingerprint"])?;
    let (names, ids) = (call.params.list("KeyName"), call.params.list("KeyPairId"));
    let with_key = call.params.flag("IncludePublicKey")?.unwrap_or(false);
    let region = call.read()?;
    if let Some(name) = names.iter().find(|name| !region.key_pairs.contains_key(*name)) {
        return Err(Kind::KeyPair.not_found(&[name]));
    }
    Kind::KeyPair.check(&ids, |id| by_id(&region, id).is_some())?;
    let found = region.key_pairs.values().filter(|pair| {
        (names.is_empty() && ids.is_empty() || names.contains(&pair.name) || ids.contains(&pair.id))
            && filters.pass(&pair.tags, |name| {
                vec![match name {
                    "key-name" => pair.name.clone(),
                    "key-pair-id" => pair.id.clone(),
                    _ => pair.fingerprint.clone(),
                }]
            })
    });
    let mut xml = Xml::new();
    xml.list("keySet", found, |xml, pair| {
        write_head(xml, pair);
        xml.text("keyType", &pair.kind).text("createTime", pair.created);
        xml.some("publicKey", with_key.then(|| format!("{} {}", pair.public_line, pair.name)));
        tags::write(xml, &pair.tags);
    });
    Ok(xml)
}

/// DeleteKeyPair. A pair that is not there is no error.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let (name, id) = (call.params.get("KeyName"), call.params.get("KeyPairId"));
    if name.is_none() && id.is_none() {
        return Err(Error::missing("KeyName or KeyPairId"));
    }
    let gone = call.update(|region| {
        let found = name.map(str::to_owned).or_else(|| by_id(region, id?).map(|pair| pair.name.clone()));
        Ok::<_, Error>(found.and_then(|name| region.key_pairs.remove(&name)))
    })?;
    let mut xml = done();
    xml.some("keyPairId", gone.map(|pair| pair.id));
    Ok(xml)
}

fn by_id<'a>(region: &'a Region, id: &str) -> Option<&'a KeyPair> {
    region.key_pairs.values().find(|pair| pair.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ed25519_pairs_come_in_both_formats() {
        let made = make_ed25519().unwrap();
        assert!(made.pem.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert_eq!(made.fingerprint.len(), 44);
        let text = ppk(&made.key, "k").unwrap();
        assert!(
            text.starts_with("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: k\nPublic-Lines: 2\n")
        );
    }
}
