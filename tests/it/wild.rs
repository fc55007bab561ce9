//! What real templates do: the odd but lawful ways of writing that a reader must not stumble over.

use crate::sandbox::{Ran, Sandbox};

const NULL: &str = "source \"null\" \"x\" {\n  communicator = \"none\"\n}\n";
const BUILD: &str = "build {\n  sources = [\"source.null.x\"]\n}\n";

/// Runs a verb on a template.
#[track_caller]
fn run(verb: &str, template: &str) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", template);
    sandbox.run(&[verb, "t.pkr.hcl"])
}

#[track_caller]
fn valid(template: &str) {
    let ran = run("validate", template).expect(0);
    assert_eq!(ran.stdout, "The configuration is valid.\n", "{template}");
}

/// The variables and locals that a template has, as `inspect` shows them.
#[track_caller]
fn values(template: &str, wanted: &[&str]) {
    let text = format!("{template}\n{NULL}{BUILD}");
    valid(&text);
    let ran = run("inspect", &text).expect(0);
    let lines = ran.stdout.lines().filter(|line| line.starts_with("var.") || line.starts_with("local."));
    assert_eq!(lines.collect::<Vec<_>>(), wanted, "{template}");
}

/// A build of the null source with something in it.
fn build(inside: &str) -> String {
    format!("{NULL}build {{\n  sources = [\"null.x\"]\n{inside}\n}}\n")
}

#[test]
fn labels_need_no_quotes() {
    valid(
        "source null x {\n  communicator = \"none\"\n}\ndata null seed {\n  input = \"i\"\n}\nbuild {\n  sources = [\"null.x\"]\n  \
         dynamic provisioner {\n    for_each = [data.null.seed.output]\n    labels   = [\"shell-local\"]\n    iterator = it\n    \
         content {\n      inline = [\"echo ${it.value}\"]\n    }\n  }\n  provisioner shell-local {\n    inline = [\"true\"]\n  }\n}\n",
    );
}

#[test]
fn layout_is_free() {
    valid(&build("").trim_end().replace("  ", "\t \t"));
    valid(&format!("{NULL}build {{ sources = [\"null.x\"] }}"));
    valid(&format!(
        "/* first\n line */ {NULL}build {{ # why\n  sources = [ # \"null.y\",\n    // and\n    \"null.x\" /* last */\n    # none\n  ]\n}}\n\
         /* source \"gone\" \"x\" {{\n  text = \"${{\"\n}} */"
    ));
    values(
        "variable \"a\" { default = \"\" }\nlocals { b = regex_replace(\"2020-01-02\", \"[-:]\", \"\") }\nsource \"null\" \"unused\" {}",
        &["var.a: \"\"", "local.b: \"20200102\""],
    );
}

#[test]
fn objects_are_written_in_many_ways() {
    values(
        "locals { a = { x : 1, y = 2\n    z: \"└─ é\" \n    Name= \"n\", \"tag:Name\": \"t\" # end\n } }",
        &[
            r#"local.a: "{\n  \"Name\" = \"n\"\n  \"tag:Name\" = \"t\"\n  \"x\" = 1\n  \"y\" = 2\n  \"z\" = \"└─ é\"\n}""#,
        ],
    );
}

#[test]
fn a_dash_in_a_name_is_no_minus() {
    values(
        "variable \"ipsw-url_2\" {\n  default = 7\n}\ndata \"null\" \"aws-windows-ssh\" {\n  input = \"i\"\n}\nlocals {\n  \
         managed-by = data.null.aws-windows-ssh.output\n  o = { virtualization-type = local.managed-by }\n  \
         p = local.o.virtualization-type\n  q = var.ipsw-url_2 -1\n  CPUs = 5 - 2\n}\n",
        &[
            "var.ipsw-url_2: \"7\"",
            "local.CPUs: \"3\"",
            "local.managed-by: \"i\"",
            r#"local.o: "{\n  \"virtualization-type\" = \"i\"\n}""#,
            "local.p: \"i\"",
            "local.q: \"6\"",
        ],
    );
}

