//! rules.yaml: what is kept, for whom, how long, and what a write takes away.
//!
//! Two stages with one function between them: a `Document` mirrors the text,
//! a [`RuleSet`] is compiled, validated and never changes. Every mistake is
//! told at once, with its place. Nothing here reads files or knows where
//! entries live.

mod compile;
mod condition;
mod directives;
mod document;
mod downstream;
mod duration;
mod fields;
mod freshness;
mod guard_entries;
mod guarding;
mod learned;
mod matcher;
mod mistake;
mod path_glob;
mod relationship;
mod rule;
mod rule_set;
mod schema;
mod table_name;
mod unknown_writes;
mod yaml;

pub use condition::QueryView;
pub use downstream::{Downstream, Told};
pub use freshness::{Freshness, Use};
pub use guarding::{
    Busy, By, Counts, IdempotencyRule, LimitRule, LimitWithoutStore, LockRule, LockWithoutStore, Quota,
    Window,
};
pub use learned::{
    Caller, Kind, Learned, LearnedFunction, LearnedTable, Name, Part, SCHEMA_FILE_VERSION, Shown, Source,
    Visible,
};
pub use mistake::{Mistake, Remark, Warning};
pub use relationship::{Link, Relationship};
pub use rule::{Caching, Canary, Condition, Invalidation, Lasting, ReadRule, WriteRule};
pub use rule_set::{Context, Included, ReadMatch, RuleSet, WriteMatch};
pub use schema::{FunctionReach, Knowledge, Schema};
pub use table_name::written;
pub use unknown_writes::{UnknownWrites, Unmapped};
pub use yaml::{FILE_BYTES_MAX, SCHEMA_FILE_BYTES_MAX};
