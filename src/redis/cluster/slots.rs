//! Which slot of a cluster has a key, and which server has a slot?

use ::redis::Value;

use super::super::address::Place;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// The slot of a key.
pub(super) fn slot(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS
}

/// The part of a key that says where it is, if it has one of its own: `{…}`, not empty.
pub(super) fn tag(key: &[u8]) -> Option<&[u8]> {
    let behind = &key[memchr::memchr(b'{', key)? + 1..];
    let length = memchr::memchr(b'}', behind)?;
    (length > 0).then(|| &behind[..length])
}

/// CRC-16/XMODEM, as Redis Cluster has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// Slots that follow one another and have one leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) leader: (String, u16),
}

/// Reads the answer to `CLUSTER SLOTS`, in the order of slots. A leader that does not know its own
/// host is where the question went.
pub(super) fn ranges(answer: Value, asked: &Place) -> Option<Vec<Range>> {
    let Value::Array(rows) = answer else { return None };
    let mut ranges = rows.into_iter().map(|row| range(row, asked)).collect::<Option<Vec<_>>>()?;
    ranges.sort_by_key(|range| range.first);
    Some(ranges)
}

fn range(row: Value, asked: &Place) -> Option<Range> {
    let Value::Array(parts) = row else { return None };
    let mut parts = parts.into_iter();
    let (first, last) = (number(&parts.next()?)?, number(&parts.next()?)?);
    let Value::Array(leader) = parts.next()? else { return None };
    let mut leader = leader.into_iter();
    let host = match leader.next()? {
        Value::BulkString(host) => String::from_utf8(host).ok()?,
        Value::Nil => String::new(),
        _ => return None,
    };
    let port = number(&leader.next()?)?;
    let host = match (host.as_str(), asked) {
        ("" | "?", Place::Tcp(own, _)) => own.clone(),
        _ => host,
    };
    (first <= last && last < SLOTS).then_some(Range { first, last, leader: (host, port) })
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // from the cluster specification, and `redis-cli cluster keyslot`
        for (key, expected) in [
            ("123456789", 0x31C3),
            ("foo", 12182),
            ("bar", 5061),
            ("", 0),
            ("{foo}anything", 12182),
            ("any{foo}{bar}", 12182),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("{user1000}.following", 3443),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn ranges_are_read_and_nonsense_is_not() {
        let text = |text: &str| Value::BulkString(text.into());
        let leader = |host: Value, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let row = |first, last, leader| Value::Array(vec![Value::Int(first), Value::Int(last), leader]);
        let asked = Place::Tcp("asked".to_owned(), 1);
        let answer =
            Value::Array(vec![row(100, 16_383, leader(text("b"), 2)), row(0, 99, leader(Value::Nil, 1))]);
        let read = ranges(answer, &asked).unwrap();
        let expected = [(0, 99, "asked", 1), (100, 16_383, "b", 2)].map(|(first, last, host, port)| Range {
            first,
            last,
            leader: (host.to_owned(), port),
        });
        assert_eq!(read, expected);
        for nonsense in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![row(0, 16_384, leader(text("a"), 1))]),
            Value::Array(vec![row(2, 1, leader(text("a"), 1))]),
            Value::Array(vec![row(0, 1, leader(text("a"), 99_999))]),
            Value::Array(vec![row(0, 1, Value::Array(vec![]))]),
        ] {
            assert!(ranges(nonsense.clone(), &asked).is_none(), "{nonsense:?}");
        }
    }
}
