//! Images come and go while other processes use the store.

use std::fs;

use super::{Fixture, record, scratch_record};
use crate::local_ec2::store::{Error, HOST, Image, Store};

#[test]
fn an_image_is_what_was_put() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let layers = vec![fixture.layer("one", &[("a", "1")]), fixture.layer("two", &[("b", "2")])];
    let put = record(HOST, &layers);
    store.put_image("ami-2", &scratch_record(&[])).unwrap();
    store.put_image("ami-1", &put).unwrap();
    store.put_image("ami-1", &put).unwrap();
    let reopened = Store::open(store.dir()).unwrap();
    let images = reopened.images().unwrap();
    assert_eq!(images.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(), ["ami-1", "ami-2"]);
    let details: Vec<_> = layers.iter().map(|digest| store.layer(digest).unwrap()).collect();
    assert_eq!(images[0], Image { id: "ami-1".to_owned(), record: put, layers: details });
    store.remove_image("ami-1").unwrap();
    assert!(matches!(store.image("ami-1"), Err(Error::ImageMissing(_))));
    assert!(matches!(store.remove_image("ami-1"), Err(Error::ImageMissing(_))));
}

#[test]
fn names_and_layers_are_checked() {
    let fixture = Fixture::new();
    for name in ["", "../ami", "a/b", "a:b", ".a", "a,b"] {
        assert!(matches!(fixture.store.put_image(name, &scratch_record(&[])), Err(Error::BadName { .. })), "{name}");
    }
    let missing = format!("sha256:{}", "0".repeat(64));
    for (digest, known) in [(missing.as_str(), true), ("sha256:../../../etc/passwd", false)] {
        let record = scratch_record(&[digest.to_owned()]);
        let error = fixture.store.put_image("ami-1", &record).unwrap_err();
        assert_eq!(matches!(error, Error::LayerMissing(_)), known, "{error}");
        assert!(fixture.store.resolve(HOST, &record.layers).is_err());
    }
}

#[test]
fn only_what_nobody_needs_is_collected() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let other = Store::open(store.dir()).unwrap();
    let layer = |name: &str| fixture.layer(name, &[("name", name)]);
    let exists =
        |digest: &str| store.layer(digest).is_ok() && fixture.path("store/blobs/sha256").join(&digest[7..]).exists();

    let (used, orphan, kept, running, fresh) =
        (layer("used"), layer("orphan"), layer("kept"), layer("running"), layer("fresh"));
    store.put_image("ami-1", &scratch_record(std::slice::from_ref(&used))).unwrap();
    // Naming them in an image ends this process's own claim.
    let named = [orphan.clone(), kept.clone(), running.clone()];
    store.put_image("ami-2", &scratch_record(&named)).unwrap();
    store.unpack(&orphan).unwrap();
    let root = store.resolve(HOST, std::slice::from_ref(&running)).unwrap();
    assert_eq!(other.garbage_collect(&[]).unwrap().items, 0);

    store.remove_image("ami-2").unwrap();
    let collected = other.garbage_collect(std::slice::from_ref(&kept)).unwrap();
    // The orphan, and the manifest and configuration of the image that went.
    assert_eq!(collected.items, 3);
    assert!(collected.bytes > 0 && !exists(&orphan));
    assert!(!fixture.path("store/layers").join(&orphan[7..]).exists());
    for digest in [&used, &kept, &running, &fresh] {
        assert!(exists(digest));
    }
    drop(root);
    assert_eq!(other.garbage_collect(&[]).unwrap().items, 2);
    assert!(exists(&used) && exists(&fresh) && !exists(&kept) && !exists(&running));
    assert_eq!(fs::read_dir(fixture.path("store/tmp")).unwrap().count(), 0);
}

#[test]
fn several_unpack_one_layer_once() {
    let fixture = Fixture::new();
    let digest = fixture.layer("one", &[("a", "1"), ("b/c", "2")]);
    let dirs: Vec<_> = std::thread::scope(|scope| {
        let unpack = || Store::open(fixture.store.dir()).unwrap().unpack(&digest).unwrap();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(unpack)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(dirs.iter().all(|dir| dir == &dirs[0] && dir.join("b/c").is_file()));
}

#[test]
fn an_unpacked_layer_of_another_boot_is_unpacked_again() {
    let fixture = Fixture::new();
    let digest = fixture.layer("one", &[("a", "1")]);
    let dir = fixture.store.unpack(&digest).unwrap();
    fs::write(dir.join("a"), "").unwrap();
    fs::write(fixture.path("store/info").join(format!("{}.unpacked", &digest[7..])), "another boot").unwrap();
    assert_eq!(fs::read_to_string(fixture.store.unpack(&digest).unwrap().join("a")).unwrap(), "1");
}
