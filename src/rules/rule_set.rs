//! Which rules apply to a request?

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::chance::Share;
use crate::consistency::Consistency;

use super::compile;
use super::condition::{self, QueryView};
use super::guarding::LimitRule;
use super::matcher::Matcher;
use super::mistake::{Mistake, Warning};
use super::rule::{ReadRule, WriteRule};
use super::schema::Schema;
use super::unknown_writes::UnknownWrites;

/// Prefix of every name in a store that others may use too.
pub(super) const PREFIX_DEFAULT: &str = "larder";

/// What compilation needs to know from the settings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The schema of a request without a profile header.
    pub default_schema: String,
    /// The upstream's URL; answers of two upstreams never mix.
    pub upstream: String,
    /// Claims that do not tell one user from another under `scope: user`.
    pub ignored_claims: Vec<String>,
    /// What reads rely on whose rule says nothing of it.
    pub consistency: Consistency,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            default_schema: "public".into(),
            upstream: String::new(),
            ignored_claims: Vec::new(),
            consistency: Consistency::default(),
        }
    }
}

/// A file that `schema.include` names.
#[derive(Clone, Debug)]
pub struct Included {
    /// Its name, as in the rules.
    pub file: String,
    /// Its text, or why it could not be read.
    pub text: Result<String, String>,
}

/// The compiled rules.
#[derive(Debug)]
pub struct RuleSet {
    pub(super) prefix: String,
    pub(super) reads: Vec<Arc<ReadRule>>,
    pub(super) writes: Vec<Arc<WriteRule>>,
    pub(super) read_matcher: Matcher,
    pub(super) write_matcher: Matcher,
    pub(super) limits: Vec<Arc<LimitRule>>,
    pub(super) limit_matcher: Matcher,
    /// Some write rule means GET or HEAD: nearly never, so that reads need not look.
    pub(super) writes_by_reading: bool,
    /// So many hits are compared with the upstream.
    pub(super) audited_share: Share,
    /// Some write rule says `refresh: true`.
    pub(super) refills: bool,
    pub(super) schema: Schema,
    pub(super) unknown_writes: UnknownWrites,
    pub(super) digest: [u8; 32],
    pub(super) strictest: Consistency,
}

/// The read rule that applies to a request.
#[derive(Clone, Debug)]
pub struct ReadMatch<'a> {
    /// The rule.
    pub rule: &'a Arc<ReadRule>,
    /// What the wildcard segments of `match` stood for: `{path.1}` is the first.
    pub captures: Vec<String>,
}

/// A write rule that applies to a request.
#[derive(Clone, Debug)]
pub struct WriteMatch<'a> {
    /// The rule.
    pub rule: &'a Arc<WriteRule>,
    /// What the wildcard segments of `match` stood for: `{path.1}` is the first.
    pub captures: Vec<String>,
}

impl RuleSet {
    /// Compiles the text of a rules file that includes nothing, or tells everything that is wrong with it.
    pub fn parse(text: &str, context: &Context) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        compile::parse(text, None, context)
    }

    /// As [`RuleSet::parse`], with the file that [`RuleSet::included`] named.
    pub fn parse_with(
        text: &str,
        included: Option<&Included>,
        context: &Context,
    ) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        compile::parse(text, included, context)
    }

    /// The file that a rules file includes, as written; its place is relative to the rules file.
    pub fn included(text: &str) -> Option<String> {
        compile::included(text)
    }

    /// No rules: everything passes through.
    pub fn empty(context: &Context) -> Self {
        compile::empty(context)
    }

    /// The first read rule that matches; the path is the decoded one.
    pub fn read<'a>(&'a self, decoded_path: &str, query: QueryView<'_>) -> Option<ReadMatch<'a>> {
        let candidates = self.read_matcher.matching(decoded_path);
        let rule = candidates
            .into_iter()
            .filter_map(|index| self.reads.get(index))
            .find(|rule| condition::all_hold(&rule.conditions, query))?;
        Some(ReadMatch { rule, captures: self.read_matcher.captures(rule.index, decoded_path) })
    }

    /// How many hits are compared with the upstream.
    pub fn audited_share(&self) -> Share {
        self.audited_share
    }

    /// The longest `replica_quiet` of any rule.
    pub fn longest_quiet(&self) -> Duration {
        self.reads.iter().map(|rule| rule.replica_quiet).max().unwrap_or_default()
    }

    /// Whether some write has what it took away fetched again.
    pub fn refills(&self) -> bool {
        self.refills
    }

    /// Every write rule that matches: all of them apply.
    pub fn writes<'a>(&'a self, method: &Method, decoded_path: &str) -> Vec<WriteMatch<'a>> {
        if method.is_safe() && !self.writes_by_reading {
            return Vec::new();
        }
        let candidates = self.write_matcher.matching(decoded_path);
        candidates
            .into_iter()
            .filter_map(|index| self.writes.get(index))
            .filter(|rule| rule.methods.contains(method))
            .map(|rule| WriteMatch { rule, captures: self.write_matcher.captures(rule.index, decoded_path) })
            .collect()
    }

    /// Every limit that counts a request.
    pub fn limits(&self, method: &Method, decoded_path: &str) -> Vec<Arc<LimitRule>> {
        if self.limits.is_empty() {
            return Vec::new();
        }
        let candidates = self.limit_matcher.matching(decoded_path);
        let limits = candidates.into_iter().filter_map(|index| self.limits.get(index));
        limits.filter(|limit| limit.methods.contains(method)).map(Arc::clone).collect()
    }

    /// All limits, in the order of the file.
    pub fn limit_rules(&self) -> &[Arc<LimitRule>] {
        &self.limits
    }

    /// All read rules, in the order of the file.
    pub fn read_rules(&self) -> &[Arc<ReadRule>] {
        &self.reads
    }

    /// All write rules, in the order of the file.
    pub fn write_rules(&self) -> &[Arc<WriteRule>] {
        &self.writes
    }

    /// What a URL cannot show.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The prefix of every name in the store: the top-level `namespace`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The most that any read relies on: what every write has to keep.
    pub fn strictest(&self) -> Consistency {
        self.strictest
    }

    /// A digest over what the rules mean, the upstream and the default schema.
    /// It enters every fingerprint: after a change of the rules no answer kept
    /// under the old ones can be reached.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What a write outside the database does that no rule mentions.
    pub fn unknown_writes(&self) -> &UnknownWrites {
        &self.unknown_writes
    }
}
