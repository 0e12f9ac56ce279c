//! Does every test that `docs/faults.md` names exist, and every fault that it has the checker do?

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Every function in the sources and tests.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![PathBuf::from("src"), PathBuf::from("tests")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("node_modules") {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let after = text.lines().filter_map(|line| line.trim_start().split_once("fn "));
                names.extend(after.filter_map(|(_, rest)| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    names
}

#[test]
fn every_fault_is_met_by_something_that_exists() {
    let functions = functions();
    let schedules = fs::read_to_string("tests/coherence/checker/faults/mod.rs").unwrap();
    let page = fs::read_to_string("docs/faults.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Fault"));
    let mut seen = 0;
    for row in rows {
        let (_, shown_by) = row.trim_matches('|').split_once(" | ").unwrap_or_else(|| panic!("{row}"));
        let (tests, checker) = shown_by.split_once("checker").unwrap_or((shown_by, ""));
        let names = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        for test in names(tests).iter().filter(|test| !test.contains('-')) {
            assert!(functions.contains(test), "no test is called {test}");
            seen += 1;
        }
        for fault in names(checker) {
            assert!(schedules.contains(&format!("\"{fault}\"")), "the checker has no fault {fault}");
        }
    }
    assert!(seen > 50, "{seen} tests: was the page read?");
}
