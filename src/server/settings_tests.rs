//! Does every text become the right setting, or the right mistake?

use clap::{CommandFactory, Parser};

use crate::consistency::Consistency;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

fn resolve(line: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let flags = Line::parse_from(std::iter::once("larder").chain(line.iter().copied())).flags;
    let environment = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let settings = Settings::resolve(&flags, &environment);
    settings.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_url_is_enough() {
    let settings = resolve(&["--upstream", "https://abc.supabase.co"], &[]).unwrap();
    assert_eq!(settings.upstream.to_string(), "https://abc.supabase.co");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.admin.unwrap().to_string(), "127.0.0.1:8081");
    assert_eq!(settings.max_body, ByteSize(2 << 20));
    assert!(settings.memory <= ByteSize(256 << 20));
    assert_eq!(settings.grace, Duration::from_secs(30));
    assert_eq!(settings.log, LogFormat::Text);
    assert!(settings.store.shared.is_none());
    assert_eq!(settings.store.consistency, Consistency::Fresh);
}

#[test]
fn the_flag_wins_over_supabase_url_and_nothing_is_not_given() {
    let variable = [("SUPABASE_URL", "http://127.0.0.1:54321")];
    assert_eq!(resolve(&[], &variable).unwrap().upstream.to_string(), "http://127.0.0.1:54321");
    assert_eq!(
        resolve(&["--upstream", ""], &variable).unwrap().upstream.to_string(),
        "http://127.0.0.1:54321"
    );
    assert_eq!(resolve(&["--upstream", "http://a"], &variable).unwrap().upstream.to_string(), "http://a");
    let empty =
        ["--upstream", "http://a", "--max-body", "", "--listen", "", "--tls-cert", "", "--memory", ""];
    assert_eq!(resolve(&empty, &[]).unwrap().max_body, ByteSize(2 << 20));
}

#[test]
fn a_url_with_a_password_is_refused_without_repeating_it() {
    let mistakes = resolve(&["--upstream=https://user:hunter2@abc"], &[]).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(!mistakes[0].contains("hunter2"), "{mistakes:?}");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let line = [
        "--listen=nowhere",
        "--max-body=2",
        "--memory=lots",
        "--grace=30",
        "--upstream-timeout=0s",
        "--trusted-proxies=10.0.0.0/8,proxy",
        "--tls-cert=a.pem",
        "--extra-methods=REPORT,A B",
        "--max-connections=0",
        "--max-fetches=0",
        "--workers=none",
        "--log=xml",
        "--store=http://:hunter2@cache",
        "--store-timeout=soon",
        "--consistency=eventual",
        "--intent-deadline=0s",
    ];
    let mistakes = resolve(&line, &[]).unwrap_err();
    let expected = [
        "--upstream: missing: give the URL of the project, as in https://<project>.supabase.co",
        "--listen: `nowhere` is not an address with a port, as in 0.0.0.0:8080 or [::1]:8080",
        "--store: not the address of a store (hint: it begins with one of redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster://)",
        "--store-timeout: `soon` does not begin with a whole number",
        "--intent-deadline: must be more than nothing",
        "--consistency: `eventual` is none of `bounded`, `fresh` and `strict`",
        "--memory: `lots` does not begin with a whole number",
        "--max-body: `2` has no unit: write B, KiB, MiB, GiB, KB, MB or GB, as in 256MiB",
        "--grace: `30` has no unit: write ms, s, m, h or d, as in 30s",
        "--upstream-timeout: must be more than nothing",
        "--trusted-proxies: `proxy` is not an address or a range such as 10.0.0.0/8",
        "--tls-key: missing: --tls-cert needs it",
        "--extra-methods: `A B` is not a method",
        "--max-connections: `0` is not a number above 0",
        "--max-fetches: `0` is not a number above 0",
        "--workers: `none` is not a number above 0",
        "--log: `xml` is neither `text` nor `json`",
    ];
    assert_eq!(mistakes, expected);
}

#[test]
fn an_admin_address_that_others_reach_needs_a_token() {
    let open = ["--upstream=http://a", "--admin=0.0.0.0:8081"];
    let refused = resolve(&open, &[]).unwrap_err();
    assert!(refused[0].starts_with("--admin: an address that others can reach needs a token"), "{refused:?}");
    assert!(resolve(&open, &[("LARDER_ADMIN_TOKEN", "")]).is_err());
    let short = resolve(&open, &[("LARDER_ADMIN_TOKEN", "fifteen bytes!!")]).unwrap_err();
    assert_eq!(short, ["--admin-token-file: the token is shorter than 16 bytes"]);
    assert!(resolve(&open, &[("LARDER_ADMIN_TOKEN", "sixteen bytes !!")]).is_ok());
    assert!(resolve(&["--upstream=http://a", "--admin=[::1]:1"], &[]).is_ok());
    assert_eq!(resolve(&["--upstream=http://a", "--admin=off"], &[]).unwrap().admin, None);
}

#[test]
fn secrets_are_shown_nowhere() {
    let variables = [
        ("LARDER_ADMIN_TOKEN", "hunter2-hunter2-hunter2"),
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("UPSTASH_REDIS_REST_URL", "https://hunter2"),
    ];
    let settings = resolve(&["--upstream=http://a"], &variables).unwrap();
    assert_eq!(settings.store.shared.as_ref().unwrap().to_string(), "redis://cache:6379/0");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn every_setting_is_documented() {
    let page = include_str!("../../docs/settings.md");
    for argument in Line::command().get_arguments() {
        let Some(flag) = argument.get_long() else { continue };
        assert!(page.contains(&format!("`--{flag}`")), "docs/settings.md does not mention --{flag}");
        let variable = argument.get_env().expect("every setting has a variable").to_str().unwrap();
        assert_eq!(variable, format!("LARDER_{}", flag.to_uppercase().replace('-', "_")));
        assert!(page.contains(&format!("`{variable}`")), "docs/settings.md does not mention {variable}");
        for default in argument.get_default_values() {
            assert!(page.contains(&format!("`{}`", default.to_str().unwrap())), "default of --{flag}");
        }
    }
}

#[test]
fn canaries_are_asked_as_two_users_or_nobody() {
    let at = ["--upstream", "http://a"];
    let given = |tokens: &str| resolve(&at, &[("LARDER_CANARY_TOKENS", tokens)]);
    assert!(resolve(&at, &[]).unwrap().canary_tokens.is_none() && given("").unwrap().canary_tokens.is_none());
    let tokens = given("hunter2-a\nhunter2-b").unwrap().canary_tokens;
    assert!(matches!(&tokens, Some(CanaryTokens::Given(_))) && !format!("{tokens:?}").contains("hunter2"));
    let mistakes = given("hunter2-a").unwrap_err();
    assert_eq!(mistakes, ["LARDER_CANARY_TOKENS: not two tokens, one a line, but 1"]);
    let nowhere = ["--upstream", "http://a", "--canary-tokens-file", "/nowhere/tokens"];
    let mistakes = resolve(&nowhere, &[("LARDER_CANARY_TOKENS", "a\nb")]).unwrap_err();
    assert!(mistakes[0].starts_with("--canary-tokens-file: cannot read `/nowhere/tokens`"), "{mistakes:?}");
}
