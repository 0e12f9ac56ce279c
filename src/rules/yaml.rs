//! What does the text say, as lists, maps and scalars with their places?
//!
//! The only file that knows the YAML library. It pulls events and stops at the
//! first one that goes too far, so that memory and time are bounded whatever
//! the text is. Anchors, aliases, tags and merge keys are refused: rules are
//! read by people, and each of these lets a line mean something written
//! elsewhere. Scalars stay text; what a field makes of it is the field's affair.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::mistake::{Findings, Place, Spot, clipped, quoted};

/// Largest file, in bytes. A thousand rules with comments take a fifth of it.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting. The format itself needs six levels.
const DEPTH_MAX: usize = 32;

/// How much of a text is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In bytes.
    bytes: usize,
    /// Lists, maps and scalars together.
    nodes: usize,
}

/// People write rules: a thousand of them with fifty values each.
pub(super) const RULES: Bounds = Bounds { bytes: FILE_BYTES_MAX, nodes: 50_000 };

/// Larder writes what it learned: ten thousand tables of twenty columns.
pub(super) const LEARNED: Bounds = Bounds { bytes: SCHEMA_FILE_BYTES_MAX, nodes: 1_000_000 };

/// Largest schema.yaml, in bytes: half of what its most nodes may be.
pub const SCHEMA_FILE_BYTES_MAX: usize = 16 << 20;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    /// Text as written, without quotes. `plain` if there were none.
    Scalar { text: String, plain: bool },
    /// `- a`, or `[a, b]`.
    List(Vec<Node>),
    /// `a: b`, or `{ a: b }`, in the order of the file; no key occurs twice.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Node,
}

/// A list or map whose end has not come yet.
enum Open {
    List { place: Place, items: Vec<Node> },
    Map { place: Place, entries: Vec<Entry>, seen: HashMap<String, usize>, key: Option<(String, Place)> },
}

/// Reads the one document of a text; `None` if it cannot be read to its end.
/// Duplicate keys are told and the first of them kept.
pub(super) fn read(text: &str, bounds: &Bounds, findings: &mut Findings<'_>) -> Option<Node> {
    if !is_readable(text, bounds, findings) {
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        Reader { open: Vec::new(), root: None, nodes: 0, nodes_max: bounds.nodes, documents: 0, findings };
    let mut events = Parser::new(StrInput::new(text));
    while let Some(event) = events.next_event() {
        match event {
            Ok((event, span)) => reader.take(event, span)?,
            Err(error) => {
                let place =
                    Place { line: error.marker().line(), column: error.marker().col() + 1, length: 1 };
                reader.tell(place, &format!("not YAML: {}", error.info()), None);
                return None;
            }
        }
    }
    let empty = || Node {
        place: Place { line: 1, column: 1, length: 1 },
        value: Value::Scalar { text: String::new(), plain: true },
    };
    Some(reader.root.unwrap_or_else(empty))
}

/// Refuses what no rules file contains, before any of it is parsed.
fn is_readable(text: &str, bounds: &Bounds, findings: &mut Findings<'_>) -> bool {
    let first = Spot { path: String::new(), place: Place { line: 1, column: 1, length: 1 } };
    if text.len() > bounds.bytes {
        let message = format!("the file has {} bytes; at most {} are read", text.len(), bounds.bytes);
        findings.mistake(&first, message);
        return false;
    }
    for (index, line) in text.split('\n').enumerate() {
        let at = |column: usize| Spot {
            path: String::new(),
            place: Place { line: index + 1, column: column + 1, length: 1 },
        };
        // A NUL would end the text for the parser and silently hide the rest.
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some((column, bad)) = line.chars().enumerate().find(|(_, c)| c.is_control() && *c != '\t') {
            findings.mistake(&at(column), format!("the control character {}", quoted(&bad.to_string())));
            return false;
        }
        let mut indent = line.chars().take_while(|c| c.is_whitespace());
        if let Some(column) = indent.position(|c| c == '\t') {
            findings.mistake_with_hint(&at(column), "a tab cannot indent", "use spaces");
            return false;
        }
    }
    true
}

struct Reader<'f, 't> {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    nodes_max: usize,
    documents: usize,
    findings: &'f mut Findings<'t>,
}

impl Reader<'_, '_> {
    /// Takes one event; `None` when reading must end here.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let place = place(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.stop(place, "a second document", "put all rules into one document");
                }
                Some(())
            }
            Event::Alias(_) => self.refuse_anchor(place),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                self.refuse_anchor(place)
            }
            Event::Scalar(_, _, _, Some(tag))
            | Event::SequenceStart(_, Some(tag))
            | Event::MappingStart(_, Some(tag)) => {
                let message = format!("the tag {}: tags are not supported", quoted(&tag.to_string()));
                self.stop(place, &message, "write the value alone")
            }
            Event::Scalar(text, style, _, None) => {
                self.scalar(text.into_owned(), style == ScalarStyle::Plain, place)
            }
            Event::SequenceStart(_, None) => self.begin(Open::List { place, items: Vec::new() }, place),
            Event::MappingStart(_, None) => {
                self.begin(Open::Map { place, entries: Vec::new(), seen: HashMap::new(), key: None }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn scalar(&mut self, text: String, plain: bool, place: Place) -> Option<()> {
        self.count(place)?;
        let awaits_key = matches!(self.open.last(), Some(Open::Map { key: None, .. }));
        if awaits_key && plain && text == "<<" {
            return self.stop(place, "merge keys are not supported", "write the fields out");
        }
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some((text, place));
            return Some(());
        }
        self.add(Node { place, value: Value::Scalar { text, plain } });
        Some(())
    }

    fn begin(&mut self, open: Open, place: Place) -> Option<()> {
        self.count(place)?;
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return self.stop(place, "a list or map as a key", "a key is a word");
        }
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return self.stop(place, &message, "no rule needs more than six");
        }
        self.open.push(open);
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let node = match self.open.pop()? {
            Open::List { place, items } => Node { place, value: Value::List(items) },
            Open::Map { place, entries, .. } => Node { place, value: Value::Map(entries) },
        };
        self.add(node);
        Some(())
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node) {
        if let Some(first) = self.first_line_of_key() {
            self.tell_twice(first);
            return;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => {
                let Some((key, key_place)) = key.take() else { return };
                seen.insert(key.clone(), key_place.line);
                entries.push(Entry { key, key_place, value: node });
            }
        }
    }

    /// The line in which the key of the value at hand stood before, if it did.
    fn first_line_of_key(&self) -> Option<usize> {
        match self.open.last()? {
            Open::Map { seen, key: Some((key, _)), .. } => seen.get(key).copied(),
            Open::Map { key: None, .. } | Open::List { .. } => None,
        }
    }

    /// Refuses a second value for a key, and forgets it.
    fn tell_twice(&mut self, first: usize) {
        let path = self.path();
        let Some(Open::Map { key, .. }) = self.open.last_mut() else { return };
        let Some((key, place)) = key.take() else { return };
        let message = format!("{} is given twice, first in line {first}", quoted(&key));
        self.findings.mistake_with_hint(&Spot { path, place }, message, "keep one of them");
    }

    fn count(&mut self, place: Place) -> Option<()> {
        self.nodes += 1;
        if self.nodes > self.nodes_max {
            let message = format!("more than {} values", self.nodes_max);
            return self.stop(place, &message, "let one rule with a glob stand for many");
        }
        Some(())
    }

    fn refuse_anchor(&mut self, place: Place) -> Option<()> {
        self.stop(place, "anchors and aliases are not supported", "write the value out")
    }

    fn stop(&mut self, place: Place, message: &str, hint: &str) -> Option<()> {
        self.tell(place, message, Some(hint));
        None
    }

    fn tell(&mut self, place: Place, message: &str, hint: Option<&str>) {
        let spot = Spot { path: self.path(), place };
        match hint {
            Some(hint) => self.findings.mistake_with_hint(&spot, message, hint),
            None => self.findings.mistake(&spot, message),
        }
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::List { items, .. } => path.push_str(&format!("[{}]", items.len())),
                Open::Map { key: Some((key, _)), .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&clipped(key));
                }
                Open::Map { key: None, .. } => {}
            }
        }
        path
    }
}

