//! Is every trap of `docs/traps.md` met by a test, or told in `docs/limits.md`? And is every such test in the list?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Traps are numbered from 1 to this; one number came between two others.
const LAST: usize = 103;
const BETWEEN: &str = "25b";

/// The numbers in a test's name: `trap_14_to_16_…`, `trap_27_…`, `trap_30_35_and_g6_…`.
fn numbers(name: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut is_range = false;
    for word in name.split('_').skip(1) {
        let is_number = word.starts_with(|first: char| first.is_ascii_digit());
        match word {
            "and" => {}
            "to" => is_range = true,
            _ if is_number && is_range => {
                let after = |number: &str| number.parse::<usize>().expect("a range of plain numbers");
                let first = after(numbers.last().expect("a number before `to`")) + 1;
                numbers.extend((first..=after(word)).map(|number| number.to_string()));
                is_range = false;
            }
            _ if is_number => numbers.push(word.trim_start_matches('0').to_owned()),
            _ => break,
        }
    }
    numbers
}

/// The names of all tests about traps.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![PathBuf::from("src"), PathBuf::from("tests")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("node_modules") {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a readable source");
                let functions = text.lines().filter_map(|line| line.trim_start().split_once("fn "));
                let names_of = functions.filter_map(|(_, rest)| rest.split_once('('));
                names.extend(
                    names_of.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("trap_")),
                );
            }
        }
    }
    names
}

/// Number → what its row says it is met by.
fn rows() -> Vec<(String, String)> {
    let page = fs::read_to_string("docs/traps.md").expect("docs/traps.md");
    let cells = page.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        assert!(cells[1].len() > 20 || cells[0] == "#", "what goes wrong? {line}");
        (cells[0].to_owned(), cells[2].to_owned())
    });
    cells.filter(|(number, _)| number != "#").collect()
}

/// The numbers that `docs/limits.md` speaks of: `(trap 29)`.
fn limits() -> BTreeSet<String> {
    let page = fs::read_to_string("docs/limits.md").expect("docs/limits.md");
    let told = page.split("(trap ").skip(1).filter_map(|rest| rest.split_once(')'));
    told.map(|(number, _)| number.to_owned()).collect()
}

#[test]
fn every_number_is_in_the_list_once() {
    let mut expected: Vec<String> = (1..=LAST).map(|number| number.to_string()).collect();
    expected.insert(25, BETWEEN.to_owned());
    assert_eq!(expected.len(), 104);
    assert_eq!(rows().into_iter().map(|(number, _)| number).collect::<Vec<_>>(), expected);
}

#[test]
fn every_trap_is_met_by_what_its_row_names() {
    let (tests, limits) = (tests(), limits());
    let mut by_number: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in &tests {
        let numbers = numbers(name);
        assert!(!numbers.is_empty(), "{name} has no number");
        for number in numbers {
            by_number.entry(number).or_default().insert(name);
        }
    }
    for (number, met) in rows() {
        let named: BTreeSet<&str> = met.split('`').filter(|word| word.starts_with("trap_")).collect();
        let found = by_number.remove(&number).unwrap_or_default();
        assert_eq!(named, found, "trap {number}: the list and the tests differ");
        let is_told = met.contains("(limits.md)");
        assert_eq!(is_told, limits.contains(&number), "trap {number}: the list and docs/limits.md differ");
        assert!(is_told || !named.is_empty(), "trap {number} is met by nothing");
    }
    assert!(by_number.is_empty(), "no such traps: {by_number:?}");
}

#[test]
fn numbers_are_read_from_names() {
    for (name, expected) in [
        ("trap_27_a_forged_token", &["27"][..]),
        ("trap_05_and_13_a_head", &["5", "13"]),
        ("trap_14_to_16_repeats", &["14", "15", "16"]),
        ("trap_25b_two_embeds", &["25b"]),
        ("trap_26_74_to_76_80_an_answer", &["26", "74", "75", "76", "80"]),
        ("trap_30_35_and_g6_a_user", &["30", "35"]),
        ("trap_none", &[]),
    ] {
        assert_eq!(numbers(name), expected, "{name}");
    }
}
