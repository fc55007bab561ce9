//! The provisioners for Windows, against an SSH server whose `powershell` and `shutdown` are stand-ins that tell what they were given.

use crate::sandbox::{Ran, Sandbox};
use crate::ssh_server::{Shell, SshServer};

/// Tells its arguments, and what is in the files that it is to run.
const POWERSHELL: &str = r#"#!/bin/sh
echo "powershell: $*"
case $* in *cleanup*) cat "$4" > cleaned; exit 0;; esac
for word in "$@"; do [ -f "$word" ] && cat "$word"; done
case $* in *-EncodedCommand*) echo "HOST restarted.";; esac
exit "${CODE:-0}"
"#;

struct Windows {
    sandbox: Sandbox,
    server: SshServer,
}

impl Windows {
    fn start(shell: &Shell) -> Option<Self> {
        let sandbox = Sandbox::new();
        let server = SshServer::start(sandbox.path(), shell)?;
        server.program("powershell", POWERSHELL);
        std::fs::create_dir_all(sandbox.path().join("machine/c:/Windows/Temp")).unwrap();
        Some(Self { sandbox, server })
    }

    fn build(&self, provisioners: &str) -> Ran {
        let build = format!("build {{\n  sources = [\"null.a\"]\n{provisioners}\n}}\n");
        self.sandbox.file("t.pkr.hcl", &(self.server.source() + &build));
        self.sandbox.run(&["build", "t.pkr.hcl"])
    }

    /// What lies on the machine's folder for temporary files.
    fn left(&self) -> Vec<String> {
        let folder = self.sandbox.path().join("machine/c:/Windows/Temp");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

#[test]
fn powershell_runs_inline_scripts_with_their_variables() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    let ran = windows.build(
        "  provisioner \"powershell\" {\n    inline = [\"Get-Date\", \"Get-Item x\"]\n    environment_vars = [\"A=it's \\\"$5\\\"\"]\n    debug_mode = 1\n  }",
    );
    let ran = ran
        .expect(0)
        .says("Provisioning with Powershell...")
        .says("powershell: -executionpolicy bypass -file c:/Windows/Temp/script-");
    let ran = ran.says("$env:A=\"it`'s `\"`$5`\"\"; $env:PACKER_BUILDER_TYPE=\"null\"; $env:PACKER_BUILD_NAME=\"a\";");
    ran.says("Set-PSDebug -Trace 1").says("try {").says("Get-Item x");
    let cleaned = std::fs::read_to_string(windows.sandbox.path().join("machine/cleaned")).unwrap();
    assert!(cleaned.contains("Remove-Item -Force -LiteralPath 'c:/Windows/Temp/script-"), "{cleaned}");
}

#[test]
fn powershell_runs_script_files_and_their_exit_codes_count() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    windows.sandbox.file("s.ps1", "exit 3 # given");
    let with = |more: &str| {
        format!("  provisioner \"powershell\" {{\n    script = \"s.ps1\"\n    skip_clean = true\n{more}\n  }}")
    };
    let ran = windows.build(&with("    remote_path = \"c:/Windows/Temp/\"\n    use_pwsh = true\n    execute_command = \"CODE=3 powershell {{.Vars}} {{.Path}}\""));
    let ran = ran.expect(1).says("# given").says("$env:PACKER_BUILD_NAME=\"a\"");
    ran.says("Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
    windows.build(&with("    valid_exit_codes = [3]\n    execute_command = \"CODE=3 powershell {{.Path}}\"")).expect(0);
    windows
        .build(&with(""))
        .expect(0)
        .says("-command & { Set-Variable ProgressPreference SilentlyContinue; . 'c:/Windows/Temp/packer-ps-env-vars-");
    assert!(windows.left().contains(&"s.ps1".to_owned()), "{:?}", windows.left());
}

#[test]
fn elevated_scripts_go_through_a_runner() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    let ran =
        windows.build("  provisioner \"powershell\" {\n    inline = [\"x\"]\n    elevated_user = \"SYSTEM\"\n  }");
    let ran = ran.expect(0).says("-file c:/Windows/Temp/packer-elevated-shell-").says("$user = 'SYSTEM'");
    ran.says("$command = 'powershell -executionpolicy bypass -file c:/Windows/Temp/script-")
        .says("Register-ScheduledTask");
}