#[test]
fn strings_within_strings() {
    let sandbox = Sandbox::new();
    sandbox.file("sums/checksum", "abc\tname\n");
    let text = r#"locals {
  dir = "sums"
  a   = "SHA256:${split("\t", file("${local.dir}/checksum"))[0]}"
  b   = "x-${formatdate("YYYYMMDD", "2020-01-02T03:04:05Z")}"
}
"#;
    sandbox.file("t.pkr.hcl", &format!("{text}{NULL}{BUILD}"));
    sandbox.run(&["inspect", "t.pkr.hcl"]).expect(0).says("local.a: \"SHA256:abc\"\nlocal.b: \"x-20200102\"\n");
}

#[test]
fn a_lone_interpolation_is_the_value_itself() {
    values(
        "variable \"ids\" {\n  type    = list(string)\n  default = [\"a\"]\n}\nlocals {\n  m = { a = 1 }\n  all = merge(\"${local.m}\", \"${{ b = 2 }}\")\n  \
         ids = \"${var.ids}\"\n  yes = \"${true}\" ? \"y\" : \"n\"\n  none = \"${null}\"\n}\n",
        &[
            r#"var.ids: "[\n  \"a\",\n]""#,
            r#"local.all: "{\n  \"a\" = 1\n  \"b\" = 2\n}""#,
            r#"local.ids: "[\n  \"a\",\n]""#,
            r#"local.m: "{\n  \"a\" = 1\n}""#,
            "local.none: \"null\"",
            "local.yes: \"y\"",
        ],
    );
}

#[test]
fn shell_and_regular_expressions_are_plain_text() {
    values(
        r#"locals {
  n     = 1
  shell = "$HOME $(cmd) $1 $${x} ${local.n} 50%% # // \\ \" `x` && <enter>"
  no    = can(regex("(^\\d{3}$|^$)", "12"))
  yes   = can(regex("(^\\d{3}$|^$)", "123"))
  clean = regex_replace("a b(c)!", "[^A-Za-z0-9\\(\\)\\[\\] \\.\\/\\\\\\-\\'\\@_]", "-")
}
"#,
        &[
            "local.clean: \"a b(c)-\"",
            "local.n: \"1\"",
            "local.no: \"false\"",
            r#"local.shell: "$HOME $(cmd) $1 ${x} 1 50%% # // \\ \" `x` && <enter>""#,
            "local.yes: \"true\"",
        ],
    );
}

