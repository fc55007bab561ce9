//! `kiln inspect`.

use crate::sandbox::Sandbox;

const TEMPLATE: &str = r#"
variable "b" { default = ["x", 1] }
variable "a" {}
variable "key" {
  sensitive = true
  default   = "alpha-line\nbeta-line\n"
}
locals {
  quoted = "the alpha-line"
}
build {
  name        = "img"
  description = "An image"
  sources     = ["null.undeclared"]
  provisioner "shell" { name = "setup" }
  post-processors {
    post-processor "manifest" {}
    post-processor "checksum" { name = "sums" }
  }
  post-processor "compress" {}
}
build {
  sources = ["cloud.c"]
}
"#;

const SHOWN: &str = r#"Packer Inspect: HCL2 mode

> input-variables:

var.a: "<unknown>"
var.b: "[\n  \"x\",\n  1,\n]"
var.key: "<sensitive>\n<sensitive>\n"

> local-variables:

local.quoted: "the <sensitive>"

> builds:

  > img:

  > Description: An image

    sources:

      null.undeclared

    provisioners:

      shell.setup

    post-processors:

      0:
        manifest
        checksum.sums

      1:
        compress

  > <unnamed build 1>:

    sources:

      cloud.c

    provisioners:

      <no provisioner>

    post-processors:

      <no post-processor>

"#;

#[test]
fn the_whole_template_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    assert_eq!(sandbox.run(&["inspect", "t.pkr.hcl"]).expect(0).stdout, SHOWN);
    assert_eq!(sandbox.run(&["inspect", "-use-sequential-evaluation", "."]).expect(0).stdout, SHOWN);
    // Without an argument it shows what is here, with several all of them.
    assert_eq!(sandbox.run(&["inspect"]).expect(0).stdout, SHOWN);
    assert_eq!(sandbox.run(&["inspect", ".", "t.pkr.hcl"]).expect(0).stdout, SHOWN.repeat(2));
    sandbox.run(&["inspect", "-var", "a=here", "t.pkr.hcl"]).expect(0).says("var.a: \"here\"");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", "variable \"x\" {\n");
    sandbox.run(&["inspect", "t.pkr.hcl"]).expect(1).says("Unclosed configuration block");
    sandbox.run(&["inspect", "nope.pkr.hcl"]).expect(1).says("no such file or directory");
    sandbox.run(&["inspect", "-var", "y=1", "t.pkr.hcl"]).expect(1);
}

#[test]
fn programs_get_one_record_a_template() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let shown = sandbox.run(&["inspect", "-machine-readable", "t.pkr.hcl"]).expect(0).stdout;
    let (time, rest) = shown.split_once(',').unwrap();
    assert!(time.parse::<u64>().is_ok(), "{shown}");
    assert!(rest.starts_with(",ui,say,Packer Inspect: HCL2 mode\\n\\n> input-variables:\\n"), "{shown}");
    assert_eq!(shown.lines().count(), 1, "{shown}");
}
