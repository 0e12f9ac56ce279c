//! What does a token's JSON say, exactly?
//!
//! Numbers stay as they were written: two ids that differ in their twentieth
//! digit are two ids, to PostgREST and here. A name that stands twice is
//! refused, because readers differ on which one counts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep claims may nest. Supabase's nest three levels; every level is read once more.
const DEPTH_MAX: usize = 32;

/// The claims of a token, by name.
pub type Claims = BTreeMap<String, Claim>;

/// One value in a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Claim {
    /// Present, and nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// Text, its escapes decoded.
    Text(String),
    /// Values in their order.
    List(Vec<Claim>),
    /// Values by name.
    Map(Claims),
}

/// What is wrong with a token's JSON. Nothing of its content is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Claim {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// A single value as people would write it; `None` for null, lists and maps.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(Cow::Borrowed(text)),
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The seconds, if it is a whole number that is written as one.
    pub(super) fn as_seconds(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Adds this value to a hash, so that only equal values give equal hashes.
    pub(super) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        match self {
            Self::Null => hash_part(hasher, b'0', &[]),
            Self::Bool(truth) => hash_part(hasher, b'b', &[u8::from(*truth)]),
            Self::Number(number) => hash_part(hasher, b'n', number.as_bytes()),
            Self::Text(text) => hash_part(hasher, b't', text.as_bytes()),
            Self::List(values) => {
                hash_part(hasher, b'l', &(values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| value.hash_into(hasher));
            }
            Self::Map(values) => {
                hash_part(hasher, b'm', &(values.len() as u64).to_le_bytes());
                for (name, value) in values {
                    hash_part(hasher, b'k', name.as_bytes());
                    value.hash_into(hasher);
                }
            }
        }
    }
}

/// Adds one part with its kind and length before it, so that no two lists of parts run together.
pub(super) fn hash_part(hasher: &mut blake3::Hasher, kind: u8, bytes: &[u8]) {
    hasher.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}

/// Which kind of value it is, and nothing of the value: claims are about people.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool(…)",
            Self::Number(_) => "Number(…)",
            Self::Text(_) => "Text(…)",
            Self::List(_) => "List(…)",
            Self::Map(_) => "Map(…)",
        })
    }
}

/// Reads a JSON object with all that is in it.
pub(super) fn read_claims(json: &[u8]) -> Result<Claims, Unreadable> {
    let Object(members) = serde_json::from_slice(json).map_err(|_| Unreadable)?;
    read_members(members, DEPTH_MAX)
}

/// Reads the members of a JSON object without looking into them.
pub(super) fn read_object(json: &[u8]) -> Result<Vec<(String, &RawValue)>, Unreadable> {
    let Object(members) = serde_json::from_slice(json).map_err(|_| Unreadable)?;
    Ok(members)
}

fn read_members(members: Vec<(String, &RawValue)>, depth: usize) -> Result<Claims, Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable)?;
    members.into_iter().map(|(name, value)| Ok((name, read_value(value.get(), depth)?))).collect()
}