fn place(span: Span) -> Place {
    let length = if span.start.line() == span.end.line() { span.len().max(1) } else { usize::MAX };
    Place { line: span.start.line(), column: span.start.col() + 1, length }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Scalar { text, plain: true } => text.clone(),
            Value::Scalar { text, plain: false } => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let entries = entries.iter().map(|entry| format!("{}={}", entry.key, shown(&entry.value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn scalars_stay_text() {
        for (text, tree) in [
            ("", ""),
            ("# nothing\n", ""),
            ("a: 1\nb: 010\nc: no\nd: ~\n", "{a=1 b=010 c=no d=~}"),
            ("a: 'no'\nb: \"x\\ty\"\n", "{a=\"no\" b=\"x\\ty\"}"),
            ("[a, [b], {c: d}]", "[a [b] {c=d}]"),
            ("- a\n-\n  - b\n", "[a [b]]"),
            ("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{a=\"one\\ntwo\\n\" b=\"one two\"}"),
            ("\u{feff}---\na: b # comment\n...\n", "{a=b}"),
            ("'<<': a\n", "{<<=a}"),
        ] {
            let mut findings = Findings::new(text);
            let tree_read = read(text, &RULES, &mut findings).map(|root| shown(&root));
            assert_eq!(tree_read.as_deref(), Some(tree), "{text:?} {:?}", findings.into_mistakes());
        }
    }

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let text = "\u{feff}é: [x, 'yz']\n";
        let root = read(text, &RULES, &mut Findings::new(text)).unwrap();
        let Value::Map(entries) = &root.value else { panic!("a map") };
        assert_eq!(entries[0].key_place, Place { line: 1, column: 1, length: 1 });
        let Value::List(items) = &entries[0].value.value else { panic!("a list") };
        assert_eq!(items[0].place, Place { line: 1, column: 5, length: 1 });
        assert_eq!(items[1].place, Place { line: 1, column: 8, length: 4 });
    }
}
