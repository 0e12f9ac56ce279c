//! Is each thing judged as an operator would?

use crate::redis::{Advice, advice};

use super::*;

const MS: Duration = Duration::from_millis(1);

fn verdict(finding: &Finding) -> (Verdict, String) {
    let told = finding.told();
    assert!(!told.message.is_empty() && !told.message.ends_with('.'), "{told:?}");
    assert_eq!(
        told.hint.is_some(),
        told.verdict != Verdict::Works,
        "what to do, where there is anything: {told:?}"
    );
    (told.verdict, told.code)
}

#[test]
fn the_upstream_is_judged_by_what_it_answers() {
    for (status, took, expected) in [
        (200, 5, (Verdict::Works, "answers")),
        (401, 5, (Verdict::Works, "answers")),
        (200, 1_500, (Verdict::Warning, "slow")),
        (404, 5, (Verdict::Fails, "no-rest")),
        (301, 5, (Verdict::Fails, "redirects")),
        (429, 5, (Verdict::Warning, "crowded")),
        (503, 5, (Verdict::Fails, "unwell")),
        (540, 5, (Verdict::Fails, "unwell")),
    ] {
        let found = verdict(&Finding::Upstream(Upstream::of_answer(status, MS * took)));
        assert_eq!((found.0, found.1.as_str()), expected, "{status} in {took} ms");
    }
}

#[test]
fn clocks_agree_within_what_a_date_can_tell() {
    let at = 1_800_000_000_000;
    for (ours, took, expected) in [
        (at, 10, Verdict::Works),
        (at + 2_000, 0, Verdict::Works),
        (at - 2_900, 2_000, Verdict::Works),
        (at + 2_900, 0, Verdict::Warning),
        (at + 30_000, 0, Verdict::Warning),
        (at - 30_001, 0, Verdict::Fails),
        (0, 0, Verdict::Fails),
    ] {
        let told = Finding::Upstream(Upstream::of_clock(ours, at, MS * took)).told();
        assert_eq!((told.verdict, told.area.as_str()), (expected, "clock"), "{told:?}");
    }
    let told = Finding::Upstream(Upstream::of_clock(at + 60_000, at, MS)).told();
    assert!(told.message.contains("60.0 s ahead of"), "{told:?}");
}

#[test]
fn keys_are_judged_without_repeating_them() {
    for (found, expected) in [
        (Callers::NoPublicKey, (Verdict::Warning, "no-public-key")),
        (Callers::of_end("anon", 100, 100), (Verdict::Fails, "key-ended")),
        (Callers::of_end("anon", 100 + 86_400, 100), (Verdict::Warning, "key-ends-soon")),
        (Callers::of_end("anon", 400 * 86_400, 100), (Verdict::Works, "key-lasts")),
        (Callers::of_answer("anon", 200, false), (Verdict::Works, "key-accepted")),
        (Callers::of_answer("anon", 401, true), (Verdict::Fails, "key-refused")),
        (Callers::of_answer("anon", 401, false), (Verdict::Works, "key-not-refused")),
        (Callers::of_answer("anon", 500, true), (Verdict::Works, "key-not-refused")),
        (Callers::of_key_set("https://a".into(), 0, MS), (Verdict::Warning, "key-set-empty")),
        (Callers::of_key_set("https://a".into(), 2, MS), (Verdict::Works, "key-set")),
        (Callers::of_keys(0), (Verdict::Warning, "verifies-nothing")),
        (Callers::SecretForeign, (Verdict::Fails, "secret-foreign")),
    ] {
        let (verdict, code) = verdict(&Finding::Callers(found));
        assert_eq!((verdict, code.as_str()), expected);
    }
}

#[test]
fn a_store_is_judged_by_its_pace_and_by_what_it_says() {
    let pace = |took: u32| verdict(&Finding::Store(Store::of_pace("redis://h".into(), MS * took, MS * 50))).0;
    assert_eq!((pace(25), pace(26)), (Verdict::Works, Verdict::Warning));

    let info = "redis_version:7.0.15\r\nused_memory:1048576\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\
                aof_enabled:0\r\nrdb_last_bgsave_status:ok\r\nrole:slave\r\n";
    let found: Vec<String> = Store::of_info(info, advice(info))
        .into_iter()
        .map(|found| verdict(&Finding::Store(found)).1)
        .collect();
    assert_eq!(found, ["store-version", "store-memory", "store-saves", "store-is-a-replica", "store-setup"]);
    assert!(Store::forgets(info) && !Store::forgets(&info.replace("aof_enabled:0", "aof_enabled:1")));
    let failed = info.replace("bgsave_status:ok", "bgsave_status:err");
    assert!(Store::of_info(&failed, vec![]).contains(&Store::SavesFail));
    assert_eq!(Store::of_info("", vec![]), []);

    let told = Finding::Store(Store::Advised(Advice::NoMemoryLimit)).told();
    let hint = told.hint.unwrap();
    assert!(
        hint.starts_with("set maxmemory") && !hint.ends_with(')') && !told.message.contains("hint"),
        "{hint}"
    );
}

#[test]
fn memory_and_files_are_held_against_the_machine() {
    for (entries, of, expected) in [
        (100, Some(200), Verdict::Works),
        (101, Some(200), Verdict::Warning),
        (200, Some(200), Verdict::Fails),
        (100, None, Verdict::Warning),
    ] {
        assert_eq!(
            verdict(&Finding::Machine(Machine::of_memory(entries, of))).0,
            expected,
            "{entries} of {of:?}"
        );
    }
    for (files, expected) in [(20_000, Verdict::Works), (19_998, Verdict::Warning)] {
        assert_eq!(verdict(&Finding::Machine(Machine::of_files(files, 10_000))).0, expected, "{files}");
    }
}

#[test]
fn a_fleet_that_hears_nothing_does_not_work() {
    let codes = |found: Vec<Sharing>| -> Vec<String> {
        found.into_iter().map(|found| verdict(&Finding::Sharing(found)).1).collect()
    };
    assert_eq!(codes(Sharing::of(1, MS, 0)), ["alone"]);
    assert_eq!(codes(Sharing::of(3, MS, 2)), ["members", "owed"]);
    assert_eq!(codes(Sharing::of(3, Duration::ZERO, 0)), ["no-lease"]);
}

#[test]
fn a_report_is_as_bad_as_its_worst_finding() {
    let report = |findings: &[Finding]| Report::new(Examined::Settings, findings, String::new());
    let (well, tight) = (Machine::Certificate, Machine::MemoryUnknown);
    let bad = Finding::Setting("--listen: `x`\n is no address".into());
    assert_eq!(report(&[]).verdict, Verdict::Works);
    let all = [Finding::Machine(well), bad, Finding::Machine(tight)];
    assert_eq!(report(&all[..1]).verdict, Verdict::Works);
    assert_eq!((report(&all).verdict, report(&all).count(Verdict::Warning)), (Verdict::Misconfigured, 1));
    assert!(!report(&all).findings[1].message.contains('\n'));
    let written = serde_json::to_value(report(&all)).unwrap();
    assert_eq!(written["findings"][0]["verdict"], "works");
    let read: Report = serde_json::from_value(written).unwrap();
    assert_eq!(read, report(&all));
}
