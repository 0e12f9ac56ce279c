//! What does a call to auth, storage or a function do that no rule mentions?

/// What a write that no rule mentions takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmapped {
    /// Nothing: otherwise every login would empty the cache.
    #[default]
    Nothing,
    /// Every entry there is.
    Everything,
}

impl Unmapped {
    /// The value's name in `rules.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
        }
    }

    /// Reads the name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Nothing, Self::Everything].into_iter().find(|value| value.as_str() == text)
    }
}

/// The section `unknown_writes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownWrites {
    /// Calls to `/functions/v1`.
    pub functions: Unmapped,
    /// Calls to `/auth/v1`.
    pub auth: Unmapped,
    /// Calls to `/storage/v1`.
    pub storage: Unmapped,
}
