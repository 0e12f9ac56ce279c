//! Do the files of `deploy/` and `docker-compose.yml` say what those who read them understand, and do they start Larder?
//!
//! No Docker engine and no cluster are needed: what each file is checked with is told in `docs/deploy.md`.

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[path = "deploy/image.rs"]
mod image;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::Image;

const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// A password as .env asks for three of them.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a program that scripts/test has installed.
fn run(program: &str, arguments: &[&str]) -> Output {
    let ran = Command::new(program).args(arguments).current_dir(repository("")).output();
    ran.unwrap_or_else(|error| panic!("{program}: {error}: run scripts/test once"))
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("larder-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port()
}

/// Looks until it is so.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "a process is waited for, which no clock of ours moves")]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that ends with this value.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_either_way = self.0.wait();
    }
}

/// `.env.example`, filled in as it says.
fn env_file(folder: &Folder) -> String {
    let filled = read(".env.example").lines().fold(String::new(), |filled, line| {
        let asks = ["LARDER_ADMIN_TOKEN=", "VALKEY_PASSWORD=", "GRAFANA_PASSWORD="].contains(&line);
        filled + line + if asks { SECRET } else { "" } + "\n"
    });
    let file = folder.0.join(".env");
    fs::write(&file, filled).unwrap();
    file.display().to_string()
}

#[test]
fn compose_understands_its_files_and_asks_for_every_secret() {
    let folder = Folder::new("compose");
    let env = env_file(&folder);
    let shown =
        succeeded(&run("docker-compose", &["--env-file", &env, "--file", "docker-compose.yml", "config"]));
    for part in
        ["read_only: true", "no-new-privileges:true", "volatile-lru", "noeviction", "internal: true", SECRET]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("published: 6379"), "nobody outside reaches the store");
    let empty = folder.0.join("empty");
    fs::write(&empty, "").unwrap();
    let empty = empty.display().to_string();
    let nothing = run("docker-compose", &["--env-file", &empty, "--file", "docker-compose.yml", "config"]);
    assert!(!nothing.status.success() && String::from_utf8_lossy(&nothing.stderr).contains(".env.example"));
    succeeded(&run(
        "docker-compose",
        &["--file", "deploy/development/docker-compose.yml", "config", "--quiet"],
    ));
    for (folder, file) in
        [("", "docker-compose.yml"), ("deploy/development/", "deploy/development/docker-compose.yml")]
    {
        let text = read(file);
        let mounts = text.lines().filter_map(|line| line.trim().strip_prefix("- .")?.split_once(":/"));
        let mut found = 0;
        for (mount, _) in mounts {
            assert!(
                repository(&format!("{folder}.{mount}")).exists(),
                "{file} mounts .{mount}, which is not there"
            );
            found += 1;
        }
        assert!(found > 2, "{file}: {found} mounts");
    }
}

/// The commands that compose starts its stores with, as their shell sees them.
fn store_commands() -> Vec<String> {
    let text = read("docker-compose.yml");
    let commands = text.split("      - |\n").skip(1).map(|command| {
        let lines = command.lines().take_while(|line| line.starts_with("        "));
        lines.map(|line| line.trim().replace("$$", "$") + "\n").collect()
    });
    commands.collect()
}

