//! The real thing: what is written in an overlay mount is committed, unpacked, and mounted again.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{Fixture, is_root, listing, write};
use crate::local_ec2::store::{Distribution, HOST, ResolvedRoot};

/// Runs a test in a mount namespace of its own, which goes with its thread.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    if !is_root() {
        return;
    }
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        test();
    });
    thread.join().unwrap();
}

/// Mounts a root, with `upper` on top.
fn mount_root(root: &ResolvedRoot, upper: &Path) -> PathBuf {
    let (work, merged) = (upper.with_extension("work"), upper.with_extension("merged"));
    for dir in [upper, &work, &merged] {
        fs::create_dir_all(dir).unwrap();
    }
    let lower: Vec<_> =
        root.layer_dirs.iter().rev().chain([&root.base_dir]).map(|dir| dir.display().to_string()).collect();
    let options = format!(
        "redirect_dir=off,metacopy=off,lowerdir={},upperdir={},workdir={}",
        lower.join(":"),
        upper.display(),
        work.display()
    );
    mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap();
    merged
}

#[test]
fn an_instance_goes_on_where_the_image_was_made() {
    in_namespace(|| {
        let fixture = Fixture::new();
        let store = &fixture.store;
        let mut layers = Vec::new();
        let changes: [fn(&Path); 3] = [
            |root| {
                write(&root.join("etc/new"), "1");
                fs::remove_dir_all(root.join("usr/share/doc")).unwrap();
                write(&root.join("usr/share/doc/other"), "replaces the directory");
            },
            |root| {
                fs::remove_file(root.join("etc/new")).unwrap();
                fs::remove_dir_all(root.join("usr/share")).unwrap();
                fs::rename(root.join("usr/bin"), root.join("usr/sbin")).unwrap_or_else(|_| {
                    // Without redirects a directory of a lower layer is not renamed, but copied by the program.
                    write(&root.join("usr/sbin/tool"), "tool\n");
                });
            },
            |root| {
                write(&root.join("etc/new"), "3");
                fs::remove_file(root.join("usr/bin/tool")).unwrap();
                fs::create_dir(root.join("usr/bin/tool")).unwrap();
                write(&root.join("etc/os-release"), "ID=ubuntu\nVERSION_ID=22.04\n");
            },
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let root = store.resolve(HOST, &layers).unwrap();
            let upper = fixture.path(&format!("upper{nth}"));
            let merged = mount_root(&root, &upper);
            change(&merged);
            layers.push(store.commit_layer(&upper, &[]).unwrap().digest);
            let again = store.resolve(HOST, &layers).unwrap();
            let view = mount_root(&again, &fixture.path(&format!("again{nth}")));
            assert_eq!(listing(&view), listing(&merged), "after change {nth}");
        }
        let root = store.resolve(HOST, &layers).unwrap();
        assert_eq!((root.distribution.id.as_str(), root.login_user.as_str()), ("ubuntu", "ubuntu"));
        assert_ne!(root.distribution, Distribution::of_roots([fixture.host().as_path()]));
        exports_show_the_same(&fixture, &layers);
    });
}

/// Both kinds of export of these layers, unpacked, look as the mount does.
fn exports_show_the_same(fixture: &Fixture, layers: &[String]) {
    use crate::local_ec2::store::{BaseSource, ExportContents, Masks};
    let store = &fixture.store;
    let merged = mount_root(&store.resolve(HOST, layers).unwrap(), &fixture.path("view"));
    store.put_image("ami-1", &super::record(HOST, layers)).unwrap();
    let masks = Masks { hidden: vec!["/nothing".into()], replaced: Vec::new() };
    let (flat, whole) = (fixture.path("flat.tar"), fixture.path("whole.tar.zst"));
    store.export("ami-1", &flat, ExportContents::Layers, &masks).unwrap();
    store.export("ami-1", &whole, ExportContents::WithBase, &masks).unwrap();
    let layer = |path| store.import(&BaseSource::RootTar(path)).unwrap().layers[0].digest.clone();
    let flat = store.resolve(HOST, &[layer(flat)]).unwrap();
    assert_eq!(listing(&mount_root(&flat, &fixture.path("flat"))), listing(&merged));
    let whole = store.resolve("", &[layer(whole)]).unwrap();
    assert_eq!(listing(&mount_root(&whole, &fixture.path("whole"))), listing(&merged));
}
