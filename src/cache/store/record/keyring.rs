//! With which keys are records sealed?
//!
//! The first one seals, all of them open: a new key is put behind the others everywhere, then
//! in front of them, then the old ones are taken away.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::{Unreadable, Unwritable};

/// Bytes that say which key it was.
const ID: usize = 8;

/// What a seal puts in front of what it seals: which key, and a number that was never used before.
pub(super) const SEAL: usize = ID + NONCE_LEN;

/// What a seal puts behind it.
pub(super) const TAG: usize = 16;

/// Bytes of a key.
const KEY: usize = 32;

/// Keys for records.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    name: String,
    id: [u8; ID],
    key: LessSafeKey,
}

/// Why a text is no list of keys. Never repeats a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No key in it.
    #[error("no encryption key (hint: LARDER_ENCRYPTION_KEYS=2026a:BASE64, from `openssl rand -base64 32`)")]
    Empty,
    /// An entry without a name, or without a colon.
    #[error("encryption key number {0} has no name (hint: name:BASE64, several separated by commas)")]
    Unnamed(usize),
    /// Two keys with one name.
    #[error("two encryption keys are called `{0}`")]
    Twice(String),
    /// Not 32 bytes of base64.
    #[error("the encryption key `{0}` is not 32 bytes in base64 (hint: `openssl rand -base64 32`)")]
    Key(String),
}

impl Keyring {
    /// Reads `name:base64,name:base64`.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, entry) in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
            let unnamed = KeyringError::Unnamed(number + 1);
            let (name, key) = entry.split_once(':').ok_or_else(|| unnamed.clone())?;
            if name.is_empty() {
                return Err(unnamed);
            }
            if keys.iter().any(|known| known.name == name) {
                return Err(KeyringError::Twice(name.to_owned()));
            }
            keys.push(Key::new(name, key).ok_or_else(|| KeyringError::Key(name.to_owned()))?);
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Self { keys }) }
    }

    /// Seals the end of a record; what stands before it is sealed with it, though it stays readable.
    pub(super) fn seal(&self, record: &mut Vec<u8>, payload: Vec<u8>) -> Result<(), Unwritable> {
        let key = self.keys.first().ok_or(Unwritable::NoRandomness)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_unspecified| Unwritable::NoRandomness)?;
        record.extend_from_slice(&key.id);
        record.extend_from_slice(&nonce);
        let mut payload = payload;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = key.key.seal_in_place_separate_tag(nonce, Aad::from(&record[..]), &mut payload);
        let tag: Tag = sealed.map_err(|_unspecified| Unwritable::TooLarge)?;
        record.extend_from_slice(&payload);
        record.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what was sealed, in its place. `known` ends with the seal.
    pub(super) fn open(&self, known: &[u8], payload: &mut [u8]) -> Result<(), Unreadable> {
        let seal = known.last_chunk::<SEAL>().ok_or(Unreadable::Cut)?;
        let (id, nonce) = seal.split_at(ID);
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Unreadable::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_unspecified| Unreadable::Cut)?;
        let opened = key.key.open_in_place(nonce, Aad::from(known), payload);
        opened.map(|_plain| ()).map_err(|_unspecified| Unreadable::Forged)
    }
}

impl Key {
    fn new(name: &str, key: &str) -> Option<Self> {
        let key = STANDARD.decode(key).or_else(|_| URL_SAFE_NO_PAD.decode(key)).ok()?;
        let key = UnboundKey::new(&AES_256_GCM, &key).ok().filter(|_| key.len() == KEY)?;
        let id = blake3::hash(name.as_bytes()).as_bytes().first_chunk().copied()?;
        Some(Self { name: name.to_owned(), id, key: LessSafeKey::new(key) })
    }
}

/// By their names alone.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_never_shown() {
        let key = STANDARD.encode([0x5e; KEY]);
        let read = Keyring::parse(&format!("new:{key}, old:{key},")).unwrap();
        assert_eq!(format!("{read:?}"), r#"["new", "old"]"#);
        for (text, error) in [
            (String::new(), KeyringError::Empty),
            (" , ".to_owned(), KeyringError::Empty),
            (key.clone(), KeyringError::Unnamed(1)),
            (format!("a:{key},:{key}"), KeyringError::Unnamed(2)),
            (format!("a:{key},a:{key}"), KeyringError::Twice("a".to_owned())),
            ("a:c2hvcnQ=".to_owned(), KeyringError::Key("a".to_owned())),
            (format!("a:{key}!"), KeyringError::Key("a".to_owned())),
        ] {
            let told = Keyring::parse(&text).unwrap_err();
            assert_eq!(told, error);
            assert!(!format!("{told} {told:?}").contains(&key[..8]));
        }
    }
}