/// With the server that is installed here: Valkey began as Redis.
#[test]
fn the_stores_of_compose_ask_for_the_password_and_keep_what_they_should() {
    let commands = store_commands();
    for (policy, command) in ["volatile-lru", "noeviction"].into_iter().zip(&commands) {
        let (folder, port) = (Folder::new(policy), free_port());
        let here = format!("redis-server - --port {port} --dir {}", folder.0.display());
        let server = Command::new("sh")
            .args(["-c", &command.replace("valkey-server -", &here)])
            .env("VALKEY_PASSWORD", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _server = Ends(server);
        let cli = |password: &str, words: &[&str]| {
            let mut cli = Command::new("redis-cli");
            let told =
                cli.args(["-p", &port.to_string()]).args(words).env("REDISCLI_AUTH", password).output();
            String::from_utf8_lossy(&told.unwrap().stdout).into_owned()
        };
        until("the store answers", || cli(SECRET, &["ping"]).contains("PONG"));
        assert!(!cli("", &["ping"]).contains("PONG"), "whoever does not know the password is refused");
        assert!(cli(SECRET, &["config", "get", "maxmemory-policy"]).contains(policy));
        assert!(cli(SECRET, &["config", "get", "appendonly"]).contains("yes"));
        assert!(!cli(SECRET, &["config", "get", "maxmemory"]).ends_with("\n0\n"));
    }
    assert_eq!(commands.len(), 2);
}

#[test]
fn kubernetes_knows_every_field() {
    let program = repository("target/deploy/bin/kubernetes-validate").display().to_string();
    let listed = read("deploy/kubernetes/kustomization.yaml");
    for file in ["config", "deployment", "service", "disruption", "autoscaler", "secret.example"] {
        assert!(
            file.contains("example") || listed.contains(&format!("{file}.yaml")),
            "{file} is not in the list"
        );
        let file = format!("deploy/kubernetes/{file}.yaml");
        succeeded(&run(&program, &["--strict", "--quiet", &file]));
    }
    let folder = Folder::new("kubernetes");
    let wrong = folder.0.join("wrong.yaml");
    fs::write(&wrong, read("deploy/kubernetes/deployment.yaml").replace("readinessProbe", "redinessProbe"))
        .unwrap();
    assert!(!run(&program, &["--strict", &wrong.display().to_string()]).status.success(), "it would say so");

    // the rules in it are rules
    let rules = listed_rules(&read("deploy/kubernetes/config.yaml"));
    let file = folder.0.join("rules.yaml");
    fs::write(&file, rules).unwrap();
    succeeded(&run(LARDER, &["check", &file.display().to_string()]));
}

fn listed_rules(config: &str) -> String {
    let rules = config.split_once("rules.yaml: |\n").expect("rules").1;
    rules.lines().fold(String::new(), |rules, line| rules + line.strip_prefix("    ").unwrap_or(line) + "\n")
}

/// The most that `systemd-analyze security` may find exposed: 10 is everything.
const EXPOSURE_MAX: f64 = 2.0;

#[test]
fn systemd_understands_its_unit_and_finds_it_shut() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return; // a machine without systemd has no use for the unit either
    }
    let folder = Folder::new("systemd");
    let unit = folder.0.join("larder.service");
    let text = read("deploy/systemd/larder.service").replace("/usr/local/bin/larder", LARDER);
    fs::write(&unit, text).unwrap();
    let unit = unit.display().to_string();
    let verified = run("systemd-analyze", &["verify", "--man=no", &unit]);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("larder.service"), "{said}");
    let judged = succeeded(&run("systemd-analyze", &["security", "--offline=true", "--no-pager", &unit]));
    let line = judged.lines().find(|line| line.contains("Overall exposure level")).expect("a verdict");
    let exposure = line.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number");
    assert!(exposure.parse::<f64>().unwrap() <= EXPOSURE_MAX, "{line}");
}

#[test]
fn every_variable_that_a_file_sets_is_one_that_larder_reads() {
    let help = succeeded(&run(LARDER, &["serve", "--help"]));
    let settings = help + &read("docs/settings.md");
    let mut seen = BTreeSet::new();
    for file in [
        ".env.example",
        "docker-compose.yml",
        "deploy/Dockerfile",
        "deploy/fly.toml",
        "deploy/kubernetes/config.yaml",
        "deploy/kubernetes/secret.example.yaml",
        "deploy/development/docker-compose.yml",
    ] {
        for word in read(file).split(|c: char| !c.is_ascii_uppercase() && c != '_') {
            if ["LARDER_", "SUPABASE_", "REDIS_"]
                .iter()
                .any(|start| word.starts_with(start) && word != *start)
            {
                assert!(settings.contains(word), "{file}: {word} is no setting");
                seen.insert(word.to_owned());
            }
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[test]
fn the_image_starts_as_nobody_writes_nowhere_and_knows_how_it_is() {
    let image = Image::build(&read("deploy/Dockerfile"), Path::new(LARDER));
    assert_eq!(
        (image.user.as_str(), image.command.as_slice()),
        ("nonroot", ["larder", "serve"].map(String::from).as_slice())
    );
    assert!(image.health.len() > 1, "it says how its health is found out");
    if !image.can_run() {
        return; // only root may change the root
    }
    let (listen, admin) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let variables = [
        ("LARDER_LISTEN", listen.as_str()),
        ("LARDER_ADMIN", admin.as_str()),
        ("SUPABASE_URL", "http://127.0.0.1:9"),
        // as compose hands on what is not filled in
        ("SUPABASE_JWT_SECRET", ""),
        ("SUPABASE_PUBLISHABLE_KEY", ""),
    ];
    let is_healthy = || image.run(&image.health, &variables).status().unwrap().code();
    assert_eq!(is_healthy(), Some(69), "nobody is there yet");
    let serving = image.run(&image.command, &variables).stdout(Stdio::null()).spawn().unwrap();
    let mut serving = Ends(serving);
    until("it is well", || is_healthy() == Some(0));
    let pid = serving.0.id().to_string();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert_eq!(uids.split_whitespace().collect::<Vec<_>>(), ["Uid:", "65532", "65532", "65532", "65532"]);
    succeeded(&run("kill", &["-TERM", &pid]));
    assert_eq!(serving.0.wait().unwrap().code(), Some(0), "it ends when it is asked to");
}
