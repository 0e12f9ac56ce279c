//! What does a call to auth, storage or a function do that no rule mentions?

/// What a write that no rule mentions takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmapped {
    /// Nothing: otherwise every login would empty the cache.
    Nothing,
    /// Every entry there is.
    Everything,
    /// What depends on the service's own tables, as far as a schema was learned; otherwise nothing.
    Learned,
}

impl Unmapped {
    /// The value's name in `rules.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
            Self::Learned => "learned",
        }
    }

    /// Reads one of these names.
    pub(super) fn parse(text: &str, known: &[Self]) -> Option<Self> {
        known.iter().copied().find(|value| value.as_str() == text)
    }
}

/// The section `unknown_writes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWrites {
    /// Calls to `/functions/v1`.
    pub functions: Unmapped,
    /// Calls to `/auth/v1`.
    pub auth: Unmapped,
    /// Calls to `/storage/v1`.
    pub storage: Unmapped,
}

/// Functions keep no tables of their own; the other two do, and triggers stand on them.
impl Default for UnknownWrites {
    fn default() -> Self {
        Self { functions: Unmapped::Nothing, auth: Unmapped::Learned, storage: Unmapped::Learned }
    }
}
