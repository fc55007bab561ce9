//! Whole bakes on local EC2, as the README shows them.

use crate::sandbox::{Sandbox, can_boot, root};
use crate::world::{assert_host_clean, cgroups, resources};

fn shipped(name: &str) -> String {
    root().join("templates").join(name).display().to_string()
}

/// The first image id in a text.
fn ami(text: &str) -> String {
    let at = text.find("ami-").expect("an image id");
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

#[test]
fn the_quickstart_bakes_and_a_second_template_builds_on_it() {
    if !can_boot("the_quickstart_bakes_and_a_second_template_builds_on_it") {
        return;
    }
    let sandbox = Sandbox::new();
    let first = sandbox.run(&["build", "--local", &shipped("quickstart")]).expect(0).says("AMIs were created:");
    first.says("Where the time went");
    let second = sandbox.run(&["build", "--local", &shipped("layered")]).expect(0);
    let held = resources(&sandbox, "us-east-1");
    assert_eq!(held.iter().filter(|id| id.starts_with("image ")).count(), 2, "{held:#?}");
    let temporary = held
        .iter()
        .find(|id| ["key-pair", "instance", "volume", "security-group"].iter().any(|kind| id.starts_with(kind)));
    assert_eq!(temporary, None, "{held:#?}");

    let images = sandbox.run(&["local", "images"]).expect(0).stdout;
    assert_eq!(images.matches("\n  layer").count(), 3, "one layer and then two:\n{images}");
    let layered = ami(second.stdout.split("AMIs were created:").nth(1).unwrap());
    check_export(&sandbox, &layered);
    check_run(&sandbox, &layered);
    sandbox.run(&["local", "rm", &layered]).expect(0).says("Removed");
    assert_eq!(sandbox.run(&["local", "images"]).expect(0).stdout.matches("\n  layer").count(), 1);
    assert_host_clean(&sandbox);
    // Other tests have instances of their own meanwhile.
    let journals = sandbox.journals().concat();
    let ours = |path: &String| path.rsplit('/').next().is_some_and(|id| journals.contains(id));
    assert_eq!(cgroups().into_iter().find(ours), None);
}

/// What was baked is in the export, and the host's secrets are not.
fn check_export(sandbox: &Sandbox, ami: &str) {
    sandbox.run(&["local", "export", ami, "layers.tar"]).expect(0);
    let names = tar_names(&sandbox.path().join("layers.tar"));
    assert!(names.iter().any(|name| name.ends_with(".service")), "the baked unit is there: {names:#?}");
    // `.wh.` members only say that something is not there.
    let secret = |name: &&String| {
        let private_key = name.contains("ssh_host_") && !name.contains("ssh_host_ed25519");
        // cloud-init gives root an authorized_keys that sends people to the login user; nothing else may be there.
        let of_root =
            name.starts_with("root/.ssh/") && !["root/.ssh/", "root/.ssh/authorized_keys"].contains(&name.as_str());
        !name.contains(".wh.") && (private_key || of_root || name.contains(".aws"))
    };
    assert_eq!(names.iter().find(secret), None);
    assert!(!names.iter().any(|name| name.starts_with("usr/bin/bash")), "the base is not in it");
}

fn tar_names(path: &std::path::Path) -> Vec<String> {
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

fn check_run(sandbox: &Sandbox, ami: &str) {
    let inside = "systemctl is-active hello; cat /proc/1/comm";
    let ran = sandbox.run(&["local", "run", ami, "--", inside]).expect(0);
    assert!(ran.stdout.contains("active") && ran.stdout.contains("systemd"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_instance_is_a_machine_of_its_own_and_cannot_change_the_host() {
    if !can_boot("an_instance_is_a_machine_of_its_own_and_cannot_change_the_host") {
        return;
    }
    let sandbox = Sandbox::new();
    let marker = sandbox.file("host-secret", "only the host may read this\n");
    let shadow = std::fs::read("/etc/shadow").unwrap();
    let template = format!(
        r#"source "amazon-ebs" "t" {{
  ami_name        = "kiln-it-machine"
  instance_type   = "t3.micro"
  region          = "eu-west-1"
  ssh_username    = "admin"
  skip_create_ami = true
  source_ami_filter {{
    filters     = {{ name = "debian-12-amd64-*" }}
    owners      = ["136693071363"]
    most_recent = true
  }}
}}
build {{
  sources = ["source.amazon-ebs.t"]
  provisioner "shell" {{
    inline = [
      "test \"$(cat /proc/1/comm)\" = systemd",
      "test \"$(id -un)\" = admin && test \"$(sudo -n id -u)\" = 0",
      "! sudo test -e {marker}",
      "! sudo grep -q '^root:\\$' /etc/shadow",
      "! sudo mknod /tmp/disk b 254 0",
      "! sudo date -s '2001-01-01'",
      "! sudo sh -c 'echo b > /proc/sysrq-trigger'",
      "! sudo sh -c 'echo x > /proc/sys/kernel/core_pattern'",
      "! sudo dmesg",
      "sudo sh -c 'echo changed >> /etc/passwd; rm -rf /usr/share/doc; echo owned > /etc/kiln-was-here'",
      "cat /proc/sys/kernel/random/boot_id > $HOME/boot",
    ]
  }}
  provisioner "shell" {{
    inline            = ["sudo systemctl reboot"]
    expect_disconnect = true
    skip_clean        = true
  }}
  provisioner "shell" {{
    inline = [
      "test \"$(cat /proc/sys/kernel/random/boot_id)\" != \"$(cat $HOME/boot)\"",
      "test -e /etc/kiln-was-here",
    ]
  }}
}}
"#,
        marker = marker.display()
    );
    sandbox.file("t.pkr.hcl", &template);
    sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0);
    assert_eq!(std::fs::read("/etc/shadow").unwrap(), shadow);
    assert!(!std::path::Path::new("/etc/kiln-was-here").exists());
    assert!(std::path::Path::new("/usr/share/doc").exists());
    assert_eq!(resources(&sandbox, "eu-west-1").len(), 0);
    assert_host_clean(&sandbox);
}

#[test]
fn file_provisioner_moves_files_and_directories_both_ways() {
    if !can_boot("file_provisioner_moves_files_and_directories_both_ways") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("tree/a b.txt", "blank\n");
    sandbox.file("tree/sub/ü.txt", "umlaut\n");
    let template = r#"source "amazon-ebs" "t" {
  ami_name        = "kiln-it-files"
  instance_type   = "t3.micro"
  region          = "us-east-1"
  ssh_username    = "admin"
  skip_create_ami = true
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build {
  sources = ["source.amazon-ebs.t"]
  provisioner "file" {
    source      = "tree/"
    destination = "/tmp/tree"
  }
  provisioner "file" {
    content     = "given ${build.ID}\n"
    destination = "/tmp/content"
  }
  provisioner "shell" {
    environment_vars = ["QUOTED=it's"]
    inline = [
      "test \"$(cat '/tmp/tree/a b.txt')\" = blank",
      "test \"$(cat /tmp/tree/sub/ü.txt)\" = umlaut",
      "grep -q '^given i-' /tmp/content",
      "test \"$QUOTED\" = \"it's\"",
      "echo back > /tmp/back",
    ]
  }
  provisioner "file" {
    direction   = "download"
    source      = "/tmp/back"
    destination = "fetched/"
  }
}
"#;
    sandbox.file("t.pkr.hcl", template);
    sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("fetched/back")).unwrap(), "back\n");
}

