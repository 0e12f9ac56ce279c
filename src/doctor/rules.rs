//! Can the rules be used, and do they fit the database?

use super::{Judged, misconfigured, quoted, warns, works};

/// What a look at the rules found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The file is missing, or not ours to read.
    Unreadable { file: String, why: String },
    /// It has mistakes.
    Mistakes { file: String, count: usize, first: String },
    /// A rule wants entries sealed, and nothing to seal them with was given.
    Unsealable,
    /// Rules have canaries, and nobody asks for them.
    CanariesUnasked { count: usize },
    /// It compiles.
    Compiled { file: String, reads: usize, writes: usize, limits: usize },
    /// It compiles, and nothing is cached by it.
    NothingCached { file: String },
    /// It has warnings.
    Warnings { count: usize, first: String },
    /// The proxy runs with older ones.
    OlderInUse,
    /// The database is the one that schema.yaml tells of.
    SchemaFits,
    /// It has moved on.
    SchemaMovedOn,
    /// It was not told of any.
    SchemaUnwritten,
    /// It cannot be asked.
    SchemaAway { why: String },
}

impl Rules {
    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::Unreadable { file, why } => misconfigured(
                "rules-unreadable",
                format!("cannot read `{file}`: {}", quoted(why)),
                "--rules names the file",
            ),
            Self::Mistakes { file, count, first } => misconfigured(
                "rules-mistaken",
                format!("`{file}` has {}; the first: {}", counted(*count, "mistake"), quoted(first)),
                format!("`larder check {file}` shows each in its place"),
            ),
            Self::Unsealable => misconfigured(
                "rules-unsealable",
                "a rule says `encrypt: true`, and there is nothing to seal entries with",
                "LARDER_ENCRYPTION_KEYS=name:BASE64, from `openssl rand -base64 32`",
            ),
            Self::CanariesUnasked { count } => warns(
                "canaries-unasked",
                format!(
                    "the rules have {}, and there are no tokens of two users to ask with",
                    canaries(*count)
                ),
                "--canary-tokens-file names a file with them, LARDER_CANARY_TOKENS holds them",
            ),
            Self::Compiled { file, reads, writes, limits } => works(
                "rules-compile",
                format!(
                    "`{file}` has {}, {} and {}, and no mistakes",
                    counted(*reads, "read rule"),
                    counted(*writes, "write rule"),
                    counted(*limits, "limit")
                ),
            ),
            Self::NothingCached { file } => warns(
                "nothing-cached",
                format!("`{file}` has no read rule: everything passes through"),
                "docs/rules.md has one to begin with",
            ),
            Self::Warnings { count, first } => warns(
                "rules-warn",
                format!("{}; the first: {}", counted(*count, "warning"), quoted(first)),
                "`larder check` shows each in its place",
            ),
            Self::OlderInUse => misconfigured(
                "older-rules-in-use",
                "the file on disk was refused when it was last read, and older rules are in use",
                "mend what `larder check` shows; it is read again at once",
            ),
            Self::SchemaFits => works("schema-fits", "the database is the one that schema.yaml tells of"),
            Self::SchemaMovedOn => warns(
                "schema-moved-on",
                "the database is another than schema.yaml tells of",
                "`larder schema diff` says how, `larder schema pull` learns it",
            ),
            Self::SchemaUnwritten => warns(
                "schema-unwritten",
                "--schema-db is given, and the rules include no schema.yaml to compare it with",
                "`larder schema pull` writes it, `schema: { include: schema.yaml }` includes it",
            ),
            Self::SchemaAway { why } => warns(
                "schema-db-away",
                format!("the database of --schema-db cannot be asked: {}", quoted(why)),
                "nobody hears of a migration until it can",
            ),
        }
    }
}

fn canaries(count: usize) -> String {
    if count == 1 { "a canary".to_owned() } else { format!("{count} canaries") }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
