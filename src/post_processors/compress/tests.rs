//! Archives are read back by independent readers.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::event::{Event, Sink};

struct Silent;

impl Sink for Silent {
    fn take(&self, _: Event) {}
}

/// Bytes that compress a little, and more than one block of them.
fn content() -> Vec<u8> {
    let mut state = 1u32;
    let next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 & 0x3f
    };
    std::iter::repeat_with(next).take(1_200_001).collect()
}

/// What the archive of these files is, by the name of the output.
fn packed(dir: &Path, files: &[PathBuf], output: &str, level: Option<i64>) -> Result<Vec<u8>, Failure> {
    let (target, format) = (dir.join("to").join(output), Format::of(output));
    let events = Events::new(Arc::new(Silent));
    let job = Job { files: files.to_vec(), target: target.clone(), format, level: Level::new(level), events };
    job.run(&Watch::default())?;
    Ok(std::fs::read(target).unwrap())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let contents = [("a.bin", content()), ("b.txt", b"text".to_vec()), ("empty", Vec::new())];
    contents
        .map(|(name, bytes)| (dir.join(name), bytes))
        .map(|(path, bytes)| (std::fs::write(&path, bytes), path).1)
        .into()
}

fn unpacked(output: &str, mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match output.rsplit('.').next().unwrap() {
        "gz" | "bgzf" => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain),
        "xz" => liblzma::read::XzDecoder::new(bytes).read_to_end(&mut plain),
        "bzip2" => bzip2::read::BzDecoder::new(bytes).read_to_end(&mut plain),
        "lz4" => lz4_flex::frame::FrameDecoder::new(bytes).read_to_end(&mut plain),
        _ => bytes.read_to_end(&mut plain),
    }
    .unwrap();
    plain
}

#[test]
fn a_single_file_comes_back_at_every_level() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    for output in ["x.gz", "x.bgzf", "x.xz", "x.bzip2", "x.lz4"] {
        for (file, level) in [(0, None), (0, Some(1)), (1, Some(40)), (2, Some(-3))] {
            let bytes = packed(dir.path(), &files[file..=file], output, level).unwrap();
            assert!(unpacked(output, &bytes) == std::fs::read(&files[file]).unwrap(), "{output} {file} {level:?}");
        }
    }
}

#[test]
fn tar_holds_names_without_directories_and_no_times() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = files(dir.path());
    files.push(dir.path().join("n".repeat(200)));
    std::fs::write(&files[3], "long name").unwrap();
    for output in ["x.tar", "x.tar.gz", "x.tar.bgzf", "x.tar.xz", "x.tar.bzip2", "x.tar.lz4"] {
        let bytes = unpacked(output, &packed(dir.path(), &files, output, None).unwrap());
        let mut archive = tar::Archive::new(bytes.as_slice());
        for (entry, path) in archive.entries().unwrap().zip(&files) {
            let mut entry = entry.unwrap();
            assert_eq!(entry.path().unwrap(), Path::new(path.file_name().unwrap()));
            assert_eq!((entry.header().mtime().unwrap(), entry.header().mode().unwrap() & 0o600), (0, 0o600));
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert!(content == std::fs::read(path).unwrap(), "{output} {}", path.display());
        }
        assert_eq!(tar::Archive::new(bytes.as_slice()).entries().unwrap().count(), 4);
    }
}

#[test]
fn the_same_files_give_the_same_archive() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    for output in ["x.tar.gz", "x.zip", "x.tar.bgzf"] {
        let twice = [(); 2].map(|()| packed(dir.path(), &files, output, None).unwrap());
        assert!(twice[0] == twice[1], "{output}");
    }
}

#[test]
fn bgzf_ends_with_the_block_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = packed(dir.path(), &files(dir.path())[1..2], "x.bgzf", None).unwrap();
    let end = [31, 139, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, 66, 67, 2, 0, 27, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(bytes.ends_with(&end), "{bytes:?}");
}

#[test]
fn a_failure_leaves_the_old_archive_and_no_half_of_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let old = packed(dir.path(), &files[1..2], "x.gz", None).unwrap();
    let gone = [dir.path().join("gone")];
    assert!(packed(dir.path(), &gone, "x.gz", None).unwrap_err().to_string().contains("gone"));
    assert!(packed(dir.path(), &files, "x.gz", None).unwrap_err().to_string().contains("Found 3 files"));
    assert_eq!(std::fs::read(dir.path().join("to/x.gz")).unwrap(), old);
    assert_eq!(std::fs::read_dir(dir.path().join("to")).unwrap().count(), 1);
}

#[test]
fn an_archive_never_takes_the_place_of_a_file_in_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("to")).unwrap();
    let file = dir.path().join("to/x.tar.gz");
    std::fs::write(&file, "plain").unwrap();
    for inputs in [vec![file.clone()], vec![dir.path().join("other"), dir.path().join("to/../to/x.tar.gz")]] {
        let refused = packed(dir.path(), &inputs, "x.tar.gz", None).unwrap_err();
        assert!(matches!(refused, Failure::OutputIsInput(_)), "{refused}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"plain");
}

#[test]
fn options_that_contradict_the_name_are_refused() {
    let options = |archive: &str, algorithm: &str| {
        let text = |text: &str| Some(text.to_owned());
        let output = text("x.tar.gz");
        Options { output, archive: text(archive), algorithm: text(algorithm), ..Options::default() }.checked()
    };
    assert!(options("tar", "pgzip").is_ok());
    assert_eq!(options("zip", "xz").err().unwrap().len(), 2);
}
