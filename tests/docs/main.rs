//! Is what the documentation says true? Every rules block, command line, flag, variable and link in it.
//!
//! # How a page is read
//!
//! Pages are `README.md`, the Markdown files below `docs/`, and that of `clients/js`. A block is what stands between
//! fences, or a run of lines that are indented by four blanks. The first word after the fence says what it is:
//!
//! | Fence | What is done with it |
//! |---|---|
//! | `yaml` | Rules. `larder check` has to find no mistake; what is a part is completed first, as `rules.rs` says |
//! | `yaml wrong` | Rules that have to be refused |
//! | `yaml` and any other word | No rules: a workflow, a compose file. Counted, so that nothing is hidden there |
//! | `json` | Has to be JSON |
//! | none, or `sh` | Lines that begin with `larder` are parsed by the real command line, and those that need nothing but files are run, as `commands.rs` says |
//! | others | The affair of another test, or nobody's |

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

mod commands;
mod faults;
mod fields;
mod links;
mod pages;
mod rules;
#[path = "../started/mod.rs"]
mod started;
mod tutorial;

use std::fmt::Write;

use pages::{Page, pages};

/// Fails with all findings at once.
#[track_caller]
fn report(findings: &[String]) {
    let all = findings.iter().fold(String::new(), |mut all, finding| {
        let _infallible = writeln!(all, "  {finding}");
        all
    });
    assert!(findings.is_empty(), "\n{all}");
}

#[test]
fn every_block_of_json_is_json() {
    let mut findings = Vec::new();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.info == "json") {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&block.text) {
                findings.push(format!("{}:{}: {error}", page.path, block.line));
            }
        }
    }
    report(&findings);
}

#[test]
fn the_reader_sees_blocks_where_they_are() {
    let text = "# A\n\n```yaml wrong\na: 1\n```\n\n- item\n\n  ```\n  larder a\n  ```\n\ntext\n\n    larder b\n    c\n\n[x](y.md#z)\n";
    let page = Page::read("a.md", text);
    let found: Vec<_> =
        page.blocks.iter().map(|block| (block.line, block.info.as_str(), block.text.as_str())).collect();
    assert_eq!(found, [(3, "yaml wrong", "a: 1\n"), (9, "", "larder a\n"), (14, "", "larder b\nc\n")]);
    assert_eq!(page.headings, ["a"]);
    assert_eq!(page.links, [(18, "y.md#z".to_owned())]);
}

/// Blocks of `js` of the pages for apps are whole files.
#[test]
fn every_program_of_the_how_to_pages_is_javascript() {
    let folder = rules::Folder::with_rules("programs", "");
    let (mut findings, mut parsed) = (Vec::new(), 0);
    for page in pages().iter().filter(|page| page.path.starts_with("docs/")) {
        for block in page.blocks.iter().filter(|block| block.info.split(" ").next() == Some("js")) {
            parsed += 1;
            let file = folder.0.join("program.mjs");
            std::fs::write(&file, &block.text).unwrap();
            let checked =
                std::process::Command::new(started::node()).arg("--check").arg(&file).output().unwrap();
            if !checked.status.success() {
                let said = String::from_utf8_lossy(&checked.stderr);
                findings.push(format!("{}:{}: {said}", page.path, block.line));
            }
        }
    }
    report(&findings);
    assert!(parsed > 2, "only {parsed} programs were found");
}

#[test]
fn every_metric_named_in_a_text_is_served() {
    let served = larder::metrics::Metrics::new().names();
    let mut findings = Vec::new();
    for page in pages() {
        for (line, code) in page.code.iter().filter(|(_, code)| code.starts_with("larder_")) {
            let name = code.split(['{', '(', ' ']).next().unwrap_or_default();
            if !served.iter().any(|known| known == name) {
                findings.push(format!("{}:{line}: no metric `{name}`", page.path));
            }
        }
    }
    report(&findings);
}
