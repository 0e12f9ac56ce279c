//! Are the rules on the pages rules? Each is checked by `larder check`.
//!
//! What is a part of a rules file is completed, by how it begins:
//!
//! - `version:` somewhere at the edge: it is the whole file;
//! - a section such as `reads:` or `schema:`: `version: 1` is put before it;
//! - an item, `- name: …`: it belongs to `limits` if it has a `rate`, to `writes` if it has what only these have,
//!   else to `reads`;
//! - an indented field such as `    lock: …`: it belongs to a write rule.
//!
//! Presets that a part uses and does not define are those of the example. `include: schema.yaml` finds
//! what `larder schema pull` learned from the tables of `tests/upstream`. Whole files may not even be warned of; parts may, because what they belong to is not there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::pages::{Block, pages};
use super::report;

/// Lifetimes by name, as the example has them.
const PRESETS: [(&str, &str); 4] = [("short", "1m"), ("medium", "5m"), ("long", "1h"), ("very_long", "24h")];

/// What only an entry of `writes` has.
const OF_WRITES: [&str; 5] = ["invalidate:", "methods:", "lock:", "idempotency:", "refresh:"];

/// Blocks of YAML that are no rules, and where: a new one is added here on purpose.
const NO_RULES: [(&str, &str); 1] = [("docs/schema.md", "yaml workflow")];

/// A whole rules file.
pub(crate) struct Completed {
    pub(crate) text: String,
    pub(crate) was_whole: bool,
}

pub(crate) fn complete(text: &str) -> Completed {
    let begins = |start: &str| text.lines().any(|line| line.starts_with(start));
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let first = first.unwrap_or_default();
    if begins("version:") {
        return Completed { text: text.to_owned(), was_whole: true };
    }
    let mut whole = "version: 1\n".to_owned();
    let used = PRESETS.iter().filter(|(name, _)| {
        text.contains(&format!("ttl: {name}\n")) || text.contains(&format!("ttl: {name},"))
    });
    let used: Vec<String> = used.map(|(name, ttl)| format!("{name}: {ttl}")).collect();
    if !used.is_empty() && !begins("ttls:") {
        whole += &format!("ttls: {{ {} }}\n", used.join(", "));
    }
    if first.starts_with("- ") {
        let is_write = OF_WRITES.iter().any(|field| text.contains(field));
        whole += if text.contains("rate:") {
            "limits:\n"
        } else if is_write {
            "writes:\n"
        } else {
            "reads:\n"
        };
    } else if first.starts_with(' ') {
        whole += "writes:\n  - name: part\n    match: /rest/v1/part\n    methods: [POST]\n";
    }
    Completed { text: whole + text, was_whole: false }
}

/// A folder with these rules in it, and beside them what was learned of the tables that they speak of.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn with_rules(name: &str, rules: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("larder-docs-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rules.yaml"), rules).unwrap();
        fs::write(folder.join("schema.yaml"), include_str!("schema.yaml")).unwrap();
        Self(folder)
    }

    /// The binary, without anybody's own settings.
    pub(crate) fn larder(&self) -> Command {
        let mut larder = Command::new(env!("CARGO_BIN_EXE_larder"));
        larder.current_dir(&self.0).env_clear();
        larder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

/// What `larder check` says, and whether it agrees.
fn check(name: &str, rules: &str) -> (bool, String) {
    let folder = Folder::with_rules(name, rules);
    let said = folder.larder().args(["check", "rules.yaml"]).output().unwrap();
    (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
}

fn finding(block: &Block, name: &str) -> Option<String> {
    let completed = complete(&block.text);
    let (agrees, said) = check(name, &completed.text);
    let is_meant = match block.info.as_str() {
        "yaml wrong" => !agrees,
        _ => agrees && (!completed.was_whole || said.contains("0 warnings")),
    };
    (!is_meant).then(|| format!("{said}\n  the file:\n{}", completed.text))
}

#[test]
fn every_block_of_rules_is_taken_by_larder_check() {
    let (mut findings, mut checked, mut no_rules) = (Vec::new(), 0, Vec::new());
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.info.starts_with("yaml")) {
            if !matches!(block.info.as_str(), "yaml" | "yaml wrong") {
                no_rules.push((page.path.clone(), block.info.clone()));
                continue;
            }
            checked += 1;
            let name = format!("{}-{}", page.path.replace('/', "-"), block.line);
            findings
                .extend(finding(block, &name).map(|said| format!("{}:{}: {said}", page.path, block.line)));
        }
    }
    report(&findings);
    assert!(checked > 10, "only {checked} blocks were found");
    let no_rules: Vec<_> = no_rules.iter().map(|(page, info)| (page.as_str(), info.as_str())).collect();
    assert_eq!(no_rules, NO_RULES, "blocks that are no rules");
}