#[test]
fn both_template_languages_in_one_string() {
    values(
        "locals {\n  n = 1\n  a = \"{{isotime \\\"2006\\\"}}-${local.n}\"\n  b = \"{{ upper `${local.n}` }}\"\n}\n",
        &[r#"local.a: "{{isotime \"2006\"}}-1""#, "local.b: \"{{ upper `1` }}\"", "local.n: \"1\""],
    );
    valid(&build(
        "  provisioner \"shell-local\" {\n    inline = [\"echo {{isotime \\\"2006\\\"}} {{ upper `${source.name}` }} {{ build_name }}\"]\n    \
         execute_command = [\"sh\", \"-c\", \"{{.Vars}} {{ .Script }}\"]\n  }",
    ));
}

#[test]
fn heredocs_end_where_their_word_stands_alone() {
    values(
        "locals {\n  a = <<EOF\n  x\n    EOF of it\n   EOF\n  b = <<-POTATO\n    one\n      two\n    POTATO \n  c = [<<A\n1\nA\n    , <<-B\n      cat <<IN\n      $env:X = \"`q\" \\n ${path.root}\n      IN\n      B\n  ]\n}\n",
        &[
            r#"local.a: "  x\n    EOF of it\n""#,
            r#"local.b: "one\n  two\n""#,
            r#"local.c: "[\n  \"1\\n\",\n  \"cat <<IN\\n$env:X = \\\"`q\\\" \\\\n .\\nIN\\n\",\n]""#,
        ],
    );
}

#[test]
fn conditionals_take_branches_of_many_lines() {
    values(
        "locals {\n  a = false\n  b = !local.a ? [] : local.a ? [\"x\", \"y\"] : [\n    \"z\"\n  ]\n  c = (local.a\n    ? {}\n    : { q = 1 }\n  )\n}\n",
        &["local.a: \"false\"", "local.b: \"[]\"", r#"local.c: "{\n  \"q\" = 1\n}""#],
    );
}

#[test]
fn for_expressions_glued_and_over_many_lines() {
    values(
        "locals {\n  a = [for region in [\"a\", \"b\"]: region if region != \"a\"]\n  b = [for k, v in yamldecode(\"a: 1\\nb: x\") : \"${upper(k)}=${v}\"]\n  \
         c = { for k, v in { a = \"xx\", b = \"y\" } : k => v if length(regexall(\"x\", v)) > 0 }\n  d = [\n    for k, v in { a = 1 } :\n    {\n      name = k\n    }\n    if v > 0\n  ]\n}\n",
        &[
            r#"local.a: "[\n  \"b\",\n]""#,
            r#"local.b: "[\n  \"A=1\",\n  \"B=x\",\n]""#,
            r#"local.c: "{\n  \"a\" = \"xx\"\n}""#,
            r#"local.d: "[\n  {\n    \"name\" = \"a\"\n  },\n]""#,
        ],
    );
}

#[test]
fn chains_of_indices_and_what_may_be_missing() {
    values(
        "variable \"o\" {\n  type    = object({ a = string, b = optional(string) })\n  default = { a = \"k\" }\n}\nlocals {\n  v = { azure = { k = { z = [7] } } }\n  \
         a = local.v[\"azure\"][var.o.a].z[0]\n  b = jsondecode(\"{\\\"tag_name\\\":\\\"v1\\\"}\").tag_name\n  c = try(var.o.nope, \"else\")\n  d = try(parseint(\"1.10\", 10), \"1.10\")\n  \
         e = coalesce(var.o.b, \"dflt\")\n}\n",
        &[
            r#"var.o: "{\n  \"a\" = \"k\"\n}""#,
            "local.a: \"7\"",
            "local.b: \"v1\"",
            "local.c: \"else\"",
            "local.d: \"1.10\"",
            "local.e: \"dflt\"",
            r#"local.v: "{\n  \"azure\" = {\n    \"k\" = {\n      \"z\" = [\n        7,\n      ]\n    }\n  }\n}""#,
        ],
    );
}

#[test]
fn null_is_as_good_as_absent() {
    valid(&format!(
        "variable \"n\" {{\n  type    = string\n  default = null\n}}\n{}",
        build(
            "  provisioner \"shell-local\" {\n    inline = [\"true\"]\n    script = var.n\n    name = null\n    only = true ? null : [\"null.y\"]\n    \
             pause_before = null\n    max_retries = null\n    timeout = var.n\n    override = null\n  }\n  \
             post-processor \"manifest\" {\n    output = null\n    except = null\n    keep_input_artifact = null\n  }"
        )
    ));
}

#[test]
fn sources_are_named_in_many_ways() {
    let text = format!(
        "locals {{\n  list = [\"null.x\"]\n  type = \"null\"\n}}\nbuild {{\n  sources = local.list\n}}\nbuild {{\n  sources = true ? [\"sources.null.x\"] : [\"null.core\"]\n}}\n\
         build {{\n  sources = compact([lookup({{ a = \"source.null.x\" }}, \"a\", \"\"), \"\"])\n}}\nbuild {{\n  sources = [\"source.${{local.type}}.x\"]\n}}\n\
         build {{\n  source \"null.x\" {{\n    name = \"a\"\n  }}\n  source \"source.null.x\" {{\n    name = \"b\"\n  }}\n  source \"sources.null.x\" {{\n    name = \"c\"\n  }}\n  \
         dynamic \"source\" {{\n    for_each = {{ d = 1 }}\n    labels   = [\"source.null.x\"]\n    content {{\n      name = source.key\n    }}\n  }}\n}}\n{NULL}"
    );
    valid(&text);
    let ran = run("inspect", &text).expect(0);
    let sources: Vec<_> = ran.stdout.lines().filter_map(|line| line.strip_prefix("      null.")).collect();
    assert_eq!(sources, ["x", "x", "x", "x", "a", "b", "c", "d"]);
}

#[test]
fn blocks_come_from_dynamic_blocks() {
    let text = build(
        "  dynamic \"post-processors\" {\n    for_each = [\"a\", \"b\"]\n    content {\n      post-processor \"manifest\" {\n        output = \"${post-processors.value}.json\"\n      }\n      \
         post-processor \"shell-local\" {\n        inline = [\"true\"]\n      }\n    }\n  }\n  dynamic \"hcp_packer_registry\" {\n    for_each = []\n    content {}\n  }",
    );
    valid(&text);
    run("inspect", &text)
        .expect(0)
        .says("0:\n        manifest\n        shell-local\n\n      1:\n        manifest\n        shell-local\n");
}

#[test]
fn only_is_no_pattern_and_may_name_nothing() {
    let text = build(
        "  provisioner \"shell-local\" {\n    inline = [\"exit 1\"]\n    only   = [\"*x*\"]\n  }\n  provisioner \"shell-local\" {\n    inline = [\"exit 1\"]\n    only   = [\"b.null.x\"]\n  }",
    );
    valid(&text);
    run("build", &text).expect(0);
}

#[test]
fn blocks_come_in_any_order() {
    valid(&format!(
        "build {{\n  sources = [\"null.x\"]\n}}\nlocals {{\n  a = local.b\n}}\n{BUILD}locals {{\n  b = data.null.d.output\n}}\ndata \"null\" \"d\" {{\n  input = \"i\"\n}}\n{NULL}"
    ));
}

#[test]
fn versions_of_plugins_are_written_in_many_ways() {
    let versions = [">= 1.2.8", " >= 1.2.8", ">=v1.0.0", "~>1", "~> 1", "= 1.2.3", "1.1.6", ">= 1.0, < 2.0"];
    let plugins = versions.map(|version| {
        let name = format!("p{}", versions.iter().position(|other| *other == version).unwrap());
        format!(
            "    {name} = {{\n      version = \"{version}\"\n      source  = \"github.com/hashicorp/amazon\"\n    }}\n"
        )
    });
    valid(&format!(
        "packer {{\n  required_version = \">= 1.7.0, < 2.0.0\"\n  required_plugins {{\n{}  }}\n}}\n{NULL}{BUILD}",
        plugins.concat()
    ));
}

/// A template for an image, with something to add to its source.
fn image(before: &str, inside: &str) -> String {
    format!(
        "{before}\nsource \"amazon-ebs\" \"t\" {{\n  ami_name      = \"kiln-it\"\n  instance_type = \"t3.micro\"\n  region        = \"us-east-1\"\n  ssh_username  = \"admin\"\n{inside}\n}}\n\
         build {{\n  sources = [\"source.amazon-ebs.t\"]\n}}\n"
    )
}

#[test]
fn options_convert_texts() {
    valid(&image(
        "variable \"size\" {\n  type    = string\n  default = \"12\"\n}",
        "  source_ami = \"ami-1\"\n  force_deregister = \"true\"\n  ssh_pty = \"true\"\n  launch_block_device_mappings {\n    device_name = \"/dev/sda1\"\n    volume_size = var.size\n    \
         delete_on_termination = \"true\"\n    iops = null\n  }",
    ));
    let wrong = image("", "  source_ami = \"ami-1\"\n  ssh_port = \"many\"");
    run("validate", &wrong)
        .expect(1)
        .says("line 8, column 14, in source \"amazon-ebs\" \"t\":")
        .says("a number is required");
}

#[test]
fn tags_as_maps_and_as_blocks() {
    valid(&image(
        "locals {\n  tags = { a = \"b\" }\n}\nvariable \"users\" {\n  default = []\n}\nvariable \"regions\" {\n  type    = list(string)\n  default = null\n}",
        "  source_ami = true ? \"ami-1\" : null\n  tags = { Name = \"a\", \"x:y\" = 1 }\n  tag {\n    key   = \"k\"\n    value = \"v\"\n  }\n  dynamic \"tag\" {\n    for_each = { a = 1, b = true }\n    content {\n      \
         key   = tag.key\n      value = tag.value\n    }\n  }\n  snapshot_tag {\n    key   = \"z\"\n    value = \"{{ .SourceAMIName }}\"\n  }\n  run_tags = \"${local.tags}\"\n  ami_users = \"${var.users}\"\n  \
         ami_regions = var.regions",
    ));
}

#[test]
fn nested_blocks_come_from_dynamic_blocks() {
    valid(&image(
        "variable \"disks\" {\n  default = [{ name = \"/dev/sda1\", size = 30 }, { name = \"/dev/sdb\" }]\n}\nvariable \"role\" {\n  default = null\n}",
        "  source_ami_filter {\n    filters     = { name = \"x\", \"tag:y\" = \"z\" }\n    owners      = [\"self\"]\n    most_recent = true\n  }\n  \
         dynamic \"launch_block_device_mappings\" {\n    for_each = var.disks\n    iterator = d\n    content {\n      device_name = d.value.name\n      volume_size = try(d.value.size, 8)\n      encrypted   = try(d.value.encrypted, null)\n    }\n  }\n  \
         dynamic \"assume_role\" {\n    for_each = var.role == null ? [] : [var.role]\n    content {\n      role_arn = assume_role.value\n    }\n  }",
    ));
}

#[test]
fn a_build_completes_a_source() {
    let text = "source \"amazon-ebs\" \"base\" {\n  instance_type = \"t3.micro\"\n  region        = \"us-east-1\"\n}\nlocals {\n  user = \"admin\"\n}\nbuild {\n  name = \"b\"\n  \
                source \"amazon-ebs.base\" {\n    name         = \"one\"\n    ami_name     = \"kiln-${source.name}\"\n    ssh_username = local.user\n    source_ami_filter {\n      filters     = { name = \"x\" }\n      owners      = [\"self\"]\n    }\n  }\n  \
                source \"amazon-ebs.base\" {\n    name         = \"two\"\n    ami_name     = \"kiln-two\"\n    ssh_username = local.user\n    source_ami   = \"ami-2\"\n  }\n}\n";
    valid(text);
    let twice = text.replace("name         = \"two\"", "name         = \"two\"\n    region       = \"eu-west-1\"");
    run("validate", &twice).expect(1).says("Error: Duplicate argument").says("line 21");
}

/// A template for two clouds, of which Kiln knows one.
const CLOUDS: &str = r#"
data "elsewhere" "image" {
  channel = "latest"
}
source "null" "here" {
  communicator = "none"
}
source "elsewhere" "there" {
  image   = data.elsewhere.image.id
  nothing = "known"
}
build {
  name    = "b"
  sources = ["null.here", "elsewhere.there"]
  provisioner "special" {
    only   = ["elsewhere.there"]
    option = 1
  }
  post-processors {
    post-processor "manifest" {}
    post-processor "special" {
      except = ["null.here"]
    }
  }
}
"#;

#[test]
fn what_other_clouds_need_is_no_error() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", CLOUDS);
    for selection in ["-only=b.null.*", "-except=*.elsewhere.*"] {
        sandbox.run(&["validate", selection, "t.pkr.hcl"]).expect(0);
        sandbox.run(&["build", selection, "t.pkr.hcl"]).expect(0).says("Build 'b.null.here' finished");
    }
    sandbox.run(&["inspect", "t.pkr.hcl"]).expect(0).says("elsewhere.there");
    sandbox.run(&["validate", "-syntax-only", "t.pkr.hcl"]).expect(0);
}

#[test]
fn what_a_selected_build_needs_must_be_known() {
    run("validate", CLOUDS).expect(1).says("Error: Unknown source type elsewhere").says("line 14, column 27");
    let everywhere = CLOUDS.replace("    only   = [\"elsewhere.there\"]\n", "");
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &everywhere);
    let ran = sandbox.run(&["validate", "-only=b.null.here", "t.pkr.hcl"]).expect(1);
    let ran = ran.says("Error: Unknown provisioner type \"special\"").says("line 15");
    assert_eq!(ran.stdout.matches("Error: ").count(), 1, "{}", ran.stdout);
}

#[test]
fn a_heredoc_may_be_empty() {
    values(
        "locals {\n  e = <<EOT\nEOT\n  y = 1\n  f = <<-EOT\n  EOT\n  g = <<EOT\nx\nEOT\n}",
        &["local.e: \"\"", "local.f: \"\"", "local.g: \"x\\n\"", "local.y: \"1\""],
    );
}
