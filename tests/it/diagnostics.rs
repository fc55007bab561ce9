//! What is said of bad templates, whole: what is wrong, where, the line with marks under the fault, and the remedy.

use crate::sandbox::Sandbox;

/// A mistake, the template that has it, the exit code, and all that `validate` says.
const CASES: &[(&str, &str, i32, &str)] = &[
    (
        "a closing quote is missing",
        r#"variable "x" {
  default = "abc
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Unterminated string

  on t.pkr.hcl line 2, column 13:
   2:   default = "abc
                  ^^^^

The string has no closing quote on its line. Text over several lines is written
as a heredoc: <<EOT.


"#,
    ),
    (
        "every block is read, whatever is wrong with the one before",
        r#"locals {
  a = = 1
}
variable "y" {
  default = [1,, 2]
}
locals {
  z = )
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Invalid expression

  on t.pkr.hcl line 2, column 7:
   2:   a = = 1
            ^

Expected the start of an expression, but found "=".

Error: Invalid expression

  on t.pkr.hcl line 5, column 16:
   5:   default = [1,, 2]
                     ^

Expected the start of an expression, but found ",".

Error: Invalid expression

  on t.pkr.hcl line 8, column 7:
   8:   z = )
            ^

Expected the start of an expression, but found ")".


"#,
    ),
    (
        "two lines of one block",
        r#"locals {
  a = [1, 2
  b = "${upper("x")}"
  c = 1 & 2
}
source "null" "a" {
  communicator = "none"
}
"#,
        1,
        r#"Error: Missing item separator

  on t.pkr.hcl line 3, column 3:
   3:   b = "${upper("x")}"
        ^

Expected a comma or ] after the item, but found "b".

Error: Unsupported operator

  on t.pkr.hcl line 4, column 9:
   4:   c = 1 & 2
              ^

There is no & operator. Did you mean &&?


"#,
    ),
    (
        "a name in quotes, as in JSON",
        r#"locals {
  "a" = 1
}
"#,
        1,
        r#"Error: Invalid argument name

  on t.pkr.hcl line 2, column 3:
   2:   "a" = 1
        ^^^

The name of an argument stands without quotes.

hint: write a = …


"#,
    ),
    (
        "an item of a list",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = [
    "null.a",
    "null.b",
  ]
}
"#,
        1,
        r#"Error: Unknown source null.b

  on t.pkr.hcl line 7, column 5:
   7:     "null.b",
          ^^^^^^^^

The template declares these sources: null.a.

hint: did you mean "null.a"?


"#,
    ),
    (
        "a colon for an equals sign",
        r#"variable "x" {
  default: "a"
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Missing equals sign

  on t.pkr.hcl line 2, column 10:
   2:   default: "a"
               ^

An argument is written default = …, with an equals sign instead of the colon.


"#,
    ),
    (
        "no equals sign",
        r#"source "null" "a" {
  communicator "none"
}
"#,
        1,
        r#"Error: Missing equals sign

  on t.pkr.hcl line 2, column 3:
   2:   communicator "none"
        ^^^^^^^^^^^^^^^^^^^

This is neither an argument, which has an equals sign, nor a block, which has
braces.

hint: write communicator = "none"


"#,
    ),
    (
        "a template part is not closed",
        r#"locals {
  a = "${var.x"
}
"#,
        1,
        r#"Error: Unclosed template interpolation

  on t.pkr.hcl line 2, column 7:
   2:   a = "${var.x"
            ^^^^^^^^^

