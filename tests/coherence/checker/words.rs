//! The words of a history: who, what, through which proxy.

use std::fmt;
use std::sync::Arc;

/// Nanoseconds since the checker began: one process, one clock.
pub(crate) type Nanos = u64;
/// Counts the states of one register in the order in which the database committed them.
pub(crate) type Version = u64;
/// Numbers the requests of a run.
pub(crate) type Op = u64;

/// Rows that the clients fight for: few, so that they meet.
pub(crate) const KEYS: u8 = 20;
/// Rows and their children.
pub(crate) const REGISTERS: usize = 2 * KEYS as usize;
/// Who has rows: everybody, and four people.
const OWNERS: u8 = 5;

pub(crate) const MILLI: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000 * MILLI;

/// Something that has versions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Register {
    /// A row of `kv`.
    Row(u8),
    /// Its row of `child`.
    Child(u8),
}

impl Register {
    /// From 0 to `REGISTERS`; also its number in the table `head`.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Row(key) => usize::from(key),
            Self::Child(key) => usize::from(KEYS) + usize::from(key),
        }
    }

    /// The one with this number in the table `head`.
    pub(crate) fn at(index: usize) -> Self {
        let key = |index| u8::try_from(index).expect("a small table");
        if index < usize::from(KEYS) {
            Self::Row(key(index))
        } else {
            Self::Child(key(index - usize::from(KEYS)))
        }
    }

    pub(crate) fn owner(self) -> Who {
        let (Self::Row(key) | Self::Child(key)) = self;
        Who((key + 1) % OWNERS)
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(key) => write!(f, "kv {key}"),
            Self::Child(key) => write!(f, "child of {key}"),
        }
    }
}

/// Who asks, or whose a row is: 0 is everybody's, or signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Who(pub(crate) u8);

impl Who {
    pub(crate) const ANYBODY: Self = Self(0);
    pub(crate) const ALL: [Self; OWNERS as usize] = [Self(0), Self(1), Self(2), Self(3), Self(4)];

    /// As the column `owner` and the claim `sub` say it.
    pub(crate) fn name(self) -> String {
        if self == Self::ANYBODY { "anybody".to_owned() } else { format!("user-{}", self.0) }
    }

    /// One's own rows and everybody's.
    pub(crate) fn may_see(self, register: Register) -> bool {
        register.owner() == Self::ANYBODY || register.owner() == self
    }

    /// What one can see, in the order of its keys.
    pub(crate) fn keys(self) -> impl Iterator<Item = u8> {
        (0..KEYS).filter(move |key| self.may_see(Register::Row(*key)))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// What a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReadKind {
    /// One row, as a list.
    Row,
    /// One row, as supabase-js's `.single()` wants it.
    Single,
    /// Every row that one may see.
    List,
    /// One row with its child.
    Embed,
    /// Every row that one may see, counted.
    Count,
    /// The first three rows, by `Range`.
    Range,
    /// One child.
    Child,
    /// One row, through a function.
    Function,
}

impl ReadKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Single => "single",
            Self::List => "list",
            Self::Embed => "embed",
            Self::Count => "count",
            Self::Range => "range",
            Self::Child => "child",
            Self::Function => "function",
        }
    }
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WriteKind {
    /// One row changes.
    Patch,
    /// Two rows change in one transaction.
    PatchTwo,
    /// A child changes.
    PatchChild,
    /// A row comes or changes.
    Upsert,
    /// A row goes, and its child by cascade.
    Delete,
    /// A row comes, and its child; refused where it is there.
    Insert,
    /// A function changes a row.
    Function,
}

impl WriteKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "PATCH",
            Self::PatchTwo => "PATCH of two",
            Self::PatchChild => "PATCH child",
            Self::Upsert => "upsert",
            Self::Delete => "DELETE",
            Self::Insert => "insert",
            Self::Function => "function",
        }
    }
}

/// What a read found of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) register: Register,
    /// `None`: it was not there.
    pub(crate) version: Option<Version>,
}

/// What a write made of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) register: Register,
    pub(crate) version: Version,
    pub(crate) is_there: bool,
}

/// A read that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) client: usize,
    pub(crate) proxy: usize,
    pub(crate) who: Who,
    pub(crate) kind: ReadKind,
    pub(crate) start: Nanos,
    /// What its `Cache-Status` says.
    pub(crate) status: Arc<str>,
    pub(crate) seen: Vec<Seen>,
}

/// A request that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) proxy: usize,
    pub(crate) is_write: bool,
    pub(crate) start: Nanos,
}

/// A write, and what its client knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) op: Op,
    pub(crate) client: usize,
    pub(crate) proxy: usize,
    pub(crate) who: Who,
    pub(crate) kind: WriteKind,
    pub(crate) start: Nanos,
    pub(crate) known: Known,
}

/// What a client knows of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was acknowledged.
    Done,
    /// It was refused: nothing has changed.
    Refused,
    /// Nothing: no answer, or one that says nothing about the database.
    Nothing,
}
