//! Archives from anywhere do not get out of their directory.

use std::fs;
use std::io::Write;

use tar::{EntryType, Header};

use super::Fixture;
use crate::local_ec2::store::{BaseSource, Error};

type Member = (EntryType, &'static str, &'static str);

/// A tar with names that the `tar` crate's builder would refuse to write.
fn archive(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, name, link) in members {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        header.set_cksum();
        bytes.write_all(header.as_bytes()).unwrap();
    }
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

#[test]
fn members_that_lead_out_are_refused() {
    use EntryType::{Char, Directory, Link, Regular, Symlink};
    let cases: &[&[Member]] = &[
        &[(Regular, "../escaped", "")],
        &[(Regular, "/escaped", "")],
        &[(Regular, "a/../../escaped", "")],
        &[(Symlink, "out", "../.."), (Regular, "out/escaped", "")],
        &[(Symlink, "out", "/tmp"), (Regular, "out/escaped", "")],
        &[(Directory, "d", ""), (Symlink, "d/out", "../.."), (Directory, "d/out/escaped", "")],
        &[(Link, "passwd", "../../../../../../etc/passwd")],
        &[(Link, "passwd", "/etc/passwd")],
        &[(Symlink, "etc", "/etc"), (Link, "passwd", "etc/passwd")],
        &[(Link, "missing", "nothing")],
        &[(Symlink, "out", "/etc"), (Regular, "out/.wh.passwd", "")],
        &[(Regular, "../.wh.host", "")],
        &[(Regular, ".wh...", "")],
        &[(Regular, ".wh.", "")],
        &[(Char, "whiteout", "")],
        &[(Regular, "file", ""), (Regular, "file/below", "")],
        &[(EntryType::new(b'%'), "odd", "")],
    ];
    for members in cases {
        let fixture = Fixture::new();
        let path = fixture.path("evil.tar");
        fs::write(&path, archive(members)).unwrap();
        let error = fixture.store.import(&BaseSource::RootTar(path)).expect_err(&format!("{members:?}"));
        assert!(matches!(error, Error::Refused { .. } | Error::Io { .. }), "{members:?}: {error}");
        assert!(!fixture.path("escaped").exists() && !fixture.path("store/escaped").exists(), "{members:?}");
        assert!(!fixture.path("store/tmp/escaped").exists() && fixture.host().exists(), "{members:?}");
        assert_eq!(fs::read_dir(fixture.path("store/tmp")).unwrap().count(), 0, "{members:?}");
        assert_eq!(fs::read_dir(fixture.path("store/layers")).unwrap().count(), 0, "{members:?}");
    }
}

#[test]
fn links_that_stay_inside_are_followed() {
    let fixture = Fixture::new();
    let path = fixture.path("fine.tar");
    let members = [
        (EntryType::Directory, "./usr/lib/", ""),
        (EntryType::Symlink, "./lib", "usr/lib"),
        (EntryType::Regular, "./lib/x", ""),
        (EntryType::Link, "./y", "./lib/x"),
    ];
    fs::write(&path, archive(&members)).unwrap();
    let imported = fixture.store.import(&BaseSource::recognise(path.to_str().unwrap()).unwrap()).unwrap();
    let dir = fixture.store.unpack(&imported.layers[0].digest).unwrap();
    assert!(dir.join("usr/lib/x").is_file() && dir.join("y").is_file());
}

#[test]
fn deletions_are_carried_out_when_layers_are_flattened() {
    use std::path::Path;

    use super::listing;
    use crate::local_ec2::store::unpack::{Deletions, unpack};
    use EntryType::{Directory, Regular};

    let fixture = Fixture::new();
    let root = fixture.path("flat");
    fs::create_dir(&root).unwrap();
    let layers: [&[Member]; 2] = [
        &[
            (Regular, "a", ""),
            (Directory, "d/", ""),
            (Regular, "d/x", ""),
            (Regular, "d/s/y", ""),
            (Regular, "e/z", ""),
            (Regular, "f/z", ""),
        ],
        // Deletions may come after what the same layer makes, and do not concern it.
        &[
            (Regular, "d/new", ""),
            (Regular, "d/s/new", ""),
            (Regular, "d/.wh..wh..opq", ""),
            (Regular, ".wh.a", ""),
            (Regular, "e", ""),
            (Regular, "f/new", ""),
            (Regular, ".wh.f", ""),
        ],
    ];
    for layer in layers {
        unpack(archive(layer).as_slice(), &root, Deletions::CarryOut).unwrap();
    }
    let names: Vec<_> = listing(&root).into_keys().collect();
    assert_eq!(names, ["d", "d/new", "d/s", "d/s/new", "e", "f", "f/new"].map(Path::new));
}
