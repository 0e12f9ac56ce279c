//! Is every field of a rules file a row of its table in the documentation, and every row a field?
//!
//! The fields are asked of the code: an unknown one is refused with a hint that lists those that are known there.

use std::collections::BTreeSet;
use std::fs;

use larder::rules::{Context, RuleSet};

use super::report;

/// A name that resembles no field, so that the hint is not the nearest one.
const STRANGER: &str = "qqqqqqqqqqqqqqqq";

/// What stands in a rules file, with `@` where a field may; the page, and the heading above the table that lists
/// them.
const PLACES: [(&str, &str, &str); 6] = [
    ("version: 1\n@", "docs/rules.md", "## At the top"),
    ("version: 1\nreads: [{match: /a, ttl: 1m, @}]", "docs/rules.md", "## A read rule"),
    ("version: 1\nwrites: [{match: /a, @}]", "docs/rules.md", "## A write rule"),
    ("version: 1\nschema: {@}", "docs/rules.md", "## schema"),
    ("version: 1\nwrites: [{match: /a, lock: {key: a, @}}]", "docs/guards.md", "## Locks"),
    ("version: 1\nlimits: [{name: a, match: /a, by: ip, rate: 1/1m, @}]", "docs/guards.md", "## Limits"),
];

fn fields_at(place: &str) -> BTreeSet<String> {
    let field = format!("{STRANGER}: 1");
    let text = place.replace('@', &field);
    let Err(mistakes) = RuleSet::parse(&text, &Context::default()) else { panic!("{text} is taken") };
    let hints = mistakes.iter().filter_map(|mistake| mistake.0.hint.as_deref());
    let known = hints.filter_map(|hint| hint.strip_prefix("known here: ")).next();
    known.unwrap_or_else(|| panic!("{text}: no hint")).split(", ").map(str::to_owned).collect()
}

/// The fields of the first table below a heading: the words in backticks of the first column, up to a `:`.
fn rows_below(page: &str, heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let table = below.skip_while(|line| !line.starts_with("|---")).skip(1);
    let first_cells =
        table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let words = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(|word| word.split(':').next().unwrap_or(word).to_owned()).collect()
}

#[test]
fn every_field_is_a_row_and_every_row_a_field() {
    let mut findings = Vec::new();
    for (place, page, heading) in PLACES {
        let (fields, rows) = (fields_at(place), rows_below(page, heading));
        assert!(fields.len() > 3 && rows.len() > 3, "{page} {heading}: {fields:?} {rows:?}");
        findings
            .extend(fields.difference(&rows).map(|field| format!("{page}, {heading}: no row for `{field}`")));
        findings
            .extend(rows.difference(&fields).map(|row| format!("{page}, {heading}: `{row}` is no field")));
    }
    report(&findings);
}
