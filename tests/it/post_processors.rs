//! Post-processors: what they make of a file, and which files are left when chains are over.

use std::io::Read as _;

use nix::sys::signal::Signal;

use crate::sandbox::{Ran, Sandbox};

/// A sandbox in which a file `out/f.txt` is built and goes through these post-processors.
fn built(post_processors: &str) -> (Sandbox, Ran) {
    let sandbox = Sandbox::new();
    sandbox.file("d/one.txt", "one\n");
    sandbox.file("d/two.txt", "two\n");
    sandbox.file("t.pkr.hcl", &template(post_processors));
    let ran = sandbox.run(&["build", "t.pkr.hcl"]);
    (sandbox, ran)
}

fn template(post_processors: &str) -> String {
    format!(
        r#"
source "file" "f" {{
  content = "hello\n"
  target  = "out/f.txt"
}}
build {{
  sources = ["file.f"]
{post_processors}
}}
"#
    )
}

/// Names of the files that are there, without those of the sandbox itself.
fn left(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![sandbox.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(sandbox.path()).unwrap().display().to_string();
            match path.is_dir() {
                true if name == "state" || name == "d" => {}
                true => folders.push(path),
                false => found.push(name),
            }
        }
    }
    found.retain(|name| name != "t.pkr.hcl" && name != "running.log");
    found.sort();
    found
}

fn artifacts(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().filter_map(|line| line.strip_prefix("--> file.f: ")).collect()
}

#[test]
fn checksums_are_added_to_files_of_their_own() {
    let (sandbox, ran) = built(
        r#"
  post-processors {
    post-processor "checksum" {
      checksum_types = ["sha1", "md5"]
      output         = "sums/{{.BuildName}}.{{.BuilderType}}.{{.ChecksumType}}"
    }
    post-processor "manifest" { output = "m.json" }
  }
"#,
    );
    let ran = ran.expect(0);
    let files = "Created artifact from files: out/f.txt, sums/f.file.sha1, sums/f.file.md5";
    assert_eq!(artifacts(&ran), ["Stored file: out/f.txt", files, files]);
    let sum = || std::fs::read_to_string(sandbox.path().join("sums/f.file.md5")).unwrap();
    assert_eq!(sum(), "b1946ac92492d2347c6235b4d2611184\tf.txt\n");
    let again = sandbox.run(&["build", "t.pkr.hcl"]).expect(0);
    assert_eq!((sum().lines().count(), artifacts(&again)[1]), (2, "Created artifact from files: out/f.txt"));
}

#[test]
fn nothing_to_sum_makes_no_file() {
    let (sandbox, ran) = built(
        r#"
  post-processors {
    post-processor "artifice" { files = ["nothing/*"] }
    post-processor "checksum" {}
  }
"#,
    );
    assert_eq!(artifacts(&ran.expect(0))[1..], ["Created artifact from files: "; 2]);
    assert_eq!(left(&sandbox), ["out/f.txt"]);
}

#[test]
fn artifice_puts_files_in_the_place_of_the_artifact() {
    let (sandbox, ran) = built(
        r#"
  post-processor "artifice" {
    files               = ["d/*.txt", "gone.txt"]
    keep_input_artifact = false
  }
"#,
    );
    let ran = ran.expect(0).says("==> file.f (artifice): Discarding files from artifact: out/f.txt\n");
    let ran = ran.says("==> file.f (artifice): Using these artifact files: d/one.txt, d/two.txt\n");
    assert_eq!(artifacts(&ran), ["Created artifact from files: d/one.txt, d/two.txt"]);
    assert!(left(&sandbox).is_empty(), "{:?}", left(&sandbox));
}

#[test]
fn a_file_that_is_put_in_its_own_place_stays() {
    let (sandbox, ran) = built(
        r#"
  post-processor "artifice" {
    files               = ["out/*"]
    keep_input_artifact = false
  }
"#,
    );
    assert_eq!(artifacts(&ran.expect(0)), ["Created artifact from files: out/f.txt"]);
    assert_eq!(left(&sandbox), ["out/f.txt"]);
}