#[test]
fn builds_run_side_by_side_in_one_process() {
    if !can_boot("builds_run_side_by_side_in_one_process") {
        return;
    }
    let sandbox = Sandbox::new();
    let source = |name: &str| {
        format!(
            r#"source "amazon-ebs" "{name}" {{
  ami_name      = "kiln-it-{name}"
  instance_type = "t3.micro"
  region        = "us-east-1"
  ssh_username  = "admin"
  source_ami_filter {{
    filters     = {{ name = "debian-12-amd64-*" }}
    owners      = ["136693071363"]
    most_recent = true
  }}
}}
"#
        )
    };
    let build = r#"build {
  name    = "pair"
  sources = ["amazon-ebs.one", "amazon-ebs.two"]
  provisioner "shell" {
    inline = ["echo I am ${source.name} on $(hostname)", "test \"$PACKER_BUILD_NAME\" = ${source.name}"]
  }
  post-processor "manifest" {}
}
"#;
    sandbox.file("t.pkr.hcl", &format!("{}{}{build}", source("one"), source("two")));
    let ran = sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0).says("==> pair.amazon-ebs.one: I am one");
    ran.says("==> pair.amazon-ebs.two: I am two");
    let manifest = std::fs::read_to_string(sandbox.path().join("packer-manifest.json")).unwrap();
    assert_eq!(manifest.matches("\"artifact_id\": \"us-east-1:ami-").count(), 2, "{manifest}");
    assert_eq!(resources(&sandbox, "us-east-1").iter().filter(|id| id.starts_with("image ")).count(), 2);
    assert_host_clean(&sandbox);
}

