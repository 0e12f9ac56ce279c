//! Does Larder learn from a database what every answer depends on?
//!
//! Small schemas, one for each way in which a URL hides what is read or changed. All of them live in one
//! PostgreSQL behind one real upstream; `larder schema pull` learns them, and Larder runs with what it
//! learned and nothing by hand. Each read is kept, survives writes that do not concern it, and is fresh
//! after those that do.

#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]

mod case;
#[path = "../differential/people.rs"]
#[allow(dead_code, reason = "liars are met elsewhere")]
mod people;
#[path = "../started/pull.rs"]
mod pull;
#[path = "../started/mod.rs"]
mod started;
#[path = "../differential/wire.rs"]
mod wire;

use serde_json::Value;

use case::{Case, Step, cases};
use people::Mint;
use pull::Folder;
use started::{Larder, Upstream};
use wire::{Answer, Side};

const FILES: [(&str, &str); 8] = [
    ("embeds", include_str!("cases/embeds.sql")),
    ("views", include_str!("cases/views.sql")),
    ("functions", include_str!("cases/functions.sql")),
    ("policies", include_str!("cases/policies.sql")),
    ("changes", include_str!("cases/changes.sql")),
    ("families", include_str!("cases/families.sql")),
    ("rows", include_str!("cases/rows.sql")),
    ("elsewhere", include_str!("cases/elsewhere.sql")),
];

const RULES: &str = "version: 1
reads:
  - { name: calls, match: /rest/v1/rpc/*, ttl: 1h }
  - { name: tables, match: /rest/v1/*, ttl: 1h }
schema: { include: schema.yaml }
";

#[test]
fn trap_70_to_72_74_to_83_89_to_94_what_is_learned_is_fresh_after_every_write_and_kept_after_others() {
    let all: Vec<Case> = FILES.iter().flat_map(|(file, text)| cases(file, text)).collect();
    let folder = Folder::new();
    let script: String = all.iter().map(Case::script).collect();
    let script = folder.file("cases.sql", &script);
    let schemas = ["public"].into_iter().chain(all.iter().map(|case| case.schema.as_str()));
    let schemas = schemas.collect::<Vec<_>>().join(",");
    let upstream = Upstream::start(&["--more", &script, "--schemas", &schemas]);
    let keys: Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
    let key = |name: &str| keys[name].as_str().expect("a text").to_owned();

    let learned = folder.pull(keys["databases"][0].as_str().expect("a database"), &schemas);
    let rules = folder.file("rules.yaml", RULES);
    let larder = Larder::start(&rules, &upstream.servers[0], &[]);
    let played = Played {
        direct: Side::new(&upstream.servers[0], &key("publishableKey")),
        through: Side::new(&larder.address, &key("publishableKey")),
        mint: Mint::new(&key("jwtSecret"), &key("publishableKey")),
        learned,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let failures: Vec<String> =
        all.iter().filter_map(|case| runtime.block_on(played.play(case)).err()).collect();
    let steps =
        |is_stale| all.iter().flat_map(|case| &case.steps).filter(|step| step.is_stale == is_stale).count();
    println!(
        "{} cases, {} writes that concern the read, {} that do not",
        all.len(),
        steps(true),
        steps(false)
    );
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n\n{}\n\nthe end of Larder's log:\n{}",
        failures.len(),
        all.len(),
        failures.join("\n\n"),
        larder.last_lines()
    );
}

/// Where cases are played.
struct Played {
    direct: Side,
    through: Side,
    mint: Mint,
    learned: String,
}

impl Played {
    /// Plays one case; what went wrong comes back in words.
    async fn play(&self, case: &Case) -> Result<(), String> {
        let told = |what: String| format!("{} ({}): {what}", case.title, case.schema);
        for (part, name) in &case.unsure {
            let unsure = self.learned.split("\nunsure:\n").nth(1).unwrap_or_default();
            let section = unsure.split(&format!("  {part}:\n")).nth(1).unwrap_or_default();
            if !section
                .lines()
                .take_while(|line| line.starts_with("    "))
                .any(|line| line.trim_start().starts_with(&format!("{name}:")))
            {
                return Err(told(format!("`{name}` is not unsure in `{part}`")));
            }
        }
        for line in &case.says {
            if !self.learned.lines().any(|written| written.trim() == line) {
                return Err(told(format!("schema.yaml does not say `{line}`")));
            }
        }
        for step in &case.steps {
            self.step(case, step).await.map_err(told)?;
        }
        Ok(())
    }

    async fn step(&self, case: &Case, step: &Step) -> Result<(), String> {
        let kept = self.warm(case).await?;
        let write = case.writes(step, &self.mint);
        let written = self.through.ask(&write).await;
        if !written.answer.status.is_success() {
            return Err(format!("{write}\n    gives {}", written.answer));
        }
        let read = case.reads(&self.mint);
        let (after, truth) = (self.through.ask(&read).await, self.direct.ask(&read).await.answer);
        if after.answer != truth {
            return Err(format!(
                "{read}\n    after {write}\n    gives {}\n    and not {truth}\n    {}",
                after.answer, after.cache_status
            ));
        }
        match (step.is_stale, after.is_hit()) {
            (true, true) => Err(format!("{read}\n    is still a hit after {write}")),
            (true, false) if truth == kept => {
                Err(format!("{read}\n    has the same answer after {write}: {truth}"))
            }
            (false, false) => Err(format!("{read}\n    is not a hit after {write}: {}", after.cache_status)),
            (true, false) | (false, true) => Ok(()),
        }
    }

    /// Asks until the answer is a hit.
    async fn warm(&self, case: &Case) -> Result<Answer, String> {
        let read = case.reads(&self.mint);
        let first = self.through.ask(&read).await;
        if !first.answer.status.is_success() {
            return Err(format!("{read}\n    gives {}", first.answer));
        }
        let second = self.through.ask(&read).await;
        if second.is_hit() {
            Ok(second.answer)
        } else {
            Err(format!("{read}\n    is not kept: {}", second.cache_status))
        }
    }
}