There is no closing brace for a ${ or %{ in this string. Write $${ or %%{ for
the characters themselves.


"#,
    ),
    (
        "quotes in a string",
        r#"locals {
  a = "say "hi" there"
}
"#,
        1,
        r#"Error: Unexpected text after a string

  on t.pkr.hcl line 2, column 13:
   2:   a = "say "hi" there"
                  ^^

The string ends before this. A double quote inside a string is written \".


"#,
    ),
    (
        "JSON",
        r#"{"builders": [{"type": "null"}]}
"#,
        1,
        r#"Error: Unexpected JSON

  on t.pkr.hcl line 1, column 1:
   1: {"builders": [{"type": "null"}]}
      ^

The text is JSON, but its file is read in the native syntax.

hint: JSON is read from files whose names end in .json


"#,
    ),
    (
        "blocks of Terraform",
        r#"terraform {
  required_version = "1"
}
resource "aws_instance" "x" {
  ami = "a"
}
provider "aws" {
  region = "x"
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Unsupported block type

  on t.pkr.hcl line 1, column 1:
   1: terraform {
      ^^^^^^^^^

Blocks of type "terraform" are not expected here.

hint: this is Terraform's: a template says packer { required_version = … }

Error: Unsupported block type

  on t.pkr.hcl line 4, column 1:
   4: resource "aws_instance" "x" {
      ^^^^^^^^^^^^^^^^^^^^^^^^^^^

Blocks of type "resource" are not expected here.

hint: resources are Terraform's: what is built is a source block, named in a
build block

Error: Unsupported block type

  on t.pkr.hcl line 7, column 1:
   7: provider "aws" {
      ^^^^^^^^^^^^^^

Blocks of type "provider" are not expected here.

hint: providers are Terraform's: region and credentials are options of each
source


"#,
    ),
    (
        "variables of the older templates",
        r#"source "null" "a" {
  communicator = "{{ user `x` }}"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Invalid {{ }} in "communicator"

  on t.pkr.hcl line 2, column 18, in source "null" "a":
   2:   communicator = "{{ user `x` }}"
                       ^^^^^^^^^^^^^^^^

render 'communicator': template: root:1:3: executing "root" at <user `x`>: error
calling user: there are no user variables in HCL2, write ${var.name} in:

{{ user `x` }}


"#,
    ),
    (
        "a misspelt variable",
        r#"variable "region" {
  default = "x"
}
locals {
  a = var.regoin
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Undeclared variable

  on t.pkr.hcl line 5, column 11:
   5:   a = var.regoin
                ^^^^^^

The template declares no variable "regoin".

hint: did you mean "region"?


"#,
    ),
    (
        "a variable without var.",
        r#"variable "region" {
  default = "x"
}
locals {
  a = region
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Unknown variable

  on t.pkr.hcl line 5, column 7:
   5:   a = region
            ^^^^^^

There is no variable named "region".

hint: did you mean var.region?


"#,
    ),
    (
        "a misspelt local",
        r#"locals {
  name = "x"
  b = local.nmae
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Undeclared local

  on t.pkr.hcl line 3, column 7:
   3:   b = local.nmae
            ^^^^^^^^^^

local.b needs local.nmae, but the template has no local value "nmae".

hint: did you mean local.name?


"#,
    ),
    (
        "a misspelt attribute",
        r#"variable "o" {
  default = { alpha = 1, beta = 2 }
}
locals {
  x = var.o.alhpa
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Unsupported attribute

  on t.pkr.hcl line 5, column 13:
   5:   x = var.o.alhpa
                  ^^^^^

var.o does not have an attribute named "alhpa".

hint: did you mean "alpha"?


"#,
    ),
    (
        "a misspelt function",
        r#"locals {
  a = uper("x")
  b = formt("%s", 1)
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Call to unknown function

  on t.pkr.hcl line 2, column 7:
   2:   a = uper("x")
            ^^^^

There is no function named "uper".

hint: did you mean "upper"?

Error: Call to unknown function

  on t.pkr.hcl line 3, column 7:
   3:   b = formt("%s", 1)
            ^^^^^

There is no function named "formt".

hint: did you mean "format"?


"#,
    ),
    (
        "a function that belongs elsewhere",
        r#"locals {
  h = env("HOME")
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Function not allowed here

  on t.pkr.hcl line 2, column 7:
   2:   h = env("HOME")
            ^^^

The function "env" can't be called here.

hint: declare a variable with default = env("NAME"), the one place where the
environment is read, and use the variable


"#,
    ),
    (
        "a variable in a default",
        r#"variable "x" {
  default = var.y
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Variables not allowed

  on t.pkr.hcl line 2, column 13:
   2:   default = var.y
                  ^^^^^

Variables may not be used here: the value must be written out.


"#,
    ),
    (
        "a type in quotes",
        r#"variable "x" {
  type = "string"
  default = "a"
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Invalid type specification

  on t.pkr.hcl line 2, column 10:
   2:   type = "string"
               ^^^^^^^^

A type is a keyword or a constructor such as list(string), and not a text.

hint: without the quotes: string


"#,
    ),
    (
        "a value of another type",
        r#"variable "x" {
  type = list(string)
  default = "a"
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Invalid default value for variable

  on t.pkr.hcl line 3, column 13:
   3:   default = "a"
                  ^^^

This default value is not compatible with the variable's type constraint: list
of string required, but a string was given.

hint: put it in brackets: a list of one is written [ … ]


"#,
    ),
    (
        "a variable without a value",
        r#"variable "x" {
  type = string
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Unset variable "x"

  on t.pkr.hcl line 1, column 1:
   1: variable "x" {
      ^^^^^^^^^^^^

The variable "x" has neither a default nor a value.

hint: set it with -var 'x=…', in a file given with -var-file, or as PKR_VAR_x


"#,
    ),
    (
        "a variable declared twice",
        r#"variable "x" {
  default = 1
}
variable "x" {
  default = 2
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
}
"#,
        1,
        r#"Error: Duplicate variable

  on t.pkr.hcl line 4, column 10:
   4: variable "x" {
               ^^^

The variable "x" is declared more than once.

It is declared here already:

  on t.pkr.hcl line 1, column 1:
   1: variable "x" {
      ^^^^^^^^^^^^


"#,
    ),
    (
        "a misspelt source",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = ["source.null.b"]
}
"#,
        1,
        r#"Error: Unknown source null.b

  on t.pkr.hcl line 5, column 14:
   5:   sources = ["source.null.b"]
                   ^^^^^^^^^^^^^^^

The template declares these sources: null.a.

hint: did you mean "null.a"?


"#,
    ),
    (
        "a reference without quotes",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = [source.null.a]
}
"#,
        1,
        r#"Error: Unknown source value

  on t.pkr.hcl line 5, column 21:
   5:   sources = [source.null.a]
                          ^^^^

source.null is not known: it has only name and type.

hint: to name a source, write the reference in quotes: "source.null.NAME"


"#,
    ),
    (
        "a misspelt option",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    inlin = ["x"]
  }
}
"#,
        1,
        r#"Error: Unsupported argument

  on t.pkr.hcl line 7, column 5, in provisioner "shell-local":
   7:     inlin = ["x"]
          ^^^^^

An argument named "inlin" is not expected here.

hint: did you mean "inline"?


"#,
    ),
    (
        "a misspelt build",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    only = ["nul.a"]
    inline = ["x"]
  }
}
"#,
        0,
        r#"Warning: Unknown build in only

  on t.pkr.hcl line 7, column 12:
   7:     only = ["nul.a"]
                 ^^^^^^^^^

"nul.a" is the name of no build here, so it has no effect.

hint: did you mean "null.a"?


The configuration is valid.
"#,
    ),
    (
        "a block written as an argument",
        r#"source "amazon-ebs" "a" {
  ami_name = "xxx"
  region = "us-east-1"
  instance_type = "t3.micro"
  ssh_username = "u"
  source_ami_filter = {
    owners = ["self"]
  }
}
build {
  sources = ["amazon-ebs.a"]
}
"#,
        1,
        r#"Error: Unsupported argument

  on t.pkr.hcl line 6, column 3, in source "amazon-ebs" "a":
   6:   source_ami_filter = {
        ^^^^^^^^^^^^^^^^^

An argument named "source_ami_filter" is not expected here: source_ami_filter is
a block.

hint: write source_ami_filter { … } without the equals sign


"#,
    ),
    (
        "several misspelt options",
        r#"source "amazon-ebs" "a" {
  ami_nam = "xxx"
  regoin = "us-east-1"
  instance-type = "t3.micro"
  username = "u"
  source_ami = "ami-1"
}
build {
  sources = ["amazon-ebs.a"]
}
"#,
        1,
        r#"Error: Unsupported argument

  on t.pkr.hcl line 2, column 3, in source "amazon-ebs" "a":
   2:   ami_nam = "xxx"
        ^^^^^^^

An argument named "ami_nam" is not expected here.

hint: did you mean "ami_name"?

Error: Unsupported argument

  on t.pkr.hcl line 3, column 3, in source "amazon-ebs" "a":
   3:   regoin = "us-east-1"
        ^^^^^^

An argument named "regoin" is not expected here.

hint: did you mean "region"?

Error: Unsupported argument

  on t.pkr.hcl line 4, column 3, in source "amazon-ebs" "a":
   4:   instance-type = "t3.micro"
        ^^^^^^^^^^^^^

An argument named "instance-type" is not expected here.

hint: did you mean "instance_type"?

Error: Unsupported argument

  on t.pkr.hcl line 5, column 3, in source "amazon-ebs" "a":
   5:   username = "u"
        ^^^^^^^^

An argument named "username" is not expected here.

hint: did you mean "ssh_username"?


"#,
    ),
    (
        "a misspelt build value, and nothing of its consequences",
        r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    inline = ["echo ${build.Hosst}"]
  }
}
"#,
        1,
        r#"Error: Unknown build value

  on t.pkr.hcl line 7, column 29, in provisioner "shell-local":
   7:     inline = ["echo ${build.Hosst}"]
                                  ^^^^^

