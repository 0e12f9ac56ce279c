//! Does every link lead somewhere, and is every page linked?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::pages::{Page, pages};
use super::report;

#[test]
fn every_link_leads_somewhere() {
    let pages: BTreeMap<String, Page> = pages().into_iter().map(|page| (page.path.clone(), page)).collect();
    let mut findings = Vec::new();
    let mut followed = 0;
    for page in pages.values() {
        for (line, link) in &page.links {
            followed += 1;
            let (file, anchor) = page.resolve(link);
            if !Path::new(&file).exists() {
                findings.push(format!("{}:{line}: `{link}`: there is no `{file}`", page.path));
            } else if let Some(anchor) = anchor
                && !pages.get(&file).is_some_and(|page| page.headings.contains(&anchor))
            {
                findings.push(format!("{}:{line}: `{link}`: no heading of that name", page.path));
            }
        }
    }
    report(&findings);
    assert!(followed > 150, "only {followed} links were found");
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let pages: BTreeMap<String, Page> = pages().into_iter().map(|page| (page.path.clone(), page)).collect();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut open = vec!["README.md".to_owned()];
    while let Some(path) = open.pop() {
        let Some(page) = pages.get(&path) else { continue }; // a file that is no page
        for (file, _) in page.links.iter().map(|(_, link)| page.resolve(link)) {
            if reached.insert(file.clone()) {
                open.push(file);
            }
        }
    }
    let lost = pages.keys().filter(|page| !reached.contains(*page));
    report(&lost.map(|page| format!("{page}: no page links to it")).collect::<Vec<_>>());
}

/// The last column of the promises names tests: `store faults` is `tests/store/faults.rs`.
#[test]
fn every_promise_of_the_readme_names_tests_that_exist() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let promises = readme.lines().skip_while(|line| *line != "## Promises").skip(1);
    let rows = promises.take_while(|line| !line.starts_with("## "));
    let rows: Vec<&str> = rows.filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    assert_eq!(rows.len(), 11, "eleven promises");
    let mut findings = Vec::new();
    for row in rows {
        let tests: Vec<&str> =
            row.split('|').nth(3).unwrap_or_default().split('`').skip(1).step_by(2).collect();
        let exists = |test: &&str| {
            let (program, part) = test.split_once(' ').unwrap_or((test, "main"));
            let whole = format!("tests/{program}.rs");
            Path::new(&format!("tests/{program}/{part}.rs")).exists()
                || (part == "main" && Path::new(&whole).exists())
        };
        let tests: Vec<&str> = tests.into_iter().filter(|test| *test != "src").collect();
        if tests.is_empty() || !tests.iter().all(exists) {
            findings.push(format!("no test, or none of that name: {row}"));
        }
    }
    report(&findings);
}
