//! rules.yaml

mod rule;
mod schema;

pub use rule::{Caching, Condition, Invalidation, ReadRule, WriteRule};
pub use schema::{FunctionReach, Schema};
// bridge
use http::Method;
use std::borrow::Cow;
use std::sync::Arc;
#[derive(Debug)]
pub struct ReadMatch<'a> {
    pub rule: &'a Arc<ReadRule>,
    pub captures: Vec<String>,
}
#[derive(Debug)]
pub struct WriteMatch<'a> {
    pub rule: &'a Arc<WriteRule>,
    pub captures: Vec<String>,
}
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownWrites {
    pub auth: bool,
    pub storage: bool,
    pub functions: bool,
}
#[derive(Debug, Default)]
pub struct RuleSet {
    reads: Vec<Arc<ReadRule>>,
    schema: Schema,
    digest: [u8; 32],
}
impl RuleSet {
    pub fn read<'a>(&'a self, _: &str, _: &dyn Fn(&str) -> Vec<Cow<'static, str>>) -> Option<ReadMatch<'a>> {
        None
    }
    pub fn writes<'a>(&'a self, _: &Method, _: &str) -> Vec<WriteMatch<'a>> {
        vec![]
    }
    pub fn read_rules(&self) -> &[Arc<ReadRule>] {
        &self.reads
    }
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    pub fn unknown_writes(&self) -> UnknownWrites {
        UnknownWrites::default()
    }
}
