//! How are header lines kept?
//!
//! Each as the length of its name, the length of its value, its name and its value.

use bytes::{Buf, Bytes};
use http::{HeaderName, HeaderValue};

use super::{Unreadable, Unwritable};

/// What a line costs beside its name and value.
const LENGTHS: usize = 4;

pub(super) fn write(headers: &[(HeaderName, HeaderValue)], into: &mut Vec<u8>) -> Result<(), Unwritable> {
    for (name, value) in headers {
        for length in [name.as_str().len(), value.len()] {
            let length = u16::try_from(length).map_err(|_too_long| Unwritable::TooLarge)?;
            into.extend_from_slice(&length.to_be_bytes());
        }
        into.extend_from_slice(name.as_str().as_bytes());
        into.extend_from_slice(value.as_bytes());
    }
    Ok(())
}

/// Values are slices of what was handed in.
pub(super) fn read(mut bytes: Bytes, count: u16) -> Result<Vec<(HeaderName, HeaderValue)>, Unreadable> {
    let count = usize::from(count);
    if count * LENGTHS > bytes.len() {
        return Err(Unreadable::Malformed);
    }
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        if bytes.len() < LENGTHS {
            return Err(Unreadable::Malformed);
        }
        let (name, value) = (usize::from(bytes.get_u16()), usize::from(bytes.get_u16()));
        if bytes.len() < name + value {
            return Err(Unreadable::Malformed);
        }
        let name = HeaderName::from_bytes(&bytes.split_to(name));
        let value = HeaderValue::from_maybe_shared(bytes.split_to(value));
        match (name, value) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => return Err(Unreadable::Malformed),
        }
    }
    if bytes.is_empty() { Ok(headers) } else { Err(Unreadable::Malformed) }
}