#[test]
fn batch_scripts_run_after_their_variables() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    let ran = windows.build(
        "  provisioner \"windows-shell\" {\n    inline = [\"echo one\", \"echo $B\"]\n    env = { B = \"two\" }\n    env_var_format = \"%s=%s; export B PACKER_BUILD_NAME; \"\n    execute_command = \"{{.Vars}} sh {{.Path}}\"\n  }",
    );
    ran.expect(0).says("Provisioning with windows-shell...").says("==> null.a: one\n").says("==> null.a: two\n");
    assert_eq!(windows.left(), ["script.bat"]);
}

#[test]
fn files_reach_a_machine_without_a_posix_shell() {
    let Some(windows) = Windows::start(&Shell::Foreign) else { return };
    windows.sandbox.file("tree/a/b.txt", "b");
    let ran = windows.build(
        "  provisioner \"powershell\" {\n    inline = [\"Get-Date\"]\n  }\n  provisioner \"file\" {\n    source = \"tree/\"\n    destination = \"copy\"\n  }\n  provisioner \"file\" {\n    direction = \"download\"\n    source = \"copy/a/b.txt\"\n    destination = \"back.txt\"\n  }",
    );
    ran.expect(0).says("Get-Date");
    assert_eq!(std::fs::read_to_string(windows.sandbox.path().join("back.txt")).unwrap(), "b");
}

#[test]
fn a_restart_is_waited_for() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    // Refuses twice, as a machine on its way down does.
    windows.server.program("shutdown", "#!/bin/sh\ncase $* in */a*) exit 0;; *test*) echo x >> asked; [ $(wc -l < asked) -ge 3 ] && exit 0; exit 1115;; esac\necho \"shutdown: $*\"\n");
    let ran = windows.build("  provisioner \"windows-restart\" {\n    check_registry = true\n    restart_check_command = \"echo custom check\"\n  }");
    let ran = ran
        .expect(0)
        .says("Restarting Machine\n")
        .says("shutdown: /r /f /t 0 /c packer restart")
        .says("Waiting for machine to restart...");
    ran.says("custom check").says("HOST restarted.").says("Machine successfully restarted, moving on");
}

#[test]
fn a_machine_that_does_not_come_back_is_an_error() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    windows.server.program("shutdown", "#!/bin/sh\nexit 0\n");
    windows.server.program("powershell", "#!/bin/sh\nexit 0\n");
    let ran = windows.build("  provisioner \"windows-restart\" {\n    restart_timeout = \"2s\"\n  }");
    ran.expect(1).says("Timeout waiting for machine to restart: it is not up again");
    windows
        .build("  provisioner \"windows-restart\" {\n    restart_command = \"exit 5\"\n  }")
        .expect(1)
        .says("non-zero exit status: 5");
}

#[test]
fn an_sbom_is_fetched_and_checked() {
    let Some(windows) = Windows::start(&Shell::Posix) else { return };
    let machine = windows.sandbox.path().join("machine");
    std::fs::write(machine.join("good.json"), r#"{"bomFormat": "CycloneDX", "specVersion": "1.6"}"#).unwrap();
    std::fs::write(machine.join("bad.json"), "{}").unwrap();
    let with = |options: &str| format!("  provisioner \"hcp-sbom\" {{\n    {options}\n  }}");
    let ran = windows.build(&with("source = \"good.json\"\n    destination = \"out/boms/\""));
    ran.expect(0).says("The SBOM is CycloneDX 1.6").says("Saved the SBOM to out/boms/packer-user-sbom-");
    windows.build(&with("source = \"good.json\"")).expect(0).says("set `destination` to keep it");
    windows.build(&with("source = \"bad.json\"")).expect(1).says("it is neither CycloneDX nor SPDX");
    let refused = windows.build(&with("auto_generate = true"));
    assert!(!refused.stdout.contains("Using SSH communicator"), "{}", refused.stdout);
    refused.expect(1).says("`auto_generate` needs a scanner").says("t.pkr.hcl line ");
}

#[test]
fn winrm_validates_and_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let source = "source \"null\" \"a\" {\n  communicator = \"winrm\"\n  winrm_host = \"h\"\n  winrm_username = \"u\"\n  winrm_password = \"p\"\n  winrm_use_ssl = true\n  winrm_timeout = \"15m\"\n}\n";
    sandbox.file("t.pkr.hcl", &format!("{source}build {{\n  sources = [\"null.a\"]\n}}\n"));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("Kiln cannot connect by `communicator = \"winrm\"`");
    assert!(sandbox.journals().is_empty());
}
