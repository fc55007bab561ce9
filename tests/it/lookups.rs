//! What templates look up before builds start: `data "http"`, Consul, Vault, AWS Secrets Manager and Systems Manager.

use std::process::Command;

use crate::sandbox::{Ran, Sandbox};
use crate::web_server::{WebServer, answer};

/// A build that says a local.
fn telling(expression: &str) -> String {
    format!(
        "{expression}\nsource \"null\" \"a\" {{\n  communicator = \"none\"\n}}\nbuild {{\n  sources = [\"null.a\"]\n  provisioner \"shell-local\" {{\n    inline = [\"echo 'told: ${{local.told}}'\"]\n  }}\n}}\n"
    )
}

fn build(sandbox: &Sandbox, template: &str, env: &[(&str, &str)]) -> Ran {
    sandbox.file("t.pkr.hcl", &telling(template));
    let mut command: Command = sandbox.kiln();
    command.args(["build", "t.pkr.hcl"]).envs(env.iter().copied());
    command.output().unwrap().into()
}

fn web(request: &str) -> String {
    let first = request.lines().next().unwrap();
    match first {
        "GET /old HTTP/1.1" => answer("302 Found", &["Location: /new"], ""),
        "GET /new HTTP/1.1" if request.contains("x-mine: yes\n") => {
            answer("200 OK", &["X-Two: 1", "X-Two: 2"], "found")
        }
        "POST /new HTTP/1.1" => answer("200 OK", &[], &format!("got {}", request.split("\n\n").nth(1).unwrap())),
        _ => answer("404 Not Found", &[], "no"),
    }
}