build.Hosst is not known here.

hint: did you mean "Host"?


"#,
    ),
    (
        "tabs and wide characters",
        "\tlocals {\n\t\t日本 = \"日本語\" + 1\n\t}\nsource \"null\" \"a\" {\n  communicator = \"none\"\n}\nbuild {\n  sources = [\"null.a\"]\n}\n",
        1,
        "Error: Invalid operand\n\n  on t.pkr.hcl line 2, column 8:\n   2: \t\t日本 = \"日本語\" + 1\n      \t\t       ^^^^^^^^\n\nUnsuitable value for left operand: a number is required, but this string is\nnone.\n\n\n",
    ),
    (
        "Windows line ends",
        "locals {\r\n  a = var.nope\r\n}\r\nsource \"null\" \"a\" {\r\n  communicator = \"none\"\r\n}\r\nbuild {\r\n  sources = [\"null.a\"]\r\n}\r\n",
        1,
        r#"Error: Undeclared variable

  on t.pkr.hcl line 2, column 11:
   2:   a = var.nope
                ^^^^

The template declares no variable "nope".

hint: to declare it, write: variable "nope" {}


"#,
    ),
    (
        "mistakes of all kinds at once",
        r#"locals {
  a = var.q
}
source "null" "a" {
  communicatr = "none"
}
build {
  sources = ["null.a", "null.zz"]
  provisioner "shell-local" {
    inlin = ["x"]
  }
  post-processor "manifest" {
    outptu = "x"
  }
}
"#,
        1,
        r#"Error: Undeclared variable

  on t.pkr.hcl line 2, column 11:
   2:   a = var.q
                ^

