//! Is every field of a rules file a row of its table in the documentation, every row a field, and what is said to
//! be required so?
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

/// A row: the fields that it is about, and what it says is so without them.
struct Row {
    fields: BTreeSet<String>,
    default: String,
}

/// The first table below a heading: the words in backticks of the first column, up to a `:`, and the last column.
fn rows_below(page: &str, heading: &str) -> Vec<Row> {
    let text = fs::read_to_string(page).unwrap();
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let table = below.skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let words = cells[0].split('`').skip(1).step_by(2);
        let fields = words.map(|word| word.split(':').next().unwrap_or(word).to_owned()).collect();
        Row { fields, default: cells.last().unwrap().trim().to_owned() }
    });
    rows.collect()
}

fn fields_of<'r>(rows: impl Iterator<Item = &'r Row>) -> BTreeSet<String> {
    rows.flat_map(|row| &row.fields).cloned().collect()
}

#[test]
fn every_field_is_a_row_and_every_row_a_field() {
    let mut findings = Vec::new();
    for (place, page, heading) in PLACES {
        let (fields, rows) = (fields_at(place), fields_of(rows_below(page, heading).iter()));
        assert!(fields.len() > 3 && rows.len() > 3, "{page} {heading}: {fields:?} {rows:?}");
        findings
            .extend(fields.difference(&rows).map(|field| format!("{page}, {heading}: no row for `{field}`")));
        findings
            .extend(rows.difference(&fields).map(|row| format!("{page}, {heading}: `{row}` is no field")));
    }
    report(&findings);
}

/// What stands in each of the places above without the stranger is taken, and none of it can be left out.
#[test]
fn what_a_row_says_is_required_is_and_nothing_else() {
    let mut findings = Vec::new();
    for (place, page, heading) in PLACES {
        let rows = rows_below(page, heading);
        let required = fields_of(rows.iter().filter(|row| row.default.starts_with("required")));
        let (before, after) = place.split_once('@').unwrap();
        let opened = before.rfind('{').map_or(0, |at| at + 1);
        let written: Vec<&str> =
            before[opened..].split([',', '\n']).filter(|field| !field.trim().is_empty()).collect();
        let with = |fields: &[&str]| {
            let fields: String = fields
                .iter()
                .flat_map(|field| [field.trim(), if opened > 0 { ", " } else { "\n" }])
                .collect();
            RuleSet::parse(&format!("{}{fields}{after}", &before[..opened]), &Context::default()).is_ok()
        };
        assert!(with(&written), "{page} {heading}: {place} is refused");
        for (index, field) in written.iter().enumerate() {
            let others = [&written[..index], &written[index + 1..]].concat();
            let name = field.split(':').next().unwrap().trim();
            match (with(&others), required.contains(name)) {
                (false, false) => {
                    findings.push(format!("{page}, {heading}: `{name}` is required, and not said to be"))
                }
                (true, true) => findings.push(format!("{page}, {heading}: `{name}` is not required")),
                (false, true) | (true, false) => {}
            }
        }
        let names: BTreeSet<String> =
            written.iter().map(|field| field.split(':').next().unwrap().trim().to_owned()).collect();
        let more = required.difference(&names);
        findings.extend(more.map(|field| format!("{page}, {heading}: `{field}` is not required")));
    }
    report(&findings);
}