#[test]
fn an_answer_from_the_web() {
    let (server, sandbox) = (WebServer::start(web), Sandbox::new());
    let data = |body: &str| format!("data \"http\" \"h\" {{\n  url = \"{}{body}\n}}", server.url());
    let told =
        "\nlocals {\n  told = \"${data.http.h.body} ${lookup(data.http.h.request_headers, \"X-Two\", \"none\")}\"\n}";
    let get = data("/old\"\n  request_headers = { x-mine = \"yes\" }");
    build(&sandbox, &(get + told), &[]).expect(0).says("told: found 1, 2");
    let post = data("/new\"\n  method = \"POST\"\n  request_body = \"all of it\"");
    build(&sandbox, &(post + told), &[]).expect(0).says("told: got all of it none");
    build(&sandbox, &(data("/none\"") + told), &[]).expect(1).says("Response code: 404").says("t.pkr.hcl line 1");
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn validate_asks_nobody() {
    let (server, sandbox) = (WebServer::start(web), Sandbox::new());
    let data =
        format!("data \"http\" \"h\" {{\n  url = \"{}/x\"\n}}\nlocals {{\n  told = data.http.h.body\n}}", server.url());
    sandbox.file("t.pkr.hcl", &telling(&data));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    assert!(server.asked().is_empty());
}

fn consul(request: &str) -> String {
    let known =
        request.starts_with("GET /v1/kv/app/name?ns=team HTTP/1.1\n") && request.contains("x-consul-token: t0ken\n");
    // "kiln" in base64.
    if known {
        answer("200 OK", &[], r#"[{"Value": "a2lsbg=="}]"#)
    } else {
        answer("403 Forbidden", &[], "Permission denied")
    }
}

#[test]
fn a_key_from_consul() {
    let (server, sandbox) = (WebServer::start(consul), Sandbox::new());
    let address = format!("127.0.0.1:{}", server.port);
    let locals = "locals {\n  told = consul_key(\"app/name\")\n}";
    let env = [("CONSUL_HTTP_ADDR", address.as_str()), ("CONSUL_HTTP_TOKEN", "t0ken"), ("CONSUL_NAMESPACE", "team")];
    build(&sandbox, locals, &env).expect(0).says("told: kiln");
    build(&sandbox, locals, &env[..1]).expect(1).says("HTTP status 403").says("t.pkr.hcl line 2");
}

fn vault(request: &str) -> String {
    let known = request.contains("x-vault-token: s.1\n") && request.contains("x-vault-namespace: team\n");
    match request.lines().next().unwrap() {
        "GET /v1/secret/data/app HTTP/1.1" if known => {
            answer("200 OK", &[], r#"{"data": {"data": {"password": "second"}}}"#)
        }
        "GET /v1/old/app HTTP/1.1" if known => answer("200 OK", &[], r#"{"data": {"password": "first"}}"#),
        _ => answer("403 Forbidden", &[], r#"{"errors":["permission denied"]}"#),
    }
}

#[test]
fn a_secret_from_vault() {
    let (server, sandbox) = (WebServer::start(vault), Sandbox::new());
    let url = server.url();
    let both =
        "locals {\n  told = \"${vault(\"/secret/data/app\", \"password\")} ${vault(\"old/app\", \"password\")}\"\n}";
    let env = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", "s.1"), ("VAULT_NAMESPACE", "team")];
    build(&sandbox, both, &env).expect(0).says("told: second first");
    build(&sandbox, both, &env[..2]).expect(1).says("permission denied");
    build(&sandbox, both, &env[..1]).expect(1).says("VAULT_TOKEN");
    let missing = "locals {\n  told = vault(\"old/app\", \"user\")\n}";
    build(&sandbox, missing, &env).expect(1).says("there is no such key");
}

fn aws(request: &str) -> String {
    let signed = |service: &str| {
        request.contains(&format!("/eu-west-1/{service}/aws4_request, SignedHeaders=content-type;host;x-amz-date;"))
            && request.contains("Credential=AKID/")
    };
    let body = request.split("\n\n").nth(1).unwrap();
    if request.contains("x-amz-target: secretsmanager.GetSecretValue\n") && signed("secretsmanager") {
        let secret = r#"{"VersionId": "v1", "SecretString": "{\"user\": \"u\", \"port\": 5432}"}"#;
        return match body {
            r#"{"SecretId":"db","VersionStage":"AWSCURRENT"}"# => answer("200 OK", &[], secret),
            _ => answer(
                "400 Bad Request",
                &[],
                r#"{"__type": "ResourceNotFoundException", "Message": "no such secret"}"#,
            ),
        };
    }
    if request.contains("x-amz-target: AmazonSSM.GetParameter\n") && signed("ssm") {
        assert_eq!(body, r#"{"Name":"/a/b","WithDecryption":true}"#);
        let parameter = r#"{"Parameter": {"ARN": "arn:x", "Name": "/a/b", "Value": "plain", "Version": 7}}"#;
        return answer("200 OK", &[], parameter);
    }
    answer("400 Bad Request", &[], r#"{"__type": "x#InvalidSignatureException", "message": "unsigned"}"#)
}

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];

#[test]
fn secrets_and_parameters_from_aws() {
    let (server, sandbox) = (WebServer::start(aws), Sandbox::new());
    let url = server.url();
    let env = [&KEYS[..], &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url), ("AWS_ENDPOINT_URL", &url)]].concat();
    let functions =
        "locals {\n  told = \"${aws_secretsmanager(\"db\", \"user\")} ${length(aws_secretsmanager_raw(\"db\"))}\"\n}";
    build(&sandbox, functions, &env).expect(0).says("told: u 27");
    let sources = r#"
        data "amazon-secretsmanager" "s" {
          name = "db"
          key  = "port"
        }
        data "amazon-parameterstore" "p" {
          name            = "/a/b"
          with_decryption = true
        }
        locals {
          s    = data.amazon-secretsmanager.s
          p    = data.amazon-parameterstore.p
          told = "${local.s.value} ${local.s.version_id} ${local.p.value} ${local.p.version} ${local.p.arn}"
        }"#;
    build(&sandbox, sources, &env).expect(0).says("told: 5432 v1 plain 7 arn:x");
    let missing = "locals {\n  told = aws_secretsmanager_raw(\"none\")\n}";
    build(&sandbox, missing, &env).expect(1).says("ResourceNotFoundException: no such secret").says("t.pkr.hcl line 2");
}

#[test]
fn no_credentials_are_an_error_with_a_remedy() {
    let sandbox = Sandbox::new();
    let env = [("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let missing = "locals {\n  told = aws_secretsmanager_raw(\"db\")\n}";
    build(&sandbox, missing, &env).expect(1).says("no AWS credentials were found");
}

#[test]
fn hcp_packer_is_checked_and_refused() {
    let sandbox = Sandbox::new();
    let data = "data \"hcp-packer-version\" \"v\" {\n  bucket_name  = \"b\"\n  channel_name = \"c\"\n}\nlocals {\n  told = data.hcp-packer-version.v.id\n}";
    sandbox.file("t.pkr.hcl", &telling(data));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("Kiln does not talk to HCP Packer").says("t.pkr.hcl line 1");
    sandbox.file("t.pkr.hcl", &telling("data \"hcp-packer-version\" \"v\" {\n}\nlocals {\n  told = \"\"\n}"));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(1).says("`bucket_name`").says("`channel_name`");
}
