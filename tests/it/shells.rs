//! Do shells and `man` know every command?

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

fn larder(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder")).args(arguments).env_clear().output().unwrap()
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = String::from_utf8(larder(&["--help"]).stdout).unwrap();
    let below = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let lines = below.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_shell_completes_every_command() {
    let commands = commands();
    assert!(commands.len() >= 14, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(larder(&["completions", shell]).stdout).unwrap();
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
        assert!(script.contains("admin-token-file"), "{shell}");
    }
    // the one shell that is surely here takes it, and completes
    let asked = "source /dev/stdin; COMP_WORDS=(larder do); COMP_CWORD=1; _larder larder do larder; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash")
        .args(["-c", asked])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script = larder(&["completions", "bash"]).stdout;
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), &script).unwrap();
    let completed = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "doctor");
    assert_eq!(larder(&["completions", "cmd.exe"]).status.code(), Some(64));
}

#[test]
fn every_command_has_a_manual_page() {
    let page = String::from_utf8(larder(&["man"]).stdout).unwrap();
    assert!(page.starts_with(".ie") || page.contains(".TH larder 1"), "{page:.200}");
    let folder = std::env::temp_dir().join(format!("larder-man-{}", std::process::id()));
    let written = larder(&["man", "--dir", folder.to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let files =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    for command in commands() {
        assert!(files.contains(&format!("larder-{command}.1")), "{command}: {files:?}");
    }
    assert!(files.contains("larder.1") && files.contains("larder-lock-rm.1"), "{files:?}");
    let doctor = std::fs::read_to_string(folder.join("larder-doctor.1")).unwrap();
    assert!(doctor.contains("Exit codes") && doctor.contains("offline"), "{doctor:.400}");
    std::fs::remove_dir_all(folder).unwrap();
}
