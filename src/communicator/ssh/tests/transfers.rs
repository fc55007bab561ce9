//! Files and directories by every method.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::server::{Server, run};
use crate::communicator::ssh::{Compression, Method, Options, Ssh};
use crate::communicator::{Communicator, Error};

const METHODS: [Method; 3] = [Method::Stream, Method::Scp, Method::Sftp];

async fn with(server: &Server, transfer: Method) -> Ssh {
    server.connect_with(Options { transfer, ..server.options() }).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Everything below a directory: name -> (mode, content; nothing for a directory).
fn listing(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    fn descend(root: &Path, dir: &Path, all: &mut BTreeMap<String, (u32, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.is_symlink(), "{}", path.display());
            let content = path.is_file().then(|| fs::read(&path).unwrap());
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            all.insert(name, (mode(&path), content));
            if path.is_dir() {
                descend(root, &path, all);
            }
        }
    }
    let mut all = BTreeMap::new();
    descend(root, root, &mut all);
    all
}

#[tokio::test]
async fn sixty_four_mebibytes_there_and_back() {
    let Some(server) = Server::start() else { return };
    fs::write(server.path("big"), noise(64 << 20)).unwrap();
    for method in METHODS {
        let ssh = with(&server, method).await;
        let (up, down) = (server.path(&format!("up-{method:?}")), server.path(&format!("down-{method:?}")));
        ssh.upload(&server.path("big"), up.to_str().unwrap(), 0o640).await.unwrap();
        assert_eq!((digest(&up), mode(&up)), (digest(&server.path("big")), 0o640), "{method:?}");
        ssh.download(up.to_str().unwrap(), &down).await.unwrap();
        assert_eq!(digest(&down), digest(&up), "{method:?}");
        fs::remove_file(up).unwrap();
        fs::remove_file(down).unwrap();
    }
}

#[tokio::test]
async fn modes_are_exact_and_names_are_taken_literally() {
    let Some(server) = Server::start() else { return };
    for method in METHODS {
        let ssh = with(&server, method).await;
        for (name, mode_bits) in [
            ("plain", 0o644),
            ("a b", 0o777),
            ("it's $HOME `x` \"q\" *", 0o600),
            ("ünï", 0o4755),
            ("-rf", 0o666),
            ("back\\slash", 0o644),
        ] {
            let path = server.path(name);
            for content in [&b"first content"[..], b"", b"third"] {
                ssh.upload_bytes(content, path.to_str().unwrap(), mode_bits).await.unwrap();
                assert_eq!((fs::read(&path).unwrap(), mode(&path)), (content.to_vec(), mode_bits), "{method:?} {name}");
            }
            let back = server.path("back");
            ssh.download(path.to_str().unwrap(), &back).await.unwrap();
            assert_eq!(fs::read(&back).unwrap(), b"third");
            fs::remove_file(path).unwrap();
        }
        let left: Vec<_> = fs::read_dir(server.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("kiln-")), "{left:?}");
    }
}

#[tokio::test]
async fn home_is_expanded() {
    let Some(server) = Server::start() else { return };
    for method in METHODS {
        let ssh = with(&server, method).await;
        let home = run(&ssh, "pwd").await.unwrap().1;
        let name = format!(".kiln-test-{}-{method:?}", std::process::id());
        ssh.upload_bytes(b"x", &format!("~/{name}"), 0o600).await.unwrap();
        let path = Path::new(home.trim()).join(name);
        assert_eq!(fs::read(&path).unwrap(), b"x");
        fs::remove_file(path).unwrap();
        assert!(ssh.is_dir("~").await.unwrap());
    }
}