#[test]
fn an_archive_replaces_its_files() {
    let (sandbox, ran) = built("  post-processor \"compress\" { output = \"to/{{.BuildName}}.tar.gz\" }\n");
    let ran = ran.expect(0).says("==> file.f (compress): Using pgzip compression with ");
    let ran =
        ran.says("==> file.f (compress): Tarring to/f.tar.gz with pgzip\n").says("Archive to/f.tar.gz completed\n");
    assert_eq!(artifacts(&ran), ["compressed artifacts in: to/f.tar.gz"]);
    assert_eq!(left(&sandbox), ["to/f.tar.gz"]);
    let packed = std::fs::File::open(sandbox.path().join("to/f.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    assert_eq!((entry.path().unwrap().display().to_string().as_str(), text.as_str()), ("f.txt", "hello\n"));
}

#[test]
fn keeping_the_input_is_a_choice_of_each_element() {
    let chain = |keep: &str| {
        format!(
            r#"
  post-processors {{
    post-processor "compress" {{
      output              = "a.zip"
      keep_input_artifact = true
    }}
    post-processor "compress" {{
      output = "b.xz"
      {keep}
    }}
  }}
"#
        )
    };
    let (sandbox, ran) = built(&chain(""));
    assert_eq!(artifacts(&ran.expect(0)), ["Stored file: out/f.txt", "compressed artifacts in: b.xz"]);
    assert_eq!(left(&sandbox), ["b.xz", "out/f.txt"]);
    let (sandbox, ran) = built(&chain("keep_input_artifact = true"));
    assert_eq!(artifacts(&ran.expect(0))[1..], ["compressed artifacts in: a.zip", "compressed artifacts in: b.xz"]);
    assert_eq!(left(&sandbox), ["a.zip", "b.xz", "out/f.txt"]);
}

#[test]
fn a_manifest_keeps_its_input_whatever_the_template_says() {
    let (sandbox, ran) = built(
        r#"
  post-processor "manifest" {
    output              = "m.json"
    keep_input_artifact = false
  }
  post-processor "compress" { output = "x.gz" }
"#,
    );
    let stored = "Stored file: out/f.txt";
    assert_eq!(artifacts(&ran.expect(0)), [stored, stored, "compressed artifacts in: x.gz"]);
    assert_eq!(left(&sandbox), ["m.json", "out/f.txt", "x.gz"]);
}

#[test]
fn a_failed_chain_takes_its_file_along_unless_another_keeps_it() {
    let failing = "  post-processor \"shell-local\" { inline = [\"exit 2\"] }\n";
    let (sandbox, ran) = built(failing);
    ran.expect(1).says("* Post-processor failed: Script exited with non-zero exit status: 2");
    assert!(left(&sandbox).is_empty(), "{:?}", left(&sandbox));
    let (sandbox, ran) = built(&format!("{failing}  post-processor \"shell-local\" {{ inline = [\"echo kept\"] }}\n"));
    ran.expect(1).says("==> file.f (shell-local): kept");
    assert_eq!(left(&sandbox), ["out/f.txt"]);
}

#[test]
fn a_single_file_format_wants_a_single_file() {
    let (sandbox, ran) = built(
        r#"
  post-processors {
    post-processor "artifice" { files = ["d/*"] }
    post-processor "compress" { output = "x.gz" }
  }
"#,
    );
    ran.expect(1).says("Can only have 1 input file when not using tar/zip. Found 2 files: [d/one.txt, d/two.txt]");
    assert_eq!(left(&sandbox), ["out/f.txt"]);
}

#[test]
fn mistakes_are_found_before_the_build() {
    for (post_processor, problem) in [
        (r#"post-processor "checksum" { checksum_types = ["crc32"] }"#, "Unrecognized checksum type: crc32"),
        (r#"post-processor "artifice" {}"#, "No files specified in artifice configuration"),
        (r#"post-processor "artifice" { files = ["[a"] }"#, "`[a`: unclosed"),
        (r#"post-processor "compress" { compression_level = "best" }"#, "a number is required"),
        (r#"post-processor "compress" { archive = "zip" }"#, "archive is `zip`, but the end of output says `tar`"),
        (r#"post-processor "compress" { output = "{{.BuildName" }"#, "output"),
    ] {
        let (sandbox, ran) = built(post_processor);
        ran.expect(1).says(problem).says("on t.pkr.hcl line 8").says("in post-processor \"");
        assert!(left(&sandbox).is_empty(), "{:?}", left(&sandbox));
    }
}

#[test]
fn a_signal_does_not_wait_for_a_large_archive() {
    let sandbox = Sandbox::new();
    // Minutes of work for every core, and no room on the disk.
    std::fs::File::create(sandbox.path().join("huge")).unwrap().set_len(1 << 40).unwrap();
    let post_processors = r#"
  post-processors {
    post-processor "artifice" { files = ["huge"] }
    post-processor "compress" {
      output              = "x.gz"
      keep_input_artifact = true
    }
  }
"#;
    sandbox.file("t.pkr.hcl", &template(post_processors));
    let mut running = sandbox.start(&["build", "t.pkr.hcl"]);
    running.wait_for("Archiving huge with pgzip");
    running.signal(Signal::SIGINT);
    running.finish().expect(1);
    assert_eq!(left(&sandbox), ["huge", "out/f.txt"]);
}

#[test]
fn a_file_that_is_no_manifest_and_an_input_are_never_replaced() {
    let sandbox = Sandbox::new();
    sandbox.file("package.json", "[]");
    sandbox.file("t.pkr.hcl", &template("  post-processor \"manifest\" { output = \"package.json\" }"));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("`package.json` is JSON, but no manifest");
    assert_eq!(std::fs::read_to_string(sandbox.path().join("package.json")).unwrap(), "[]");
    let compress = "  post-processor \"compress\" {\n    output = \"out/f.txt\"\n    format = \"gz\"\n  }";
    sandbox.file("t.pkr.hcl", &template(compress));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("output is `out/f.txt`, which is also a file to pack");
}
