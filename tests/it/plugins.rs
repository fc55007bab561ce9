//! `kiln init` and `kiln plugins`, and what required plugins mean to a build.

use crate::sandbox::Sandbox;

const TEMPLATE: &str = r#"
packer {
  required_version = ">= 1.7.0"
  required_plugins {
    amazon = { version = ">= 1.0.0", source = "github.com/hashicorp/amazon" }
    paint  = { version = "~> 1, < 1.9", source = "github.com/acme-example/paint" }
  }
}
variable "unset" {}
source "null" "a" { communicator = "none" }
source "paint-wall" "p" {}
build {
  sources = ["null.a", "paint-wall.p"]
}
"#;
const NOTHING: &str = "packer {}\nvariable \"unset\" {}\n";

#[test]
fn init_says_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    for args in [&["init", "t.pkr.hcl"][..], &["init", "-upgrade", "-force", "."]] {
        let ran = sandbox.run(args).expect(0).says("github.com/hashicorp/amazon >= 1.0.0: built in");
        ran.says("Warning: Kiln has no plugin github.com/acme-example/paint").says("line 6");
    }
    sandbox.file("t.pkr.hcl", NOTHING);
    sandbox.run(&["init", "t.pkr.hcl"]).expect(0).says("No plugins requirement found");
    sandbox.run(&["init", "-var", "nope=1", "t.pkr.hcl"]).expect(1).says("Undefined -var variable");
    sandbox.file("t.pkr.hcl", &TEMPLATE.replace(">= 1.0.0", ">= 99"));
    sandbox.run(&["init", "t.pkr.hcl"]).expect(1).says("is not of a version >= 99");
    sandbox.file("t.json", "{}");
    sandbox.run(&["init", "t.json"]).expect(1).says("only templates in HCL ask for plugins");
}

#[test]
fn plugins_are_listed() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    for group in ["plugins", "plugin"] {
        sandbox.run(&[group, "installed"]).expect(0).says("github.com/hashicorp/amazon v1.");
        let required = sandbox.run(&[group, "required", "t.pkr.hcl"]).expect(0);
        required
            .says("amazon github.com/hashicorp/amazon \">= 1.0.0\" (built in")
            .says("paint github.com/acme-example/paint \"~> 1, < 1.9\"\n");
    }
    sandbox.file("t.pkr.hcl", NOTHING);
    sandbox.run(&["plugins", "required", "t.pkr.hcl"]).expect(0).says("No plugins requirement found");
    sandbox.run(&["plugins"]).expect(1).says("required");
}

#[test]
fn nothing_is_installed_or_removed() {
    let sandbox = Sandbox::new();
    let amazon = "github.com/hashicorp/amazon";
    sandbox.run(&["plugins", "install", amazon]).expect(0).says("nothing to install");
    sandbox.run(&["plugins", "install", amazon, "~> 1.2"]).expect(0).says("nothing to install");
    sandbox.run(&["plugins", "install", amazon, "> 99"]).expect(1).says("which is not > 99");
    sandbox.run(&["plugins", "install", amazon, "new"]).expect(1).says("not a version constraint");
    sandbox.run(&["plugins", "install", "-path", "x", amazon]).expect(1).says("runs no plugin binaries");
    sandbox.run(&["plugins", "install", "github.com/acme/paint"]).expect(1).says("Kiln has no plugin");
    sandbox.run(&["plugins", "remove", amazon]).expect(1).says("can't be removed");
    sandbox.run(&["plugins", "remove", "github.com/acme/paint"]).expect(1).says("no plugin github.com/acme/paint");
    sandbox.run(&["plugins", "install"]).expect(1);
}

#[test]
fn a_missing_plugin_matters_only_to_builds_that_use_it() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &TEMPLATE.replace("variable \"unset\" {}", ""));
    sandbox.run(&["build", "-only=null.a", "t.pkr.hcl"]).expect(0);
    let ran = sandbox.run(&["validate", "t.pkr.hcl"]).expect(1).says("Unknown source type paint-wall");
    ran.says("github.com/acme-example/paint");
}

#[test]
fn the_version_of_packer_is_checked() {
    let sandbox = Sandbox::new();
    for (constraint, code) in [(">= 1.7.0", 0), ("~> 1.15", 0), (">= 2", 1), ("< 1.0.0", 1), ("soon", 1)] {
        let text = TEMPLATE.replace(">= 1.7.0", constraint).replace("variable \"unset\" {}", "");
        sandbox.file("t.pkr.hcl", &text);
        sandbox.run(&["validate", "-only=null.a", "t.pkr.hcl"]).expect(code);
    }
}