#[tokio::test]
async fn errors_name_the_path_and_the_cause() {
    let Some(server) = Server::start() else { return };
    fs::create_dir(server.path("dir")).unwrap();
    fs::write(server.path("file"), "x").unwrap();
    for method in METHODS {
        let ssh = with(&server, method).await;
        let at = |name: &str| server.remote(name);
        let (dir, missing, file) = (at("dir"), at("no/such"), at("file"));
        let up = |target: String| {
            let ssh = &ssh;
            async move { ssh.upload_bytes(b"x", &target, 0o644).await.unwrap_err() }
        };
        let results: [(String, &[&str], Error); 6] = [
            (dir.clone(), &["is a directory"], up(dir.clone()).await),
            (missing.clone(), &["no directory", "No such file"], up(missing.clone()).await),
            (
                missing.clone(),
                &["no such file", "No such file"],
                ssh.download(&missing, &server.path("t")).await.unwrap_err(),
            ),
            (
                dir.clone(),
                &["is a directory", "not a regular file"],
                ssh.download(&dir, &server.path("t")).await.unwrap_err(),
            ),
            (
                missing.clone(),
                &["no such directory", "No such file"],
                ssh.download_dir(&missing, &server.path("u")).await.unwrap_err(),
            ),
            (
                file.clone(),
                &["File exists", "not a directory"],
                ssh.upload_dir(&server.path("dir"), &file).await.unwrap_err(),
            ),
        ];
        for (path, causes, error) in results {
            let text = error.to_string();
            assert!(matches!(error, Error::Transfer { .. }), "{method:?}: {text}");
            assert!(text.contains(&path) && causes.iter().any(|cause| text.contains(cause)), "{method:?}: {text}");
        }
        assert!(!server.path("t").exists() && !server.path("no").exists());
        let local = ssh.upload(Path::new("/does/not/exist"), &at("x"), 0o644).await.unwrap_err();
        assert!(matches!(local, Error::Local { .. }), "{local}");
        for (path, is_dir) in [(&dir, true), (&file, false), (&missing, false)] {
            assert_eq!(ssh.is_dir(path).await.unwrap(), is_dir, "{method:?} {path}");
        }
        assert_eq!(run(&ssh, "echo fine").await.unwrap().1, "fine\n");
    }
}

