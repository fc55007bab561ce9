//! Bases come from anything that holds a root.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::{Fixture, is_root, listing, record, write};
use crate::local_ec2::store::{BaseKind, BaseSource, Error, HOST, Store};

fn add(store: &Store, name: &str, source: BaseSource) -> Result<super::super::Base, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.add_base(name, source, Store::no_progress()))
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn make_root(root: &Path) {
    write(&root.join("usr/bin/sh"), "sh\n");
    write(&root.join("usr/lib/os-release"), "ID=ubuntu\nVERSION_ID=\"22.04\"\n");
    std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
    fs::hard_link(root.join("usr/bin/sh"), root.join("usr/bin/dash")).unwrap();
    fs::create_dir(root.join("etc")).unwrap();
    std::os::unix::fs::symlink("../usr/lib/os-release", root.join("etc/os-release")).unwrap();
    if is_root() {
        std::os::unix::fs::chown(root.join("usr/bin/sh"), Some(1), Some(2)).unwrap();
    }
}

#[test]
fn a_directory_and_tars_become_bases() {
    let fixture = Fixture::new();
    let root = fixture.path("root");
    make_root(&root);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut sources = vec![text(&root)];
    for (suffix, option) in [("tar", "--format=gnu"), ("tar.gz", "-z"), ("tar.xz", "-J"), ("tar.zst", "--zstd")] {
        let path = text(&fixture.path(&format!("root.{suffix}")));
        if run("tar", &["-C", &text(&root), "--numeric-owner", "--format=posix", option, "-cf", &path, "."]) {
            sources.push(path);
        }
    }
    for (nth, source) in sources.iter().enumerate() {
        let name = format!("ubuntu-{nth}");
        let base = add(&fixture.store, &name, BaseSource::recognise(source).unwrap()).unwrap();
        let (mut expected, mut found) = (listing(&root), listing(&base.dir));
        if source.ends_with("tar") {
            // GNU's own format has whole seconds.
            expected
                .values_mut()
                .chain(found.values_mut())
                .for_each(|text| *text = text.split('.').next().unwrap().to_owned());
        }
        assert_eq!(found, expected, "{source}");
        assert_eq!((base.source.as_str(), base.distribution.short().as_str()), (source.as_str(), "ubuntu 22.04"));
        assert!(matches!(
            add(&fixture.store, &name, BaseSource::recognise(source).unwrap()),
            Err(Error::BaseExists(_))
        ));
    }
    assert_eq!(fixture.store.list_bases().unwrap().len(), sources.len());
}

#[test]
fn a_wish_is_granted_with_a_base_and_the_base_is_claimed() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let before = store.resolve("wish:ubuntu:22.04", &[]).unwrap();
    assert_eq!(before.note.as_deref(), Some("ubuntu 22.04 is played by debian 12 (this host)"));
    assert_eq!((before.base, before.login_user.as_str()), (BaseKind::Host, "ubuntu"));
    make_root(&fixture.path("root"));
    add(store, "jammy", BaseSource::Directory(fixture.path("root"))).unwrap();
    let root = store.resolve("wish:ubuntu:22.04", &[]).unwrap();
    assert_eq!((root.base, root.base_name.as_str(), root.note.as_deref()), (BaseKind::Directory, "jammy", None));
    let error = store.remove_base("jammy").unwrap_err();
    assert_eq!(error.to_string(), "base `jammy` is in use by an instance");
    drop(root);
    store.remove_base("jammy").unwrap();
    assert!(matches!(store.resolve("jammy", &[]), Err(Error::BaseMissing(_))));
    assert!(store.list_bases().unwrap().is_empty() && store.resolve(HOST, &[]).is_ok());
}

