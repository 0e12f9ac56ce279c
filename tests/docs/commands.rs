//! Can every command on the pages be typed, and does every flag and variable exist?
//!
//! - A line of a block that begins with `larder` (after `$ `, `sudo`, variables or a `|`) is given to the real command line, as a
//!   shell would split it: up to a comment, a redirection, a pipe, or two blanks in a row, behind which
//!   explanations stand. `<placeholders>` become words, the brackets of a synopsis go.
//! - Of those, `check`, `explain` without `--live`, `completions` and `man` need nothing but files, and are run, with the rules that
//!   the page showed last as a whole file, else with the example's. Synopses are not run.
//! - Words in backticks that begin with `larder` or `--` are looked up: the command, and each flag.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use clap::Command;
use larder::cli::command_line;

use super::pages::{Page, pages};
use super::report;
use super::rules::Folder;

/// Pages that are about a program that is not Larder, whose flags they name alone.
const OF_OTHERS: [(&str, &str); 2] =
    [("docs/coherence.md", "tests/coherence/checker/options.rs"), ("docs/performance.md", "bench/run")];

/// A command of Larder's on a page.
pub(crate) struct Typed {
    pub(crate) line: usize,
    pub(crate) words: Vec<String>,
    is_synopsis: bool,
}

/// Splits as a shell would, and ends where the command does.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(rest.next()),
            (None, ' ') => {
                words.extend(word.take());
                if rest.peek() == Some(&' ') {
                    break;
                }
            }
            (None, '>' | '|' | '&' | ';') => break,
            (None, '#') if word.is_none() => break,
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `<project>` is a word.
fn without_placeholders(line: &str) -> String {
    let mut parts = line.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| match part.split_once('>') {
        Some((name, rest)) if !name.is_empty() && !name.starts_with(' ') => whole + "word" + rest,
        _ => whole + "<" + part,
    })
}

pub(crate) fn typed(page: &Page) -> Vec<Typed> {
    let mut found = Vec::new();
    for block in page.blocks.iter().filter(|block| matches!(block.info.split(' ').next(), Some("" | "sh"))) {
        let joined = block.text.replace("\\\n", "\\\u{0}");
        for (number, line) in (block.line + 1..).zip(joined.lines()) {
            let line = line.replace("\\\u{0}", "");
            let line = without_placeholders(line.trim_start().trim_start_matches("$ "));
            let line = line.replace("cargo run --release -- ", "larder ");
            let at = line.find("larder ").filter(|at| {
                line[..*at].split_whitespace().all(|word| word.contains('=') || word == "sudo" || word == "|")
            });
            let Some(at) = at else { continue };
            let line = &line[at..];
            let is_synopsis = line.contains(" [") || line.contains("METHOD");
            let line =
                if is_synopsis { line.replace("]...", "").replace(['[', ']'], "") } else { line.to_owned() };
            found.push(Typed { line: number, words: words(&line), is_synopsis });
        }
    }
    found
}

#[test]
fn every_command_can_be_typed() {
    let (mut findings, mut parsed) = (Vec::new(), 0);
    for page in pages() {
        for typed in typed(&page) {
            parsed += 1;
            if let Err(error) = command_line().try_get_matches_from(&typed.words) {
                findings.push(format!("{}:{}: {:?}\n{error}", page.path, typed.line, typed.words));
            }
        }
    }
    report(&findings);
    assert!(parsed > 40, "only {parsed} commands were found");
}

/// Runs what needs nothing but files.
fn run(folder: &Folder, words: &[String]) -> Option<Output> {
    let says = |word: &str| words.iter().any(|said| said == word);
    let needs_files_alone = match words.get(1).map(String::as_str) {
        Some("check" | "completions") => true,
        Some("explain") => !says("--live"),
        Some("man") => !says("--dir"),
        _ => false,
    };
    needs_files_alone.then(|| folder.larder().args(&words[1..]).output().unwrap())
}

