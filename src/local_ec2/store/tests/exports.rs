//! An export holds what was baked, and never the host's secrets.

use nix::sys::stat::{Mode, SFlag, mknod};

use super::{Fixture, is_root, members, record, scratch_record};
use crate::local_ec2::store::{Error, ExportContents, HOST, Masks, Store};

fn masks() -> Masks {
    Masks {
        hidden: vec!["/root".into(), "/etc/not-there".into()],
        replaced: vec![("/etc/shadow".into(), b"root:*\n".to_vec())],
    }
}

#[test]
fn layers_are_merged_and_deletions_in_the_base_kept() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new();
    let first = fixture.layer("first", &[("etc/a", "1"), ("etc/b", "1"), ("opt/x/y", "1")]);
    for gone in ["etc/a", "opt", "usr/bin/tool", "usr/nothing"] {
        std::fs::create_dir_all(fixture.path("second").join(gone).parent().unwrap()).unwrap();
        mknod(&fixture.path("second").join(gone), SFlag::S_IFCHR, Mode::empty(), 0).unwrap();
    }
    let second = fixture.layer("second", &[("etc/b", "2")]);
    fixture.store.put_image("ami-1", &record(HOST, &[first, second])).unwrap();
    let out = fixture.path("out.tar.gz");
    fixture.store.export("ami-1", &out, ExportContents::Layers, &Masks::default()).unwrap();
    let names: Vec<_> = members(&out).into_keys().collect();
    assert_eq!(names, ["etc/", "etc/b", "usr/", "usr/bin/", "usr/bin/.wh.tool"]);
    assert_eq!(members(&out)["etc/b"], "2");
}

#[test]
fn an_export_with_the_host_shows_no_secret() {
    let fixture = Fixture::new();
    let layer = fixture.layer("upper", &[("root/.profile", "baked"), ("etc/app", "baked")]);
    fixture.store.put_image("ami-1", &record(HOST, &[layer])).unwrap();
    let out = fixture.path("out.tar.zst");
    let error = fixture.store.export("ami-1", &out, ExportContents::WithBase, &Masks::default()).unwrap_err();
    assert!(matches!(error, Error::HostUnmasked) && !out.exists());
    fixture.store.export("ami-1", &out, ExportContents::WithBase, &masks()).unwrap();
    let found = members(&out);
    assert_eq!(found["etc/shadow"], "root:*\n");
    assert_eq!((found["root/.profile"].as_str(), found["etc/app"].as_str()), ("baked", "baked"));
    assert!(found.contains_key("usr/bin/tool") && !found.contains_key("root/.ssh/"));
    assert!(!found.values().any(|data| data.contains("secret")));
}

#[test]
fn the_store_itself_is_not_exported() {
    let fixture = Fixture::new();
    let store = Store::open_over(&fixture.host().join("var/lib/kiln"), &fixture.host()).unwrap();
    store.put_image("ami-1", &record(HOST, &[])).unwrap();
    let out = fixture.path("out.tar");
    store.export("ami-1", &out, ExportContents::WithBase, &masks()).unwrap();
    let found = members(&out);
    assert!(found.contains_key("var/lib/kiln/") && !found.contains_key("var/lib/kiln/index.json"));
}

#[test]
fn an_image_without_a_base_is_exported_whole() {
    let fixture = Fixture::new();
    let layer = fixture.layer("upper", &[("etc/app", "baked")]);
    fixture.store.put_image("ami-1", &scratch_record(&[layer])).unwrap();
    let out = fixture.path("out.tar");
    fixture.store.export("ami-1", &out, ExportContents::WithBase, &Masks::default()).unwrap();
    assert_eq!(members(&out).into_keys().collect::<Vec<_>>(), ["etc/", "etc/app"]);
}
