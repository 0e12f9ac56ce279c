//! rules.yaml

mod rule;
mod schema;

pub use rule::{Caching, Condition, Invalidation, ReadRule, WriteRule};
pub use schema::{FunctionReach, Schema};
