//! How is a command said over HTTP?
//!
//! As a JSON array, where all of it is text. JSON has no bytes: one argument that is not text
//! travels as the body of the request, and the others in its path and query, as Upstash's REST
//! API has it for binary values. Two such arguments cannot be said.

use ::redis::{Arg, Cmd};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::silence::{Refusal, Silence};

/// All but what a path and a query may hold anywhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is posted, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Path and query, from its slash.
    pub(super) path: String,
    pub(super) body: Bytes,
}

pub(super) fn say(command: &Cmd) -> Result<Said, Silence> {
    let arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(argument) => Some(argument),
        _cursor => None,
    });
    let arguments = arguments.collect::<Vec<_>>();
    let texts = arguments.iter().map(|argument| str::from_utf8(argument).ok()).collect::<Vec<_>>();
    let mut bytes = texts.iter().enumerate().filter(|(_, text)| text.is_none());
    match (bytes.next(), bytes.next()) {
        (None, _) => {
            let body = serde_json::to_vec(&texts).map_err(|_cannot_happen| Silence::Broken)?;
            Ok(Said { path: "/".to_owned(), body: body.into() })
        }
        (Some((place, _)), None) => with_body(&arguments, &texts, place),
        (Some(_), Some(_)) => Err(Silence::Refused(Refusal::Unable)),
    }
}

/// `POST /set/key?PX=1000`, the value as the body. What stands behind the value comes in pairs.
fn with_body(arguments: &[&[u8]], texts: &[Option<&str>], place: usize) -> Result<Said, Silence> {
    let unable = Silence::Refused(Refusal::Unable);
    let (before, behind) = (&texts[..place], &texts[place + 1..]);
    if behind.len() % 2 != 0 || before.is_empty() {
        return Err(unable);
    }
    let mut path = String::new();
    for text in before.iter().flatten() {
        // a segment of dots alone means another one
        if text.is_empty() || text.bytes().all(|byte| byte == b'.') {
            return Err(unable);
        }
        path.push('/');
        path.extend(utf8_percent_encode(text, ENCODED));
    }
    for (number, pair) in behind.chunks(2).enumerate() {
        let [Some(name), Some(value)] = pair else { return Err(unable) };
        path.push(if number == 0 { '?' } else { '&' });
        path.extend(utf8_percent_encode(name, ENCODED));
        path.push('=');
        path.extend(utf8_percent_encode(value, ENCODED));
    }
    Ok(Said { path, body: Bytes::copy_from_slice(arguments[place]) })
}

#[cfg(test)]
mod tests {
    use ::redis::cmd;

    use super::*;

    #[test]
    fn text_is_json_and_one_binary_value_is_the_body() {
        let mut set = cmd("SET");
        set.arg("a\"b").arg("ü").arg("PX").arg(5);
        let said = say(&set).unwrap();
        assert_eq!((said.path.as_str(), &said.body[..]), ("/", r#"["SET","a\"b","ü","PX","5"]"#.as_bytes()));

        let mut set = cmd("SET");
        set.arg("ns:list:a/b?#{x}").arg(&b"\xff\0"[..]).arg("PX").arg(1_000);
        let said = say(&set).unwrap();
        assert_eq!(said.path, "/SET/ns%3Alist%3Aa%2Fb%3F%23%7Bx%7D?PX=1000");
        assert_eq!(&said.body[..], b"\xff\0");
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let bytes = &b"\xff"[..];
        let mut two = cmd("MSET");
        two.arg("a").arg(bytes).arg("b").arg(bytes);
        let mut alone = cmd("SET");
        alone.arg("a").arg(bytes).arg("NX");
        let mut dots = cmd("SET");
        dots.arg("..").arg(bytes);
        for command in [two, alone, dots] {
            assert_eq!(say(&command), Err(Silence::Refused(Refusal::Unable)));
        }
    }
}
