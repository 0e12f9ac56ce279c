//! Filters and logic trees, drawn from PostgREST's grammar.

use crate::chance::Chance;
use crate::tables::{Column, Ground, Kind, value};

/// How deep a logic tree goes.
const TREE_DEPTH_MAX: u32 = 2;

/// A filter as a parameter: name and value.
pub(crate) fn parameter(chance: &mut Chance, columns: &[Column], ground: Ground) -> (String, String) {
    let column = chance.pick(columns);
    if column.kind == Kind::Json && chance.percent(70) {
        return json_path(chance, column.name);
    }
    let operation = operation(chance, column.kind, ground);
    (column.name.to_owned(), negated(chance, operation))
}

/// A filter on the number or the city alone: what rows are matched by.
pub(crate) fn pinning(chance: &mut Chance, columns: &[Column], ground: Ground) -> Option<(String, String)> {
    let pinnable: Vec<Column> = columns
        .iter()
        .filter(|column| matches!(column.kind, Kind::Number | Kind::City | Kind::Person))
        .copied()
        .collect();
    if pinnable.is_empty() {
        return None;
    }
    let column = if chance.percent(50) { pinnable[0] } else { chance.pick(&pinnable) };
    let operation = if chance.percent(65) {
        format!("eq.{}", value(chance, column.kind, ground))
    } else {
        list(chance, column.kind, ground)
    };
    Some((column.name.to_owned(), operation))
}

/// `or=(…)`, `and=(…)`, `not.or=(…)`.
pub(crate) fn tree(chance: &mut Chance, columns: &[Column], ground: Ground) -> (String, String) {
    let name = chance.pick(&["or", "or", "and", "not.or", "not.and"]);
    (name.to_owned(), branches(chance, columns, ground, TREE_DEPTH_MAX))
}

fn branches(chance: &mut Chance, columns: &[Column], ground: Ground, depth: u32) -> String {
    let count = chance.between(1, 3);
    let leaves: Vec<String> = (0..count).map(|_| branch(chance, columns, ground, depth)).collect();
    let separator = chance.pick(&[",", ",", ", "]);
    format!("({})", leaves.join(separator))
}

fn branch(chance: &mut Chance, columns: &[Column], ground: Ground, depth: u32) -> String {
    if depth > 0 && chance.percent(25) {
        let name = chance.pick(&["and", "or", "not.and", "not.or"]);
        return format!("{name}{}", branches(chance, columns, ground, depth - 1));
    }
    let column = chance.pick(columns);
    let operation = match column.kind {
        Kind::Json => "not.is.null".to_owned(),
        Kind::City | Kind::Words | Kind::Moment | Kind::Status if chance.percent(60) => {
            let drawn = value(chance, column.kind, ground);
            format!("{}.{}", chance.pick(&["eq", "neq", "gte"]), quoted(&drawn))
        }
        Kind::Number
        | Kind::Amenity
        | Kind::Amount
        | Kind::Person
        | Kind::City
        | Kind::Words
        | Kind::Moment
        | Kind::Status => plain(chance, column.kind, ground),
    };
    let operation = negated(chance, operation);
    format!("{}.{operation}", column.name)
}

/// An operation that needs no quotes inside a tree.
fn plain(chance: &mut Chance, kind: Kind, ground: Ground) -> String {
    match kind {
        Kind::City | Kind::Words | Kind::Status => "is.null".to_owned(),
        _other_kind if chance.percent(30) => list(chance, kind, ground),
        _other_kind => {
            let operator = chance.pick(&["eq", "eq", "neq", "gt", "lte"]);
            format!("{operator}.{}", quoted(&value(chance, kind, ground)))
        }
    }
}

fn operation(chance: &mut Chance, kind: Kind, ground: Ground) -> String {
    let drawn = value(chance, kind, ground);
    match kind {
        Kind::Json => format!("{}.{drawn}", chance.pick(&["cs", "cs", "cd", "eq"])),
        Kind::Number | Kind::Amenity | Kind::Amount | Kind::Moment | Kind::Person => match chance.index(10) {
            0 => format!("neq.{drawn}"),
            1 | 2 => format!("{}.{drawn}", chance.pick(&["gt", "gte", "lt", "lte"])),
            3 | 4 => list(chance, kind, ground),
            5 => format!("isdistinct.{drawn}"),
            6 => format!("eq(any).{{{}}}", quoted(&drawn)),
            7 => chance.pick(&["is.null", "is.not_null", "IS.NULL", "is.NULL"]).to_owned(),
            _ => format!("eq.{drawn}"),
        },
        Kind::City | Kind::Status | Kind::Words => match chance.index(14) {
            0 => format!("neq.{drawn}"),
            1 => format!("like.{}*", drawn.chars().take(2).collect::<String>()),
            2 => format!("ilike.*{}*", drawn.to_lowercase()),
            3 => "match.^[DV]".to_owned(),
            4 => "imatch.a$".to_owned(),
            5 => "fts(simple).villa".to_owned(),
            6 => "plfts.studio".to_owned(),
            7 => "like(any).{D*,V*}".to_owned(),
            8 => format!("gte.{drawn}"),
            9 => "is.null".to_owned(),
            10 | 11 => list(chance, kind, ground),
            _ => format!("eq.{drawn}"),
        },
    }
}

fn json_path(chance: &mut Chance, column: &str) -> (String, String) {
    match chance.index(3) {
        0 => (format!("{column}->>floor"), format!("eq.{}", chance.between(0, 4))),
        1 => (format!("{column}->floor"), format!("gt.{}", chance.between(0, 4))),
        _ => (format!("{column}->>note"), "not.is.null".to_owned()),
    }
}

fn list(chance: &mut Chance, kind: Kind, ground: Ground) -> String {
    let count = chance.between(0, 4);
    let items: Vec<String> = (0..count)
        .map(|_| {
            let item = value(chance, kind, ground);
            let needs_quotes = item.contains([',', '(', ')', '"', '\\']) || item.is_empty();
            if needs_quotes || chance.percent(30) { quoted(&item) } else { item }
        })
        .collect();
    format!("in.({})", items.join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn negated(chance: &mut Chance, operation: String) -> String {
    if chance.percent(12) { format!("not.{operation}") } else { operation }
}
