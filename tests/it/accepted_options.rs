//! Options that components take from any template: what Packer hands to its components, and the communicator's.

use crate::sandbox::Sandbox;

/// A null source with these options and one local provisioner.
fn template(source: &str, build: &str) -> String {
    format!("source \"null\" \"n\" {{\n{source}\n}}\nbuild {{\nsources = [\"source.null.n\"]\n{build}\n}}\n")
}

#[test]
fn what_packer_hands_to_its_components_is_taken_and_has_no_effect() {
    let sandbox = Sandbox::new();
    let facts = "packer_debug = true\npacker_force = \"x\"\npacker_on_error = \"abort\"\npacker_build_name = \"z\"\npacker_builder_type = \"z\"\n\
                 packer_core_version = \"1\"\npacker_user_variables = { a = 1 }\npacker_sensitive_variables = [\"a\"]";
    let build = format!(
        "provisioner \"shell-local\" {{\ninline = [\"echo is $PACKER_BUILD_NAME\"]\n{facts}\n}}\n\
         post-processor \"manifest\" {{\noutput = \"m.json\"\n{facts}\n}}"
    );
    let data = format!("data \"null\" \"d\" {{\ninput = \"i\"\n{facts}\n}}\n");
    let text = data + &template(&format!("communicator = \"none\"\n{facts}"), &build);
    sandbox.file("t.pkr.hcl", &text);
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0).says("is n\n");
    sandbox.file("t.pkr.hcl", &text.replace("packer_force", "packer_farce"));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(1).says("An argument named \"packer_farce\" is not expected here.");
}

#[test]
fn communicator_options_that_need_nothing_done_are_taken() {
    let sandbox = Sandbox::new();
    let ssh = "ssh_host = \"127.0.0.1\"\nssh_username = \"u\"\nssh_password = \"seven8\"\n";
    let options = "ssh_clear_authorized_keys = true\ntemporary_key_pair_bits = 4096\nssh_public_key = [1, 2]";
    sandbox.file("t.pkr.hcl", &template(&format!("{ssh}{options}"), ""));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.file("t.pkr.hcl", &template(&format!("{ssh}ssh_private_key = [1, 2]"), ""));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(1).says("ssh_private_key is invalid");
}

#[test]
fn a_bastion_that_asks_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let options = "ssh_host = \"127.0.0.1\"\nssh_username = \"u\"\nssh_password = \"seven8\"\nssh_bastion_host = \"127.0.0.1\"\n\
                   ssh_bastion_password = \"seven8\"\nssh_bastion_interactive = true";
    sandbox.file("t.pkr.hcl", &template(options, ""));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("ssh_bastion_interactive is not supported yet");
}

#[test]
fn each_communicator_asks_for_its_own_options() {
    let sandbox = Sandbox::new();
    for (options, says, silent) in [
        ("communicator = \"winrm\"\nwinrm_host = \"h\"", &["winrm_username must", "winrm_password must"][..], "ssh_"),
        ("communicator = \"foo\"", &["Communicator type foo is invalid"], "ssh_"),
        ("ssh_host = \"h\"", &["An ssh_username must", "one of ssh_agent_auth"], "winrm_"),
    ] {
        sandbox.file("t.pkr.hcl", &template(options, ""));
        let ran = sandbox.run(&["validate", "t.pkr.hcl"]).expect(1);
        for text in says {
            assert!(ran.stdout.contains(text), "no {text} in {}", ran.stdout);
        }
        assert!(!ran.stdout.contains(silent), "{}", ran.stdout);
    }
}

#[test]
fn line_ends_that_are_wrong_are_told() {
    let sandbox = Sandbox::new();
    let closed = "build {\npost-processor \"checksum\" {\noutput = \"x\" }\n}\n";
    for (text, says) in [
        (
            "build {\npost-processor \"checksum\" { checksum_types = [\"md5\"]\noutput = \"x\" }\n}\n",
            "must close on that line",
        ),
        (closed, "must stand on a line of its own"),
        ("# a template\rbuild {\rsources = []\r}\r", "lone CR"),
        ("variable \"a\" {\n}\nbuild {\rsources = []\r}\r", "lone CR"),
    ] {
        sandbox.file("t.pkr.hcl", text);
        let ran = sandbox.run(&["validate", "t.pkr.hcl"]).expect(1);
        assert!(ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(says), "{says}: {}", ran.stdout);
    }
}
