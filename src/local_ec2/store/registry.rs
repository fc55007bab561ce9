//! Pulls the layers of an image from a registry, anonymously. What is on loopback may speak plain HTTP.

use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::io::AsyncWrite;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::{At, Error};
use super::oci_source::LayerFile;
use super::scratch::Scratch;

/// Layers downloaded at the same time: registries slow down clients that ask for more.
const AT_ONCE: usize = 3;
/// A registry that says nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How far a base has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Bytes of its layers that have arrived, of all that will.
    Pulling {
        /// So far.
        done: u64,
        /// In the end.
        total: u64,
    },
    /// A layer is being unpacked.
    Unpacking {
        /// Which, from 1.
        layer: usize,
        /// Of how many.
        of: usize,
    },
}

/// Who wants to know how far a base has come. Called from several threads, and often.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Downloads the layers of the image for this machine's architecture into `tmp`. The files go with the scratches.
pub(super) async fn pull(
    reference: &str,
    tmp: &Path,
    on_progress: &OnProgress,
) -> Result<Vec<(Scratch, LayerFile)>, Error> {
    let image: Reference = reference.parse().map_err(|error| failed(reference, error))?;
    // reqwest finds its cryptography here, and refuses to start without; that it is installed already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(config(&image));
    let manifest = client.pull_image_manifest(&image, &RegistryAuth::Anonymous).await;
    let (manifest, _digest) = manifest.map_err(|error| failed(reference, error))?;
    let total = manifest.layers.iter().map(|layer| u64::try_from(layer.size).unwrap_or(0)).sum();
    let meter = Meter { done: Arc::default(), total, on_progress: Arc::clone(on_progress) };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut downloads = JoinSet::new();
    for (nth, layer) in manifest.layers.into_iter().enumerate() {
        let (client, image, meter) = (client.clone(), image.clone(), meter.clone());
        let (places, (scratch, file)) = (Arc::clone(&places), Scratch::file(tmp)?);
        downloads.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire_owned().await;
            download(&client, &image, layer, scratch, file, meter).await.map(|done| (nth, done))
        });
    }
    let mut layers = Vec::new();
    while let Some(done) = downloads.join_next().await {
        layers.push(done.map_err(|_| Error::Worker("pulled a layer"))??);
    }
    layers.sort_by_key(|(nth, _)| *nth);
    Ok(layers.into_iter().map(|(_, layer)| layer).collect())
}

async fn download(
    client: &Client,
    image: &Reference,
    layer: OciDescriptor,
    scratch: Scratch,
    file: std::fs::File,
    meter: Meter,
) -> Result<(Scratch, LayerFile), Error> {
    let path = scratch.path().to_owned();
    let again = std::fs::File::open(&path).at("open", &path)?;
    let metered = Metered { file: tokio::fs::File::from_std(file), meter };
    client.pull_blob(image, &layer, metered).await.map_err(|error| failed(&image.whole(), error))?;
    // The client has compared the digest; reading it compares it again, against damage on this disk.
    Ok((scratch, LayerFile { path, file: again, digest: Some(layer.digest) }))
}

fn config(image: &Reference) -> ClientConfig {
    let registry = image.resolve_registry();
    let plain = if is_loopback(registry) { vec![registry.to_owned()] } else { Vec::new() };
    ClientConfig {
        protocol: ClientProtocol::HttpsExcept(plain),
        read_timeout: Some(SILENCE),
        connect_timeout: Some(SILENCE / 4),
        user_agent: concat!("kiln/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    }
}

/// Whether `HOST` or `HOST:PORT` is this machine.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn failed(reference: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Registry { reference: reference.to_owned(), source: Box::new(error) }
}

#[derive(Clone)]
struct Meter {
    done: Arc<AtomicU64>,
    total: u64,
    on_progress: OnProgress,
}

/// A file that counts what is written to it.
struct Metered {
    file: tokio::fs::File,
    meter: Meter,
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.file).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &polled {
            let meter = &self.meter;
            let done = meter.done.fetch_add(*count as u64, Ordering::Relaxed) + *count as u64;
            (meter.on_progress)(Progress::Pulling { done, total: meter.total });
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in ["docker.io", "localhost.example.com", "10.0.0.1:5000", "127.0.0.1.nip.io"] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }
}
