//! How are the fields of a map taken one by one, so that none goes unnoticed?
//!
//! Every field is asked for by name; [`Fields::close`] then tells about each
//! key that nobody asked for: one that later work brings, a slip of the pen,
//! or a stranger.

use serde::{Serialize, Serializer};

use super::mistake::{Findings, Spot, clipped, quoted};
use super::yaml::{Entry, Node, Value};

/// Longest unknown name that is compared with the known ones, in bytes.
const COMPARED_BYTES_MAX: usize = 40;

/// A value and where it stood. Two files that differ in places only say the same.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// A map whose fields are being read.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub(super) spot: Spot,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a map; tells if it is none.
    pub(super) fn open(node: &'n Node, path: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let entries = entries(node, path, findings)?;
        // A block map has no bracket to point at, so its first key stands for it.
        let place = entries.first().map_or(node.place, |entry| entry.key_place);
        Some(Self { spot: Spot { path: path.into(), place }, entries, asked: Vec::new() })
    }

    /// The value of a field, if it is there, and its path.
    pub(super) fn node(&mut self, name: &'static str) -> Option<(&'n Node, String)> {
        self.asked.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some((&entry.value, join(&self.spot.path, name)))
    }

    /// Is the field there, whatever its value?
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == name)
    }

    /// The field's text.
    pub(super) fn text(&mut self, name: &'static str, findings: &mut Findings<'_>) -> Option<At<String>> {
        let (node, path) = self.node(name)?;
        text(node, &path, findings)
    }

    /// The field's `true` or `false`; absent is `false`.
    pub(super) fn flag(&mut self, name: &'static str, findings: &mut Findings<'_>) -> bool {
        self.flag_or(name, false, findings)
    }

    /// The field's `true` or `false`, or what it is without it.
    pub(super) fn flag_or(&mut self, name: &'static str, default: bool, findings: &mut Findings<'_>) -> bool {
        let Some((node, path)) = self.node(name) else { return default };
        match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => true,
            Value::Scalar { text, plain: true } if text == "false" => false,
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                let spot = Spot { path, place: node.place };
                findings.mistake(&spot, format!("`{name}` is `true` or `false`"));
                default
            }
        }
    }

    /// Tells about every field that nobody asked for.
    pub(super) fn close(self, findings: &mut Findings<'_>) {
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let path = join(&self.spot.path, &entry.key);
            let spot = Spot { path, place: entry.key_place };
            let hint = did_you_mean(&entry.key, self.asked.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", self.asked.join(", ")));
            findings.mistake_with_hint(&spot, format!("unknown field {}", quoted(&entry.key)), hint);
        }
    }
}

/// The entries of a map; tells if the value is none.
pub(super) fn entries<'n>(node: &'n Node, path: &str, findings: &mut Findings<'_>) -> Option<&'n [Entry]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        Value::Scalar { .. } | Value::List(_) => {
            tell_kind(node, path, "a map, `name: value`", findings);
            None
        }
    }
}

/// The items of a list with their paths; tells if the value is none.
pub(super) fn items<'n>(
    node: &'n Node,
    path: &str,
    findings: &mut Findings<'_>,
) -> Option<Vec<(&'n Node, String)>> {
    match &node.value {
        Value::List(items) => {
            let paths = (0..items.len()).map(|index| format!("{path}[{index}]"));
            Some(items.iter().zip(paths).collect())
        }
        Value::Scalar { .. } | Value::Map(_) => {
            tell_kind(node, path, "a list, `[a, b]`", findings);
            None
        }
    }
}

/// The text of a scalar; tells if the value is none or empty without quotes.
pub(super) fn text(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<At<String>> {
    match &node.value {
        Value::Scalar { text, plain } if !is_nothing(text, *plain) => {
            Some(At { value: text.clone(), spot: Spot { path: path.into(), place: node.place } })
        }
        Value::Scalar { .. } => {
            findings.mistake(&Spot { path: path.into(), place: node.place }, "has no value");
            None
        }
        Value::List(_) | Value::Map(_) => {
            tell_kind(node, path, "a text", findings);
            None
        }
    }
}

/// A list of texts. Items that are none are told and left out.
pub(super) fn texts(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Vec<At<String>>> {
    let items = items(node, path, findings)?;
    Some(items.into_iter().filter_map(|(item, path)| text(item, &path, findings)).collect())
}

/// `path.name`, and `name` alone at the top.
pub(super) fn join(path: &str, name: &str) -> String {
    let name = clipped(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// The nearest known name, if one is near enough to be meant.
pub(super) fn did_you_mean<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    if written.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let lower = written.to_lowercase();
    known
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

fn is_nothing(text: &str, plain: bool) -> bool {
    plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn tell_kind(node: &Node, path: &str, wanted: &str, findings: &mut Findings<'_>) {
    let found = match &node.value {
        Value::Scalar { text, plain } if is_nothing(text, *plain) => "nothing",
        Value::Scalar { .. } => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    };
    findings
        .mistake(&Spot { path: path.into(), place: node.place }, format!("expected {wanted}, found {found}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_stranger_is_not() {
        let known = ["match", "namespace", "ttl", "scope"];
        for (written, meant) in [
            ("macth", Some("did you mean `match`?")),
            ("namespce", Some("did you mean `namespace`?")),
            ("TTL", Some("did you mean `ttl`?")),
            ("ttls", Some("did you mean `ttl`?")),
            ("colour", None),
        ] {
            assert_eq!(did_you_mean(written, known.into_iter()).as_deref(), meant, "{written}");
        }
        assert_eq!(did_you_mean(&"x".repeat(1_000_000), known.into_iter()), None);
    }
}
