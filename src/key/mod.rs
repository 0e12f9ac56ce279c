//! Naming an answer: what people call it, what keeps it apart, what it depends on.
//!
//! A [`Key`] is for people and for invalidation and may be as coarse as its
//! author likes. A [`Fingerprint`] is what keeps two different answers apart:
//! it is computed from a [`Question`], and the upstream request of a cacheable
//! read is built from that same question, so that nothing unkeyed can get in.
//! A [`Tag`] is anything an answer depends on. Nothing here does I/O.

mod escape;
mod fingerprint;
mod fold;
mod glob;
mod label;
mod lock_name;
mod operation;
mod pattern;
mod scope;
mod tag;
mod template;

pub use escape::escape;
pub use fingerprint::{Fingerprint, Question, Terms};
pub use glob::{KeyGlob, KeyGlobMistake};
pub use label::{Label, Labels};
pub use lock_name::{LockName, LockNameMistake};
pub use operation::OperationName;
pub use pattern::{Pattern, PatternMistake};
pub use scope::Scope;
pub use tag::{Table, Tag};
pub use template::{Piece, Placeholder, Template, TemplateMistake};

use std::fmt;
use std::sync::Arc;

/// Longest key kept as written, in bytes. A longer one ends in a digest of
/// itself: keys are for people to read, and nobody reads further.
const KEY_BYTES_MAX: usize = 200;

/// The name of an answer, `namespace:template`, as people read and purge it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// Names an answer; both parts are already escaped.
    pub fn new(namespace: &str, rendered: &str) -> Self {
        Self::of(&[namespace, ":", rendered].concat())
    }

    /// The same, of both parts with the colon between them.
    pub fn of(whole: &str) -> Self {
        if whole.len() <= KEY_BYTES_MAX {
            return Self(whole.into());
        }
        let digest = blake3::hash(whole.as_bytes()).to_hex();
        let cut = whole.floor_char_boundary(KEY_BYTES_MAX - 33);
        Self(format!("{}~{}", &whole[..cut], &digest[..32]).into())
    }

    /// What stands before its first colon.
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(namespace, _)| namespace)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