#[test]
fn commands_that_need_nothing_but_files_do_what_they_are_for() {
    let example = fs::read_to_string("rules.yaml").unwrap();
    let (mut findings, mut ran) = (Vec::new(), 0);
    for page in pages() {
        let whole = |text: &&str| text.lines().any(|line| line.starts_with("version:"));
        let rules: Vec<_> = page.blocks.iter().filter(|block| block.info == "yaml").collect();
        for typed in typed(&page).into_iter().filter(|typed| !typed.is_synopsis) {
            let above = rules.iter().rev().filter(|block| block.line < typed.line);
            let rules = above.map(|block| block.text.as_str()).find(whole).unwrap_or(&example);
            let name = format!("run-{}-{}", page.path.replace('/', "-"), typed.line);
            let Some(output) = run(&Folder::with_rules(&name, rules), &typed.words) else { continue };
            ran += 1;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let said = said + &String::from_utf8_lossy(&output.stdout);
                findings.push(format!("{}:{}: {:?}\n{said}", page.path, typed.line, typed.words));
            }
        }
    }
    report(&findings);
    assert!(ran > 8, "only {ran} commands were run");
}

/// Every `--flag` of a command and of those below it.
fn flags(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|flag| flag.get_long().map(|name| format!("--{name}")));
    let help = ["--help".to_owned(), "--version".to_owned()];
    own.chain(help).chain(command.get_subcommands().flat_map(flags)).collect()
}

fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '=', ',', '[', ']', '(', ')', '…']).filter(|word| {
        word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// Does the program that the page is about have the flag, or a field of its name?
fn is_of_another(page: &str, flag: &str) -> bool {
    OF_OTHERS.iter().filter(|(about, _)| *about == page).any(|(_, program)| {
        let text = fs::read_to_string(program).unwrap();
        text.contains(flag) || text.contains(&format!(" {}: ", flag.trim_start_matches("--")))
    })
}

#[test]
fn every_flag_and_command_named_in_a_text_exists() {
    let line = command_line();
    let all = flags(&line);
    let mut findings = Vec::new();
    for page in pages() {
        for (number, code) in &page.code {
            let mut said = code.split_whitespace();
            let known = match said.next() {
                Some("larder") => {
                    let Some(name) = said.next() else { continue };
                    let Some(command) = line.find_subcommand(name) else {
                        findings.push(format!("{}:{number}: `{code}`: no such command", page.path));
                        continue;
                    };
                    flags(command)
                }
                Some(word) if word.starts_with("--") => all.clone(),
                _ => continue,
            };
            for flag in flags_in(code).filter(|flag| !known.contains(*flag)) {
                if !is_of_another(&page.path, flag) {
                    findings.push(format!("{}:{number}: `{code}`: no flag `{flag}`", page.path));
                }
            }
        }
    }
    report(&findings);
}

/// Every `LARDER_…` in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
    let names = text.split(|c| !is_of_name(c)).filter(|word| word.starts_with("LARDER_"));
    names.filter(|name| !name.ends_with('_')).map(str::to_owned).collect()
}

/// What programs of a folder read: every name that stands in quotes in its sources.
fn read_by(folder: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                open.push(path.display().to_string());
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|part| part.starts_with("LARDER_")).map(variables);
                found.extend(quoted.flatten());
            }
        }
    }
    found
}

#[test]
fn every_variable_named_is_one_that_is_read() {
    let known: BTreeSet<String> = read_by("src").into_iter().chain(read_by("tests")).collect();
    let mut findings = Vec::new();
    for page in pages() {
        let named = variables(&page.text);
        findings
            .extend(named.difference(&known).map(|name| format!("{}: nothing reads `{name}`", page.path)));
    }
    report(&findings);
    let count = read_by("src").len();
    assert!(count > 40, "only {count} variables were found");
}

#[test]
fn a_command_ends_where_a_shell_ends_it() {
    for (line, expected) in [
        ("larder purge 'properties:*'   makes entries disappear", vec!["larder", "purge", "properties:*"]),
        ("larder completions zsh > \"x\"", vec!["larder", "completions", "zsh"]),
        ("larder check # every mistake", vec!["larder", "check"]),
        ("larder get a#b", vec!["larder", "get", "a#b"]),
    ] {
        assert_eq!(words(line), expected, "{line}");
    }
    assert_eq!(
        without_placeholders("https://<project>.supabase.co <zone id>"),
        "https://word.supabase.co word"
    );
}