#[test]
fn the_name_of_an_existing_image_is_refused_and_force_replaces_it() {
    if !can_boot("the_name_of_an_existing_image_is_refused_and_force_replaces_it") {
        return;
    }
    let sandbox = Sandbox::new();
    let template = r#"source "amazon-ebs" "t" {
  ami_name              = "kiln-it-name"
  instance_type         = "t3.micro"
  region                = "us-east-1"
  ssh_username          = "admin"
  force_delete_snapshot = true
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build { sources = ["source.amazon-ebs.t"] }
"#;
    sandbox.file("t.pkr.hcl", template);
    let first =
        ami(sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0).stdout.split("AMIs were").nth(1).unwrap());
    sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(1).says(&first).says("is used by an existing AMI");
    sandbox.run(&["build", "--local", "-force", "t.pkr.hcl"]).expect(0).says(&format!("id: {first}"));
    let held = resources(&sandbox, "us-east-1");
    assert_eq!(held.iter().filter(|id| id.starts_with("image ")).count(), 1, "{held:#?}");
    assert_eq!(held.iter().filter(|id| id.starts_with("snapshot ")).count(), 1, "{held:#?}");
}

#[test]
fn the_temporary_key_is_removed_from_the_image_if_the_template_asks() {
    if !can_boot("the_temporary_key_is_removed_from_the_image_if_the_template_asks") {
        return;
    }
    let sandbox = Sandbox::new();
    let template = |name: &str, base: &str, option: &str, command: &str| {
        format!(
            r#"
source "amazon-ebs" "k" {{
  region        = "us-east-1"
  instance_type = "t3.micro"
  ssh_username  = "admin"
  ami_name      = "{name}"
  {option}
  source_ami_filter {{
    filters = {{ name = "{base}" }}
    owners  = ["self", "136693071363"]
    most_recent = true
  }}
}}
build {{
  sources = ["source.amazon-ebs.k"]
  provisioner "shell" {{ inline = ["{command}"] }}
}}
"#
        )
    };
    // Both files hold the key, root's behind options as cloud-init writes it, and another key that stays.
    let plant = "echo ssh-ed25519 AAAAother keep >> ~/.ssh/authorized_keys; sudo mkdir -p /root/.ssh; \
                 (printf 'no-pty '; cat ~/.ssh/authorized_keys) | sudo tee /root/.ssh/authorized_keys > /dev/null";
    let show = "cat ~/.ssh/authorized_keys; sudo cat /root/.ssh/authorized_keys; sudo ls -a ~/.ssh /root/.ssh";
    sandbox.file("a.pkr.hcl", &template("first", "debian-12-amd64-*", "ssh_clear_authorized_keys = true", plant));
    let ran = sandbox.run(&["build", "--local", "a.pkr.hcl"]).expect(0).says("Trying to remove ephemeral keys");
    assert!(!ran.stdout.contains("Could not remove"), "{}", ran.stdout);
    sandbox.file("b.pkr.hcl", &template("second", "first", "", show));
    let ran = sandbox.run(&["build", "--local", "b.pkr.hcl"]).expect(0);
    // The second bake's own key may be the last line of the user's file; the first one's is nowhere.
    assert!(ran.stdout.matches("AAAAother keep").count() == 2, "{}", ran.stdout);
    assert!(ran.stdout.matches("ssh-ed25519 AAAA").count() <= 3, "{}", ran.stdout);
    assert!(!ran.stdout.contains("no-pty ssh-ed25519") && !ran.stdout.contains(".bak"), "{}", ran.stdout);
    assert_host_clean(&sandbox);
}
