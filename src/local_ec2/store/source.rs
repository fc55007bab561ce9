//! Where a base or an image may come from, and how that is told.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::archive::decompressed;
use super::error::{At, Error};
use super::tar_read::TarReader;
use super::tree::parts;

/// A source of a root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseSource {
    /// A directory, which is copied.
    Directory(PathBuf),
    /// A tar of a whole root, plain or compressed with gzip, zstd or xz.
    RootTar(PathBuf),
    /// A directory in OCI image layout, and the name of an image in it.
    OciLayout(PathBuf, Option<String>),
    /// A tar of an OCI image layout, as `podman save --format oci-archive` and newer `docker save` write it.
    OciArchive(PathBuf, Option<String>),
    /// A tar as `docker save` wrote it before.
    DockerArchive(PathBuf, Option<String>),
    /// A reference to an image in a registry, such as `debian:12` or `public.ecr.aws/amazonlinux/amazonlinux:2023`.
    Registry(String),
}

impl BaseSource {
    /// Tells what a text means: with a prefix as skopeo has them (`oci:`, `oci-archive:`, `docker-archive:`,
    /// `docker://`), else by what is at that path, else as a reference.
    pub fn recognise(text: &str) -> Result<Self, Error> {
        if let Some(reference) = text.strip_prefix("docker://") {
            return Ok(Self::Registry(reference.to_owned()));
        }
        type Make = fn(PathBuf, Option<String>) -> BaseSource;
        let prefixes: [(&str, Make); 3] =
            [("oci:", Self::OciLayout), ("oci-archive:", Self::OciArchive), ("docker-archive:", Self::DockerArchive)];
        for (prefix, make) in prefixes {
            if let Some(rest) = text.strip_prefix(prefix) {
                let (path, name) = split_name(rest);
                return Ok(make(existing(text, path)?, name));
            }
        }
        let path = Path::new(text);
        if path.is_dir() {
            let layout = path.join("oci-layout").is_file();
            let path = path.to_owned();
            return Ok(if layout { Self::OciLayout(path, None) } else { Self::Directory(path) });
        }
        if path.exists() {
            return sniff(path);
        }
        // `./x` and `/x` are never references, so a missing file is not looked for in a registry.
        if text.starts_with(['.', '/', '~']) {
            existing(text, path).map(Self::RootTar)
        } else {
            Ok(Self::Registry(text.to_owned()))
        }
    }
}

fn existing(text: &str, path: &Path) -> Result<PathBuf, Error> {
    if path.exists() {
        Ok(path.to_owned())
    } else {
        Err(Error::BadSource { source_text: text.to_owned(), reason: "does not exist".to_owned() })
    }
}

/// `PATH:NAME`, unless all of it is a path that exists. The name of an image may hold a colon itself, and so may a path.
fn split_name(text: &str) -> (&Path, Option<String>) {
    if Path::new(text).exists() {
        return (Path::new(text), None);
    }
    let mut splits = text.match_indices(':').map(|(at, _)| (Path::new(&text[..at]), &text[at + 1..]));
    match splits.find(|(path, _)| path.exists()) {
        Some((path, name)) => (path, Some(name.to_owned())),
        None => (Path::new(text), None),
    }
}

/// Tells archives apart by their first members: a whole root is not read to its end for that.
fn sniff(path: &Path) -> Result<BaseSource, Error> {
    let mut tar = TarReader::new(decompressed(File::open(path).at("open", path)?).at("read", path)?);
    let (mut docker, mut oci) = (false, false);
    // The archives of images have their few documents among blobs; a root has /bin, /boot or /etc here.
    for _ in 0..64 {
        let Some(entry) = tar.next().at("read", path)? else { break };
        let parts = parts(&entry.path).unwrap_or_default();
        let first = parts.first().copied().unwrap_or(OsStr::new("")).to_string_lossy().into_owned();
        match first.as_str() {
            "oci-layout" | "index.json" => return Ok(BaseSource::OciArchive(path.to_owned(), None)),
            "manifest.json" | "repositories" => docker = true,
            "blobs" => oci = true,
            "" => {}
            other if is_docker_layer(other) => docker = true,
            _ => break,
        }
    }
    let path = path.to_owned();
    Ok(match (docker, oci) {
        (true, _) => BaseSource::DockerArchive(path, None),
        (false, true) => BaseSource::OciArchive(path, None),
        (false, false) => BaseSource::RootTar(path),
    })
}

/// Layers and configurations in `docker save`'s old form are named by their digests.
fn is_docker_layer(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_by_prefix_path_or_as_a_reference() {
        let dir = tempfile::tempdir().unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        std::fs::create_dir(dir.path().join("layout")).unwrap();
        std::fs::write(dir.path().join("layout/oci-layout"), "{}").unwrap();
        let layout = dir.path().join("layout");
        let cases = [
            (text(&layout), BaseSource::OciLayout(layout.clone(), None)),
            (format!("oci:{}:a:1", layout.display()), BaseSource::OciLayout(layout.clone(), Some("a:1".to_owned()))),
            (text(dir.path()), BaseSource::Directory(dir.path().to_owned())),
            ("debian:12".to_owned(), BaseSource::Registry("debian:12".to_owned())),
            ("docker://127.0.0.1:5000/x".to_owned(), BaseSource::Registry("127.0.0.1:5000/x".to_owned())),
        ];
        for (source, expected) in cases {
            assert_eq!(BaseSource::recognise(&source).unwrap(), expected, "{source}");
        }
        for missing in ["/no/such.tar", "./no.tar", "oci:/no/such"] {
            assert!(matches!(BaseSource::recognise(missing), Err(Error::BadSource { .. })), "{missing}");
        }
    }

    #[test]
    fn archives_are_told_by_their_first_members() {
        let digest = "0".repeat(64);
        let cases = [
            (vec!["blobs/", "blobs/sha256/x", "oci-layout"], "oci"),
            (vec!["blobs/sha256/x", "manifest.json"], "docker"),
            (vec![digest.as_str(), "manifest.json"], "docker"),
            (vec!["./", "./bin/sh"], "root"),
        ];
        for (names, expected) in cases {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut tar = tar::Builder::new(file.as_file());
            for name in &names {
                let mut header = tar::Header::new_ustar();
                header.set_size(0);
                header.set_mode(0o755);
                header.set_uid(0);
                header.set_gid(0);
                header.set_entry_type(if name.ends_with('/') {
                    tar::EntryType::Directory
                } else {
                    tar::EntryType::Regular
                });
                tar.append_data(&mut header, name, std::io::empty()).unwrap();
            }
            tar.finish().unwrap();
            let told = match sniff(file.path()).unwrap() {
                BaseSource::OciArchive(..) => "oci",
                BaseSource::DockerArchive(..) => "docker",
                _ => "root",
            };
            assert_eq!(told, expected, "{names:?}");
        }
    }
}
