//! rules.yaml: what is kept, for whom, how long, and what a write takes away.
//!
//! Two stages with one function between them: a `Document` mirrors the text,
//! a [`RuleSet`] is compiled, validated and never changes. Every mistake is
//! told at once, with its place. Nothing here reads files or knows where
//! entries live.

mod compile;
mod condition;
mod document;
mod duration;
mod fields;
mod matcher;
mod mistake;
mod path_glob;
mod rule;
mod rule_set;
mod schema;
mod unknown_writes;
mod yaml;

pub use condition::QueryView;
pub use mistake::{Mistake, Remark, Warning};
pub use rule::{Caching, Condition, Invalidation, ReadRule, WriteRule};
pub use rule_set::{Context, ReadMatch, RuleSet, WriteMatch};
pub use schema::{FunctionReach, Schema};
pub use unknown_writes::{UnknownWrites, Unmapped};
pub use yaml::FILE_BYTES_MAX;
