//! Does the tutorial work as a reader types it, with the real supabase-js and a real upstream?
//!
//! Its blocks are done in their order, in an empty folder. A `sh` block is typed into a shell; each line of the `text` block
//! after it has to come in what it prints, in that order. Files are written as they stand there. What takes another
//! way than a reader's is named by the word after `sh`:
//!
//! - `upstream`: `tests/upstream` is started by the same program, on the packages that scripts/test installed;
//! - `settings`: typed before every other block, with the port that was printed;
//! - `packages`: supabase-js is linked from `tests/e2e` instead of being fetched;
//! - `serve`: `larder serve` gets free ports, and the other blocks are told of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::pages::{Block, Page};
use super::rules::Folder;
use super::started::{Larder, Upstream, in_repository, node};

const PAGE: &str = "docs/tutorial.md";
/// The address that the page takes for an example.
const UPSTREAM: &str = "http://127.0.0.1:40001";

struct Reader {
    folder: Folder,
    upstream: Upstream,
    settings: String,
    larder: Option<Larder>,
    printed: String,
}

impl Reader {
    fn new() -> Self {
        let folder = Folder::with_rules("tutorial", "");
        let upstream = Upstream::start(&[]);
        Self { folder, upstream, settings: String::new(), larder: None, printed: String::new() }
    }

    fn follow(&mut self, block: &Block) {
        match block.info.as_str() {
            "sh" => self.printed = self.type_in(&block.text),
            "text" => self.compare(block),
            "sh upstream" => {
                assert!(
                    block.text.ends_with("tests/upstream/node_modules/.bin/node tests/upstream/start.mjs\n")
                );
            }
            "sh settings" => {
                assert!(block.text.contains(UPSTREAM), "the example's address is replaced");
                let printed: serde_json::Value = serde_json::from_str(&self.upstream.keys).unwrap();
                for key in ["publishableKey", "jwtSecret"] {
                    assert!(
                        block.text.contains(printed[key].as_str().unwrap()),
                        "{key} is the one that is printed"
                    );
                }
                self.settings = block.text.replace(UPSTREAM, &self.upstream.servers[0]);
            }
            "yaml" => fs::write(self.folder.0.join("rules.yaml"), &block.text).unwrap(),
            "sh packages" => {
                assert_eq!(block.text, "npm install @supabase/supabase-js\n");
                let packages = in_repository("tests/e2e/node_modules");
                std::os::unix::fs::symlink(packages, self.folder.0.join("node_modules")).unwrap();
            }
            "sh serve" => {
                assert_eq!(block.text, "larder serve\n");
                self.larder = Some(self.serve());
            }
            "js app.mjs" => {
                assert!(block.text.contains("http://127.0.0.1:8080"), "the page's address is replaced");
                let address = &self.larder.as_ref().expect("it serves").address;
                let app = block.text.replace("http://127.0.0.1:8080", address);
                fs::write(self.folder.0.join("app.mjs"), app).unwrap();
            }
            other => panic!("{PAGE}:{}: nothing is known of `{other}`", block.line),
        }
    }

    fn serve(&self) -> Larder {
        let exported = self.settings.lines().filter_map(|line| line.strip_prefix("export "));
        let variables: Vec<(&str, &str)> = exported.filter_map(|line| line.split_once('=')).collect();
        assert!(variables.len() > 2, "{}", self.settings);
        let rules = self.folder.0.join("rules.yaml").display().to_string();
        Larder::start(&rules, &self.upstream.servers[0], &variables)
    }

    fn type_in(&self, lines: &str) -> String {
        let folder_of = |program: &Path| program.parent().map(|folder| folder.display().to_string());
        let larder = folder_of(Path::new(env!("CARGO_BIN_EXE_larder"))).unwrap();
        let node = folder_of(&node()).unwrap_or_default();
        let path = format!("{larder}:{node}:{}", std::env::var("PATH").unwrap());
        let admin = self.larder.as_ref().map(|larder| larder.admin.trim_start_matches("http://").to_owned());
        let mut shell = Command::new("bash");
        shell.arg("-ec").arg(format!("{}{lines}", self.settings)).current_dir(&self.folder.0);
        shell.env_clear().env("PATH", path).envs(admin.map(|admin| ("LARDER_ADMIN", admin)));
        let output = shell.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = self.larder.as_ref().map(Larder::last_lines).unwrap_or_default();
        assert!(
            output.status.success(),
            "{lines}\n{printed}{}\n{log}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed + &String::from_utf8_lossy(&output.stderr)
    }

    fn compare(&self, expected: &Block) {
        let mut printed = self.printed.lines();
        for line in expected.text.lines() {
            let wanted = timeless(line);
            assert!(
                printed.any(|said| timeless(said).starts_with(&wanted)),
                "{PAGE}:{}: `{line}` is not printed, or not there\n{}",
                expected.line,
                self.printed
            );
        }
    }
}

/// A line without the seconds that are left, which pass.
fn timeless(line: &str) -> String {
    match line.split_once("ttl=") {
        Some((before, after)) => {
            format!("{before}ttl=N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}

#[test]
fn the_tutorial_works_as_it_is_typed() {
    let page = Page::read(PAGE, &fs::read_to_string(PAGE).unwrap());
    let mut reader = Reader::new();
    for block in &page.blocks {
        reader.follow(block);
    }
    assert!(reader.larder.is_some(), "it was started");
}