/// A tree with everything that has gone wrong somewhere.
fn make_tree(root: &Path) {
    for dir in ["empty", "a b/c  d", "ünï/日本", "closed", "deep/1/2/3"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let long = format!("deep/1/2/3/{}", "long".repeat(40));
    for (name, content) in [
        ("f", &b"text"[..]),
        (".hidden", b""),
        ("a b/c  d/e f", b"x"),
        ("ünï/日本/語", b"y"),
        ("closed/in", b"z"),
        ("-n", b"n"),
        (&long, b"l"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    fs::write(root.join("big"), noise(3 << 20)).unwrap();
    symlink("f", root.join("link")).unwrap();
    symlink("a b", root.join("dirlink")).unwrap();
    for (name, mode) in [("f", 0o751), ("empty", 0o700), ("closed", 0o555), ("closed/in", 0o400), ("a b", 0o775)] {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// What must arrive: links replaced by what they lead to.
fn followed(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    let copy = root.with_extension("followed");
    let copied = std::process::Command::new("cp").args(["-rLp"]).arg(root).arg(&copy).status().unwrap();
    assert!(copied.success());
    let listing = listing(&copy);
    open_up(&copy);
    fs::remove_dir_all(copy).unwrap();
    listing
}

/// So that an ordinary user can remove it again.
fn open_up(root: &Path) {
    fs::set_permissions(root.join("closed"), Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn trees_arrive_as_they_are() {
    let Some(server) = Server::start() else { return };
    let tree = server.path("tree");
    fs::create_dir(&tree).unwrap();
    make_tree(&tree);
    let expected = followed(&tree);
    for (method, compression) in [
        (Method::Stream, Compression::Never),
        (Method::Stream, Compression::Always),
        (Method::Scp, Compression::Never),
        (Method::Sftp, Compression::Never),
    ] {
        let options = Options { transfer: method, compression, ..server.options() };
        let ssh = server.connect_with(options).await;
        let (up, down) = (server.path("new/it's up"), server.path("down"));
        ssh.upload_dir(&tree, up.to_str().unwrap()).await.unwrap();
        assert_eq!(listing(&up), expected, "{method:?} {compression:?} up");
        symlink("f", up.join("link2")).unwrap();
        symlink("ünï", up.join("dirlink2")).unwrap();
        let mut expected = expected.clone();
        expected.insert("link2".into(), expected["f"].clone());
        for (name, entry) in expected.clone() {
            if let Some(rest) = name.strip_prefix("ünï") {
                expected.insert(format!("dirlink2{rest}"), entry);
            }
        }
        ssh.download_dir(up.to_str().unwrap(), &down).await.unwrap();
        assert_eq!(listing(&down), expected, "{method:?} {compression:?} down");
        for dir in [&up, &down] {
            open_up(dir);
            fs::remove_dir_all(dir).unwrap();
        }
    }
    open_up(&tree);
}

#[tokio::test]
async fn what_the_machine_has_is_not_disturbed() {
    let Some(server) = Server::start() else { return };
    let tree = server.path("tree");
    fs::create_dir_all(tree.join("bin/sub")).unwrap();
    fs::write(tree.join("bin/sub/f"), "new").unwrap();
    fs::set_permissions(tree.join("bin"), Permissions::from_mode(0o700)).unwrap();
    for method in METHODS {
        let ssh = with(&server, method).await;
        let root = server.path(&format!("root-{method:?}"));
        fs::create_dir_all(root.join("usr/bin/sub")).unwrap();
        fs::write(root.join("usr/bin/other"), "old").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        for dir in [root.clone(), root.join("usr/bin/sub")] {
            fs::set_permissions(dir, Permissions::from_mode(0o1777)).unwrap();
        }
        ssh.upload_dir(&tree, root.to_str().unwrap()).await.unwrap();
        assert!(root.join("bin").is_symlink(), "{method:?}");
        assert_eq!(fs::read(root.join("usr/bin/sub/f")).unwrap(), b"new");
        assert_eq!(fs::read(root.join("usr/bin/other")).unwrap(), b"old");
        assert_eq!((mode(&root), mode(&root.join("usr/bin/sub"))), (0o1777, 0o1777), "{method:?}");
    }
}

#[tokio::test]
async fn without_tar_files_travel_one_by_one() {
    let Some(server) = Server::start() else { return };
    // A machine whose tools are these: the path is set by the server for every command.
    let tools = server.path("tools");
    fs::create_dir(&tools).unwrap();
    for tool in ["sh", "cat", "chmod", "mkdir", "mv", "rm", "wc", "find", "sha256sum", "tee"] {
        let found = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(tool)).into_iter().find(|path| path.exists());
        symlink(found.unwrap(), tools.join(tool)).unwrap();
    }
    let key = server.key.public_line().unwrap();
    let allowed = format!("environment=\"PATH={}\" {key}\n", tools.display());
    fs::write(server.path("authorized_keys"), allowed).unwrap();
    let mut server = server;
    server.stop();
    server.extra = "PermitUserEnvironment yes\n".into();
    server.run();
    let ssh = server.connect().await;
    assert_ne!(run(&ssh, "command -v tar").await.unwrap().1, "/usr/bin/tar\n");
    let tree = server.path("tree");
    fs::create_dir_all(tree.join("a b/empty")).unwrap();
    fs::write(tree.join("a b/it's"), "x").unwrap();
    fs::set_permissions(tree.join("a b/empty"), Permissions::from_mode(0o711)).unwrap();
    ssh.upload_dir(&tree, &server.remote("up")).await.unwrap();
    assert_eq!(listing(&server.path("up")), listing(&tree));
    ssh.download_dir(&server.remote("up"), &server.path("down")).await.unwrap();
    let names = |root: &Path| listing(root).into_iter().map(|(name, (_, content))| (name, content)).collect::<Vec<_>>();
    assert_eq!(names(&server.path("down")), names(&tree));
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_no_file() {
    let Some(server) = Server::start() else { return };
    let ssh = server.connect().await;
    fs::write(server.path("big"), noise(64 << 20)).unwrap();
    let (big, target) = (server.path("big"), server.remote("target"));
    let started = async {
        let begun = || {
            fs::read_dir(server.dir.path())
                .unwrap()
                .any(|e| e.unwrap().file_name().to_string_lossy().contains(".kiln-"))
        };
        super::eventually("the upload began", begun).await;
        server.kill_sessions();
    };
    let (uploaded, ()) = tokio::join!(ssh.upload(&big, &target, 0o644), started);
    let error = uploaded.unwrap_err();
    assert_eq!(error.to_string(), format!("upload {target}: connection lost"));
    assert!(!server.path("target").exists());
    ssh.upload(&server.path("big"), &target, 0o644).await.unwrap();
    assert_eq!(digest(&server.path("target")), digest(&server.path("big")));
}

#[tokio::test]
async fn existing_files_keep_their_identity() {
    let Some(server) = Server::start() else { return };
    let ssh = server.connect().await;
    fs::write(server.path("original"), "a longer content").unwrap();
    symlink("original", server.path("link")).unwrap();
    ssh.upload_bytes(b"new", &server.remote("link"), 0o644).await.unwrap();
    assert!(server.path("link").is_symlink());
    assert_eq!(fs::read(server.path("original")).unwrap(), b"new");
    ssh.upload_bytes(b"nowhere", "/dev/null", 0o644).await.unwrap();
    assert_eq!(mode(Path::new("/dev/null")), 0o666);
}
