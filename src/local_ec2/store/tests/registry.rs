//! A base from a registry, which here is a few lines on loopback that serve another store's blobs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Fixture, scratch_record};
use crate::local_ec2::store::{BaseSource, Error, Progress};

/// Answers one request of the distribution API from the layout in `dir`.
fn answer(stream: TcpStream, dir: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let index: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("index.json"))?)?;
    let manifest = index["manifests"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let (digest, kind) = match path.rsplit_once('/') {
        Some((_, "latest")) => (manifest, "application/vnd.oci.image.manifest.v1+json"),
        Some((_, digest)) if path.contains("/blobs/") => (digest.to_owned(), "application/octet-stream"),
        _ => (String::new(), "application/json"),
    };
    let hex = digest.strip_prefix("sha256:").unwrap_or("none").to_owned();
    let (status, body) = match fs::read(dir.join("blobs/sha256").join(hex)) {
        Ok(body) => ("200 OK", body),
        Err(_) if path == "/v2/" => ("200 OK", Vec::new()),
        Err(_) => ("404 Not Found", b"{}".to_vec()),
    };
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len())?;
    write!(stream, "Connection: close\r\n\r\n")?;
    stream.write_all(&body)
}

/// Serves until the test's process ends.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up early is the client's business.
            let _ = answer(stream, &dir);
        }
    });
    address
}

#[test]
fn a_base_is_pulled_from_a_registry_on_loopback() {
    let theirs = Fixture::new();
    let layers = vec![
        theirs.layer("one", &[("usr/bin/tool", "1"), ("usr/lib/os-release", "ID=alpine\nVERSION_ID=3.20\n")]),
        theirs.layer("two", &[("usr/bin/tool", "2")]),
    ];
    theirs.store.put_image("ami-1", &scratch_record(&layers)).unwrap();
    let registry = serve(theirs.path("store"));

    let ours = Fixture::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let report = Arc::clone(&seen);
    let source = BaseSource::Registry(format!("{registry}/web:latest"));
    let on_progress = Arc::new(move |progress| report.lock().unwrap().push(progress));
    let base = runtime.block_on(ours.store.add_base("alpine", source, on_progress)).unwrap();
    assert_eq!(fs::read_to_string(base.dir.join("usr/bin/tool")).unwrap(), "2");
    assert_eq!(base.distribution.short(), "alpine 3.20");
    let seen = seen.lock().unwrap();
    let total = layers.iter().map(|digest| theirs.store.layer(digest).unwrap().size).sum();
    assert!(seen.contains(&Progress::Pulling { done: total, total }), "{seen:?}");
    assert_eq!(seen.last(), Some(&Progress::Unpacking { layer: 2, of: 2 }));

    let missing = BaseSource::Registry(format!("{registry}/web:other"));
    let error =
        runtime.block_on(ours.store.add_base("other", missing, super::super::Store::no_progress())).unwrap_err();
    assert!(matches!(error, Error::Registry { .. }), "{error}");
    assert_eq!(fs::read_dir(ours.path("store/tmp")).unwrap().count(), 0);
}