#[test]
fn what_is_no_root_does_not_become_a_base() {
    let fixture = Fixture::new();
    write(&fixture.path("empty/file"), "x");
    for source in [BaseSource::Directory(fixture.path("empty")), BaseSource::Directory("/".into())] {
        assert!(matches!(add(&fixture.store, "a", source), Err(Error::BadSource { .. })));
    }
    for name in ["host", "scratch", "../x", "a:b"] {
        assert!(add(&fixture.store, name, BaseSource::Directory(fixture.host())).is_err(), "{name}");
    }
    assert_eq!(fs::read_dir(fixture.path("store/tmp")).unwrap().count(), 0);
    assert!(fixture.store.list_bases().unwrap().is_empty());
}

/// Needs skopeo: the same image goes through every form that it writes.
#[test]
fn other_tools_read_the_layout_and_their_archives_are_read() {
    if !is_root() || !run("skopeo", &["--version"]) {
        return;
    }
    let fixture = Fixture::new();
    make_root(&fixture.path("upper"));
    let lower = fixture.store.commit_layer(&fixture.path("upper"), &[]).unwrap().digest;
    let upper = fixture.layer("upper2", &[("etc/app", "baked")]);
    fixture.store.put_image("ami-1", &record("scratch", &[lower.clone(), upper.clone()])).unwrap();
    let from = format!("oci:{}:ami-1", fixture.store.dir().display());
    assert!(run("skopeo", &["inspect", &from]));
    let expected = listing(&fixture.store.unpack(&lower).unwrap().join("usr"));
    // Not docker-archive: skopeo 1.9 refuses to decompress zstd for it.
    for (nth, kind) in ["oci-archive", "oci"].into_iter().enumerate() {
        let path = fixture.path(kind);
        let to = format!("{kind}:{}:web:1", path.display());
        assert!(run("skopeo", &["copy", "--insecure-policy", &from, &to]), "{to}");
        for (nth2, source) in [to.as_str(), path.to_str().unwrap()].into_iter().enumerate() {
            let source = BaseSource::recognise(source).unwrap();
            let base = add(&fixture.store, &format!("b{nth}{nth2}"), source.clone()).unwrap();
            assert_eq!(fs::read_to_string(base.dir.join("etc/app")).unwrap(), "baked", "{source:?}");
            assert_eq!(listing(&base.dir.join("usr")), expected, "{source:?}");
            let imported = fixture.store.import(&source).unwrap();
            let digests: Vec<_> = imported.layers.into_iter().map(|layer| layer.digest).collect();
            assert_eq!(digests, [lower.clone(), upper.clone()], "{source:?}");
        }
    }
}

#[test]
fn an_archive_of_docker_save_becomes_a_base() {
    let fixture = Fixture::new();
    make_root(&fixture.path("upper"));
    let lower = fixture.store.commit_layer(&fixture.path("upper"), &[]).unwrap().digest;
    let upper = fixture.layer("upper2", &[("etc/app", "baked")]);
    let path = fixture.path("image.tar");
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let mut add_file = |name: &str, data: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        tar.append_data(&mut header, name, data).unwrap();
    };
    for (name, digest) in [("a/layer.tar", &lower), ("b/layer.tar", &upper)] {
        let blob = File::open(fixture.path("store/blobs/sha256").join(&digest[7..])).unwrap();
        add_file(name, &zstd::decode_all(blob).unwrap());
    }
    let manifest = br#"[{"Config":"c.json","RepoTags":["docker.io/web:1"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;
    add_file("manifest.json", manifest);
    tar.finish().unwrap();
    for (name, source) in [
        ("one", format!("docker-archive:{}", path.display())),
        ("two", format!("docker-archive:{}:web:1", path.display())),
    ] {
        let base = add(&fixture.store, name, BaseSource::recognise(&source).unwrap()).unwrap();
        assert!(base.dir.join("etc/app").exists() && base.dir.join("usr/bin/dash").exists());
        assert_eq!(base.source, source);
    }
    let missing = BaseSource::DockerArchive(path, Some("other:1".to_owned()));
    assert!(matches!(add(&fixture.store, "three", missing), Err(Error::BadSource { .. })));
}
