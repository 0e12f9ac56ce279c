//! Are the keys those that belong here, and can tokens be verified?

use std::time::Duration;

use super::{Judged, fails, quoted, shown, warns, works};

/// A key that ends within this time is worth a word.
const ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a look at the keys found. None of them is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// No public API key is configured.
    NoPublicKey,
    /// One is, `publishable` or `anon`, and belongs here: it sees what everybody may see.
    PublicKey { kind: &'static str },
    /// It ends at some time.
    PublicKeyEnds { kind: &'static str, left: Duration },
    /// It has ended.
    PublicKeyEnded { kind: &'static str },
    /// The upstream accepts it.
    Accepted { kind: &'static str },
    /// It does not.
    Refused { kind: &'static str, status: u16 },
    /// Its answer does not tell.
    Undecided { kind: &'static str, status: u16 },
    /// The secret signed the anon key, so it is this project's.
    SecretFits,
    /// It did not.
    SecretForeign,
    /// An issuer publishes its keys.
    KeySet { source: String, keys: usize, took: Duration },
    /// It publishes none.
    NoKeysIn { source: String },
    /// It cannot be asked.
    KeySetAway { source: String, why: String },
    /// Tokens can be verified with so many keys.
    Verifies { keys: usize },
    /// No token can be.
    VerifiesNothing,
}

impl Callers {
    /// What a key's end means.
    pub fn of_end(kind: &'static str, ends: u64, now: u64) -> Self {
        match ends.checked_sub(now) {
            None | Some(0) => Self::PublicKeyEnded { kind },
            Some(left) => Self::PublicKeyEnds { kind, left: Duration::from_secs(left) },
        }
    }

    /// What the upstream's answer to a key means; `blames_key` where its body speaks of the key.
    pub fn of_answer(kind: &'static str, status: u16, blames_key: bool) -> Self {
        match status {
            401 | 403 if blames_key => Self::Refused { kind, status },
            200..300 => Self::Accepted { kind },
            // newer projects show the root to service keys alone
            _ => Self::Undecided { kind, status },
        }
    }

    /// What a key set means.
    pub fn of_key_set(source: String, keys: usize, took: Duration) -> Self {
        if keys == 0 { Self::NoKeysIn { source } } else { Self::KeySet { source, keys, took } }
    }

    /// What all keys together mean.
    pub fn of_keys(keys: usize) -> Self {
        if keys == 0 { Self::VerifiesNothing } else { Self::Verifies { keys } }
    }

    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::NoPublicKey => warns(
                "no-public-key",
                "no public API key is configured: requests with an `apikey`, as supabase-js sends them, pass through \
                 uncached",
                "set SUPABASE_PUBLISHABLE_KEY (or SUPABASE_ANON_KEY) to the key that the apps use",
            ),
            Self::PublicKey { kind } => {
                works("public-key", format!("the {kind} key is configured, and is a public one"))
            }
            Self::PublicKeyEnds { kind, left } => ends(kind, *left),
            Self::PublicKeyEnded { kind } => fails(
                "key-ended",
                format!(
                    "the {kind} key has ended: whoever sends it passes through, and the upstream refuses it"
                ),
                "take the current key from the project's settings",
            ),
            Self::Accepted { kind } => works("key-accepted", format!("the upstream accepts the {kind} key")),
            Self::Refused { kind, status } => fails(
                "key-refused",
                format!("the upstream refuses the {kind} key with {status}"),
                "is it of this project, and not rotated or disabled? the project's settings show the current one",
            ),
            Self::Undecided { kind, status } => works(
                "key-not-refused",
                format!("the upstream answers {status} to the {kind} key and says nothing against it"),
            ),
            Self::SecretFits => works("secret-fits", "SUPABASE_JWT_SECRET signed the anon key"),
            Self::SecretForeign => fails(
                "secret-foreign",
                "SUPABASE_JWT_SECRET did not sign the anon key: they are of two projects, or one was rotated",
                "dashboard, Settings, JWT Keys shows the secret; the anon key belongs to it",
            ),
            Self::KeySet { source, keys, took } => {
                let keys = if *keys == 1 { "1 key".into() } else { format!("{keys} keys") };
                works("key-set", format!("{source} has {keys} ({})", shown(*took)))
            }
            Self::NoKeysIn { source } => warns(
                "key-set-empty",
                format!("{source} has no keys: the project signs with its secret alone"),
                "set SUPABASE_JWT_SECRET, or let the project sign with an asymmetric key",
            ),
            Self::KeySetAway { source, why } => fails(
                "key-set-away",
                format!("{source} cannot be asked: {}", quoted(why)),
                "tokens that need it pass through uncached; a self-hosted project without such keys needs \
                 SUPABASE_JWT_SECRET",
            ),
            Self::Verifies { keys } => works("verifies", format!("tokens are verified with {keys} keys")),
            Self::VerifiesNothing => warns(
                "verifies-nothing",
                "no token can be verified, so signed-in callers pass through uncached",
                "set SUPABASE_JWT_SECRET, or let the project sign with an asymmetric key",
            ),
        }
    }
}

fn ends(kind: &str, left: Duration) -> Judged {
    let days = left.as_secs() / (24 * 60 * 60);
    if left < ENDS_SOON {
        let hint = "have the next one ready in the apps and here: both can be configured side by side";
        return warns("key-ends-soon", format!("the {kind} key ends in {days} days"), hint);
    }
    works("key-lasts", format!("the {kind} key ends in {days} days"))
}
