//! A layer keeps everything of a tree, and the same tree gives the same layer.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{Fixture, is_root, listing, write};
use crate::local_ec2::store::Error;

/// A tree with one of everything.
fn make_everything(root: &Path) {
    write(&root.join("etc/app.conf"), "a=1\n");
    write(&root.join("usr/bin/su"), "#!/bin/sh\n");
    write(&root.join(format!("deep/{}/{}", "d".repeat(120), "f".repeat(200))), "long\n");
    symlink("/etc/app.conf", root.join("etc/link")).unwrap();
    symlink("x".repeat(150), root.join("etc/long-link")).unwrap();
    fs::hard_link(root.join("usr/bin/su"), root.join("usr/bin/sudo")).unwrap();
    xattr::set(root.join("etc/app.conf"), "user.note", b"line\nbreak\0=").unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.write_all_at(b"end", 3 << 20).unwrap();
    UnixListener::bind(root.join("socket")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), Mode::from_bits_truncate(0o640)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    File::open(root.join("etc/app.conf")).unwrap().set_modified(time).unwrap();
    if is_root() {
        std::os::unix::fs::chown(root.join("etc/app.conf"), Some(1000), Some(3_000_000)).unwrap();
        std::os::unix::fs::lchown(root.join("etc/link"), Some(7), Some(8)).unwrap();
        mknod(&root.join("null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3)).unwrap();
        mknod(&root.join("gone"), SFlag::S_IFCHR, Mode::empty(), 0).unwrap();
        fs::create_dir(root.join("fresh")).unwrap();
        xattr::set(root.join("fresh"), "trusted.overlay.opaque", b"y").unwrap();
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        xattr::set(root.join("usr/bin/su"), "security.capability", &capability).unwrap();
    }
    fs::set_permissions(root.join("usr/bin/su"), Permissions::from_mode(0o4755)).unwrap();
    // Last, because everything above touches a directory.
    File::open(root.join("etc")).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_layer_keeps_everything_and_gives_the_same_digest_again() {
    let fixture = Fixture::new();
    let upper = fixture.path("upper");
    make_everything(&upper);
    let layer = fixture.store.commit_layer(&upper, &[]).unwrap();
    assert_eq!(fixture.store.commit_layer(&upper, &[]).unwrap(), layer);
    assert_eq!(fixture.store.layer(&layer.digest).unwrap(), layer);

    let unpacked = fixture.store.unpack(&layer.digest).unwrap();
    assert_eq!(fixture.store.unpack(&layer.digest).unwrap(), unpacked);
    fs::remove_file(upper.join("socket")).unwrap();
    // The root's own time changed with the socket, and is not part of the layer.
    assert_eq!(listing(&unpacked), listing(&upper));
    if is_root() {
        assert_eq!(xattr::get(unpacked.join("fresh"), "trusted.overlay.opaque").unwrap().unwrap(), b"y");
    }
    let sparse = fs::metadata(unpacked.join("sparse")).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&sparse) < 1024, "the hole was filled");
    assert_eq!(fixture.store.commit_layer(&unpacked, &[]).unwrap().digest, layer.digest);
}

#[test]
fn excluded_paths_leave_no_trace() {
    let fixture = Fixture::new();
    for (name, files) in [("one", &["etc/kept", "run/pid", "etc/secret"][..]), ("two", &["etc/kept"])] {
        for file in files {
            write(&fixture.path(name).join(file), "x");
        }
        let time = SystemTime::UNIX_EPOCH;
        for path in ["etc/kept", "etc"] {
            File::open(fixture.path(name).join(path)).unwrap().set_modified(time).unwrap();
        }
    }
    let exclude = [PathBuf::from("/run"), PathBuf::from("etc/secret")];
    let one = fixture.store.commit_layer(&fixture.path("one"), &exclude).unwrap();
    assert_eq!(one.digest, fixture.store.commit_layer(&fixture.path("two"), &[]).unwrap().digest);
}

#[test]
fn what_a_layer_cannot_hold_is_an_error() {
    let fixture = Fixture::new();
    write(&fixture.path("one/.wh.file"), "x");
    let error = fixture.store.commit_layer(&fixture.path("one"), &[]).unwrap_err();
    assert!(matches!(error, Error::Unrepresentable { .. }), "{error}");
    if is_root() {
        write(&fixture.path("two/dir/file"), "x");
        xattr::set(fixture.path("two/dir"), "trusted.overlay.redirect", b"/other").unwrap();
        assert!(fixture.store.commit_layer(&fixture.path("two"), &[]).is_err());
    }
    assert_eq!(fs::read_dir(fixture.path("store/tmp")).unwrap().count(), 0);
}

#[test]
fn a_damaged_blob_is_not_unpacked() {
    let fixture = Fixture::new();
    let digest = fixture.layer("upper", &[("a", "content")]);
    let blob = fixture.path("store/blobs/sha256").join(&digest[7..]);
    let other = fixture.layer("other", &[("a", "something else")]);
    fs::copy(fixture.path("store/blobs/sha256").join(&other[7..]), &blob).unwrap();
    let error = fixture.store.unpack(&digest).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
    assert!(!fixture.path("store/layers").join(&digest[7..]).exists());
    assert_eq!(fs::read_dir(fixture.path("store/tmp")).unwrap().count(), 0);
}
