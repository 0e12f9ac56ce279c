//! Which slots does a command need?

use ::redis::{Arg, Cmd, Value, cmd};

use super::super::silence::Silence;
use super::slots::{slot, tag};

/// Where a command has to go.
pub(super) enum Route {
    /// Any server will do.
    Anywhere,
    /// The one that has this slot.
    To(Seat),
    /// Several, each with a part of it.
    Split(Vec<Part>, Joined),
}

/// A slot, and whether a `{tag}` led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) slot: u16,
    pub(super) is_tagged: bool,
}

/// What one slot has to do with a command about several.
pub(super) struct Part {
    pub(super) seat: Seat,
    pub(super) command: Cmd,
    /// Which keys of the whole these are.
    places: Vec<usize>,
}

/// How the answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// One value for each key.
    Values,
    /// How many keys it was done to.
    Sum,
}

/// Reads a command as far as is needed.
pub(super) fn route(command: &Cmd) -> Route {
    let name = argument(command, 0).unwrap_or_default().to_ascii_uppercase();
    let key = match name.as_slice() {
        b"MGET" => return several(command, "MGET", Joined::Values),
        b"UNLINK" => return several(command, "UNLINK", Joined::Sum),
        b"DEL" => return several(command, "DEL", Joined::Sum),
        b"EXISTS" => return several(command, "EXISTS", Joined::Sum),
        b"PING" | b"INFO" | b"CONFIG" | b"CLUSTER" | b"SCRIPT" | b"TIME" | b"DBSIZE" | b"SCAN" => None,
        b"EVAL" | b"EVALSHA" => argument(command, 3).filter(|_| argument(command, 2) != Some(b"0")),
        _ => argument(command, 1),
    };
    key.map_or(Route::Anywhere, |key| Route::To(seat(key)))
}

pub(super) fn seat(key: &[u8]) -> Seat {
    Seat { slot: slot(key), is_tagged: tag(key).is_some() }
}

fn argument(command: &Cmd, place: usize) -> Option<&[u8]> {
    match command.args_iter().nth(place)? {
        Arg::Simple(argument) => Some(argument),
        _cursor => None,
    }
}

fn several(command: &Cmd, name: &'static str, joined: Joined) -> Route {
    let keys = command.args_iter().skip(1).filter_map(|argument| match argument {
        Arg::Simple(key) => Some(key),
        _cursor => None,
    });
    let mut parts: Vec<Part> = Vec::new();
    for (place, key) in keys.enumerate() {
        let seat = seat(key);
        let known = parts.iter().position(|part| part.seat.slot == seat.slot);
        let at = known.unwrap_or(parts.len());
        if known.is_none() {
            parts.push(Part { seat, command: cmd(name), places: Vec::new() });
        }
        let part = &mut parts[at];
        part.seat.is_tagged |= seat.is_tagged;
        part.command.arg(key);
        part.places.push(place);
    }
    match parts.as_slice() {
        [] => Route::Anywhere,
        [part] => Route::To(part.seat),
        _ => Route::Split(parts, joined),
    }
}

impl Joined {
    /// One answer from those to the parts.
    pub(super) fn join(self, parts: &[Part], answers: Vec<Value>) -> Result<Value, Silence> {
        match self {
            Self::Values => {
                let mut values = vec![Value::Nil; parts.iter().map(|part| part.places.len()).sum()];
                for (part, answer) in parts.iter().zip(answers) {
                    let Value::Array(answer) = answer else { return Err(Silence::Broken) };
                    if answer.len() != part.places.len() {
                        return Err(Silence::Broken);
                    }
                    for (&place, value) in part.places.iter().zip(answer) {
                        values[place] = value;
                    }
                }
                Ok(Value::Array(values))
            }
            Self::Sum => answers
                .iter()
                .try_fold(0_i64, |sum, answer| match answer {
                    Value::Int(count) => Ok(sum.saturating_add(*count)),
                    _ => Err(Silence::Broken),
                })
                .map(Value::Int),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Route {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        route(&command)
    }

    #[test]
    fn a_command_goes_where_its_key_is() {
        for words in [
            &["GET", "foo"][..],
            &["set", "foo", "bar", "PX", "5"],
            &["EVALSHA", "abc", "1", "foo", "argument"],
            &["EVAL", "return 1", "2", "foo", "{foo}2"],
            &["PUBLISH", "foo", "said"],
            &["UNLINK", "foo"],
            &["MGET", "foo", "{foo}1"],
        ] {
            assert!(matches!(of(words), Route::To(Seat { slot: 12182, .. })), "{words:?}");
        }
        for words in [&["PING"][..], &["INFO", "server"], &["EVAL", "return 1", "0", "foo"], &["MGET"]] {
            assert!(matches!(of(words), Route::Anywhere), "{words:?}");
        }
    }

    #[test]
    fn keys_of_several_slots_are_asked_for_apart_and_answered_in_order() {
        let Route::Split(parts, joined) = of(&["MGET", "{foo}1", "bar", "{foo}2"]) else {
            panic!("two slots")
        };
        let seats = parts.iter().map(|part| part.seat).collect::<Vec<_>>();
        let seat = |slot, is_tagged| Seat { slot, is_tagged };
        assert_eq!(seats, [seat(12182, true), seat(5061, false)]);
        let value = |number| Value::Int(number);
        let answers = vec![Value::Array(vec![value(1), value(3)]), Value::Array(vec![value(2)])];
        assert_eq!(joined.join(&parts, answers).unwrap(), Value::Array(vec![value(1), value(2), value(3)]));
        let short = vec![Value::Array(vec![value(1)]), Value::Array(vec![value(2)])];
        assert_eq!(joined.join(&parts, short), Err(Silence::Broken));
        assert_eq!(joined.join(&parts, vec![value(1), value(2)]), Err(Silence::Broken));

        let Route::Split(parts, joined) = of(&["UNLINK", "foo", "bar"]) else { panic!("two slots") };
        assert_eq!(joined.join(&parts, vec![value(1), value(2)]).unwrap(), value(3));
    }
}
