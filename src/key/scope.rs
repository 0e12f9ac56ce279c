//! How much of the caller enters a fingerprint?

/// Whom an answer may be shared with, as a rule declares it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Scope {
    /// Anyone: fetched with the anon key alone.
    Public,
    /// Every caller with the same role.
    Role,
    /// The same verified user, across token refreshes.
    #[default]
    User,
    /// Every caller whose verified claims at these paths are equal.
    Claims(Vec<String>),
    /// Exactly this token and apikey.
    Token,
}

impl Scope {
    /// The scope's name in `rules.yaml`, labels and `larder explain`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Role => "role",
            Self::User => "user",
            Self::Claims(_) => "claims",
            Self::Token => "token",
        }
    }
}