The template declares no variable "q".

hint: to declare it, write: variable "q" {}

Error: Unknown source null.zz

  on t.pkr.hcl line 8, column 24:
   8:   sources = ["null.a", "null.zz"]
                             ^^^^^^^^^

The template declares these sources: null.a.

hint: did you mean "null.a"?

Error: Unsupported argument

  on t.pkr.hcl line 5, column 3, in source "null" "a":
   5:   communicatr = "none"
        ^^^^^^^^^^^

An argument named "communicatr" is not expected here.

hint: did you mean "communicator"?

Error: Unsupported argument

  on t.pkr.hcl line 10, column 5, in provisioner "shell-local":
  10:     inlin = ["x"]
          ^^^^^

An argument named "inlin" is not expected here.

hint: did you mean "inline"?

Error: Unsupported argument

  on t.pkr.hcl line 13, column 5, in post-processor "manifest":
  13:     outptu = "x"
          ^^^^^^

An argument named "outptu" is not expected here.

hint: did you mean "output"?


"#,
    ),
    (
        "words of other languages",
        r#"locals {
  a = if true then 1
}
"#,
        1,
        r#"Error: Invalid expression

  on t.pkr.hcl line 2, column 10:
   2:   a = if true then 1
               ^^^^

There is no word if in expressions: write CONDITION ? YES : NO.


"#,
    ),
];

#[test]
fn mistakes_are_told_in_full() {
    for (mistake, template, code, wanted) in CASES {
        let sandbox = Sandbox::new();
        sandbox.file("t.pkr.hcl", template);
        let ran = sandbox.run(&["validate", "t.pkr.hcl"]).expect(*code);
        assert_eq!(ran.stdout, *wanted, "{mistake}:\n{}", ran.stdout);
    }
}

#[test]
fn a_failed_build_names_the_block_at_fault() {
    let sandbox = Sandbox::new();
    let template = r#"source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    inline = ["exit 3"]
  }
}
"#;
    sandbox.file("t.pkr.hcl", template);
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
    assert!(ran.last_line().contains("(provisioner \"shell-local\" at t.pkr.hcl:6)"), "{}", ran.stdout);
    let unreachable = r#"source "null" "a" {
  ssh_host     = "127.0.0.1"
  ssh_port     = 1
  ssh_username = "u"
  ssh_password = "pw"
  ssh_timeout  = "100ms"
}
build {
  sources = ["null.a"]
}
"#;
    sandbox.file("t.pkr.hcl", unreachable);
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
    assert!(ran.last_line().contains("(source \"null\" \"a\" at t.pkr.hcl:1)"), "{}", ran.stdout);
}