fn read_value(json: &str, depth: usize) -> Result<Claim, Unreadable> {
    Ok(match json.as_bytes().first() {
        Some(b'{') => {
            let Object(members) = parse(json)?;
            Claim::Map(read_members(members, depth)?)
        }
        Some(b'[') => {
            let depth = depth.checked_sub(1).ok_or(Unreadable)?;
            let values: Vec<&RawValue> = parse(json)?;
            let values = values.into_iter().map(|value| read_value(value.get(), depth));
            Claim::List(values.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Claim::Text(parse(json)?),
        Some(b'n') => Claim::Null,
        Some(b't' | b'f') => Claim::Bool(parse(json)?),
        Some(_) => Claim::Number(json.to_owned()),
        None => return Err(Unreadable),
    })
}

fn parse<'j, T: Deserialize<'j>>(json: &'j str) -> Result<T, Unreadable> {
    serde_json::from_str(json).map_err(|_| Unreadable)
}

/// An object whose names are all different.
struct Object<'j>(Vec<(String, &'j RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut seen = std::collections::HashSet::new();
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a name stands twice"));
            }
            members.push((name, value));
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(json: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        Claim::Map(read_claims(json.as_bytes()).unwrap()).hash_into(&mut hasher);
        hasher.finalize()
    }

    #[test]
    fn what_is_written_differently_and_means_the_same_is_the_same() {
        for (one, other) in [
            (r#"{"a":1,"b":2}"#, r#" { "b" : 2 , "a" : 1 } "#),
            (r#"{"a":{"x":1,"y":[1,2]}}"#, r#"{"a":{"y":[1, 2],"x":1}}"#),
            (r#"{"a":"A\n/"}"#, r#"{"\u0061":"\u0041\u000a\/"}"#),
        ] {
            assert_eq!(read_claims(one.as_bytes()), read_claims(other.as_bytes()));
            assert_eq!(digest(one), digest(other), "{one} {other}");
        }
    }

    #[test]
    fn what_means_something_else_is_something_else() {
        let all = [
            r#"{}"#,
            r#"{"a":null}"#,
            r#"{"a":false}"#,
            r#"{"a":0}"#,
            r#"{"a":-0}"#,
            r#"{"a":0.0}"#,
            r#"{"a":"0"}"#,
            r#"{"a":""}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":[[]]}"#,
            r#"{"a":[0]}"#,
            r#"{"a":["a","b"]}"#,
            r#"{"a":["b","a"]}"#,
            r#"{"a":["a,b"]}"#,
            r#"{"a":18446744073709551617}"#,
            r#"{"a":18446744073709551618}"#,
            r#"{"a":1e3}"#,
            r#"{"a":1000}"#,
            r#"{"a":"x","b":"y"}"#,
            r#"{"a":"x\",\"b\":\"y"}"#,
            r#"{"ab":"x"}"#,
            r#"{"a":{"b":"x"}}"#,
            "{\"a\":\"\u{e9}\"}",
            "{\"a\":\"e\u{301}\"}",
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(read_claims(one.as_bytes()), read_claims(other.as_bytes()), "{one} {other}");
                assert_ne!(digest(one), digest(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_readers_may_read_differently_is_not_read() {
        let deep = |levels| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let long = |levels| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        for (json, good) in [
            (deep(DEPTH_MAX), true),
            (deep(DEPTH_MAX + 1), false),
            (deep(2_000), false),
            (long(DEPTH_MAX - 1), true),
            (long(DEPTH_MAX), false),
            (long(10_000), false),
            (r#"{"a":1,"a":1}"#.into(), false),
            (r#"{"a":1,"\u0061":2}"#.into(), false),
            (r#"{"x":{"a":1,"a":2}}"#.into(), false),
            (r#"{"x":[{"a":1,"a":2}]}"#.into(), false),
            (r#"{"x":"\ud800"}"#.into(), false),
            (r#"{"x":01}"#.into(), false),
            (r#"{"x":+1}"#.into(), false),
            (r#"{"x":NaN}"#.into(), false),
            (r#"{"x":nul}"#.into(), false),
            (r#"{"x":1,}"#.into(), false),
            (r#"{"x":1} x"#.into(), false),
            (r#"[{"x":1}]"#.into(), false),
            ("\u{feff}{}".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(read_claims(json.as_bytes()).is_ok(), good, "{:.60}", json);
        }
        assert!(read_claims(b"{\"a\":\"\xff\"}").is_err(), "UTF-8 only");
    }

    #[test]
    fn seconds_are_whole_numbers() {
        for (json, expected) in [
            ("1", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e400", None),
            ("1e3", None),
            ("1.0", None),
            ("-1", None),
            ("\"1\"", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(read_value(json, 3).unwrap().as_seconds(), expected, "{json}");
        }
    }
}
