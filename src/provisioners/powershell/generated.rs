//! The PowerShell text that Kiln writes: the frame of inline scripts, the runner of elevated ones, the clean-up.

/// A value as PowerShell text that means just that value.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What `debug_mode` puts in front of a script; nothing at level 0.
fn trace(level: u8) -> String {
    if level == 0 { String::new() } else { format!("Set-PSDebug -Trace {level}\n") }
}

/// An inline script: quiet, traced as asked, with its variables. An exception ends it with 1, and so does the exit code of the last program when it
/// is not 0; PowerShell itself would report success.
pub fn inline(items: &[String], variables: &str, trace_level: u8) -> String {
    with_mark(format!(
        "$ProgressPreference = 'SilentlyContinue'\n{}{variables}\ntry {{\n{}\n}} catch {{\nWrite-Error -ErrorRecord $_ -ErrorAction Continue\nexit 1\n}}\nif ($null -ne $LASTEXITCODE -and $LASTEXITCODE -ne 0) {{ exit $LASTEXITCODE }}\n",
        trace(trace_level),
        items.join("\n")
    ))
}

/// Windows PowerShell reads a file without a byte order mark in the machine's old code page.
pub fn with_mark(text: String) -> String {
    if text.is_ascii() { text } else { format!("\u{feff}{text}") }
}

/// The default command for script files. It names no `$variable`: whether `cmd`, PowerShell or another shell takes the command line, its double
/// quotes reach the new process unchanged.
pub fn file_command(start: &str, trace_level: u8) -> String {
    let trace = if trace_level == 0 { String::new() } else { format!("Set-PSDebug -Trace {trace_level}; ") };
    format!(
        "{start} -command \"& {{ Set-Variable ProgressPreference SilentlyContinue; {trace}. '{{{{.Vars}}}}'; & '{{{{.Path}}}}'; exit (Get-Variable LASTEXITCODE -ValueOnly -ErrorAction SilentlyContinue) }}\""
    )
}

/// Removes files, and then itself.
pub fn removal(files: &[String]) -> String {
    let lines = files.iter().map(|file| format!("Remove-Item -Force -LiteralPath {}\n", literal(file)));
    format!("{}Remove-Item -Force -LiteralPath $PSCommandPath\n", lines.collect::<String>())
}

/// Who an elevated command runs as.
pub struct Account<'a> {
    /// The user; `SYSTEM` and other service accounts need no password.
    pub user: &'a str,
    /// The password; empty for a service account.
    pub password: &'a str,
}

/// A script that runs a command as a scheduled task, the one way to a full administrator's token from a network log-on, and passes on what it
/// writes and its exit code.
pub fn elevated(task: &str, command: &str, account: &Account<'_>) -> String {
    let (task, command) = (literal(task), literal(command));
    let (user, password) = (literal(account.user), literal(account.password));
    with_mark(format!("$name = {task}\n$command = {command}\n$user = {user}\n$password = {password}\n{RUNNER}"))
}

/// 267009 and 267011 are the scheduler's codes for a task that runs and for one that has yet to start.
const RUNNER: &str = r#"$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$log = Join-Path $env:SystemRoot "Temp\$name.out"
$action = New-ScheduledTaskAction -Execute $env:ComSpec -Argument ('/c "' + $command + ' > "' + $log + '" 2>&1"')
$limits = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ExecutionTimeLimit ([TimeSpan]::Zero) -Priority 4
if ($password) {
  $null = Register-ScheduledTask -TaskName $name -Action $action -Settings $limits -RunLevel Highest -User $user -Password $password -Force
} else {
  $who = New-ScheduledTaskPrincipal -UserId $user -LogonType ServiceAccount -RunLevel Highest
  $null = Register-ScheduledTask -TaskName $name -Action $action -Settings $limits -Principal $who -Force
}
try {
  Start-ScheduledTask -TaskName $name
  $shown = 0
  do {
    Start-Sleep -Milliseconds 500
    $code = (Get-ScheduledTaskInfo -TaskName $name).LastTaskResult
    $busy = (Get-ScheduledTask -TaskName $name).State -in 'Queued', 'Running' -or $code -in 267009, 267011
    $lines = @(if (Test-Path -LiteralPath $log) { Get-Content -LiteralPath $log })
    $whole = if ($busy) { $lines.Count - 1 } else { $lines.Count }
    while ($shown -lt $whole) { Write-Output $lines[$shown]; $shown++ }
  } while ($busy)
} finally {
  Unregister-ScheduledTask -TaskName $name -Confirm:$false
  Remove-Item -Force -LiteralPath $log -ErrorAction SilentlyContinue
}
exit [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$code), 0)
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_values() {
        assert_eq!(literal("it's $x"), "'it''s $x'");
        let runner = elevated("packer-1", "run 'a'", &Account { user: "u", password: "p'w" });
        assert!(runner.contains("$command = 'run ''a'''\n$user = 'u'\n$password = 'p''w'\n"), "{runner}");
    }

    #[test]
    fn an_inline_script_fails_when_it_throws_or_a_program_fails() {
        let text = inline(&["a".into(), "b".into()], "$env:X=\"1\"; ", 2);
        assert!(text.contains("Set-PSDebug -Trace 2\n$env:X=\"1\"; \ntry {\na\nb\n} catch {"), "{text}");
        assert!(!inline(&[], "", 0).contains("Trace"));
    }

    #[test]
    fn only_what_needs_a_mark_has_one() {
        assert_eq!(with_mark("a".into()), "a");
        assert_eq!(with_mark("ü".into()), "\u{feff}ü");
    }

    #[test]
    fn the_command_for_files_has_no_variables_for_a_shell_in_between() {
        let command = file_command("powershell -executionpolicy bypass", 1);
        assert!(command.contains(". '{{.Vars}}'; & '{{.Path}}'") && command.contains("Trace 1"), "{command}");
        assert!(!command.contains('$'));
    }
}
