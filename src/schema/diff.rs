//! What differs between what is known and what the database says now?

use std::collections::BTreeMap;
use std::fmt;

use crate::rules::Learned;

use super::file::written;

/// One line that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The section and the name, as in `views: public.cards`.
    pub place: String,
    /// What is written of it; nothing if it is new.
    pub before: Vec<String>,
    /// What would be written now; nothing if it is gone.
    pub now: Vec<String>,
}

/// Compares what two files would say, line by line, apart from where and when they come from.
pub fn differences(known: &Learned, now: &Learned) -> Vec<Difference> {
    let (before, after) = (entries(&written(known)), entries(&written(now)));
    let mut places: Vec<&String> = before.keys().chain(after.keys()).collect();
    places.sort();
    places.dedup();
    let lines = |entries: &BTreeMap<String, Vec<String>>, place: &String| {
        entries.get(place).cloned().unwrap_or_default()
    };
    let pairs = places.into_iter().map(|place| (place, lines(&before, place), lines(&after, place)));
    pairs
        .filter(|(_, before, now)| before != now)
        .map(|(place, before, now)| Difference { place: place.clone(), before, now })
        .collect()
}

/// Section and name → lines. A file has a name in the third column, and more of it further in.
fn entries(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut section, mut name) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim();
        let key = words.split(": ").next().unwrap_or(words).trim_end_matches(':');
        match indent {
            0 => (section, name) = (key.to_owned(), String::new()),
            2 => name = format!(" {key}"),
            _ => {}
        }
        if ["version", "server", "pulled", "fingerprint"].contains(&section.as_str()) || words.ends_with(':')
        {
            continue;
        }
        entries.entry(format!("{section}:{name}")).or_default().push(words.to_owned());
    }
    entries
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        for line in self.before.iter().filter(|line| !self.now.contains(line)) {
            writeln!(f, "  - {line}")?;
        }
        for line in self.now.iter().filter(|line| !self.before.contains(line)) {
            writeln!(f, "  + {line}")?;
        }
        Ok(())
    }
}
