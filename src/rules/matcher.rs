//! Which rules mean this path?
//!
//! All rules are asked in one pass: one set of globs for reads, one for writes.

use globset::{GlobSet, GlobSetBuilder};

use super::path_glob::{PathGlob, captures};

/// The globs of one list of rules, in the order of the rules.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    globs: GlobSet,
    wildcards: Vec<Vec<usize>>,
}

impl Matcher {
    /// Compiles the globs into one set; fails if they are too large together.
    pub(super) fn new(paths: &[PathGlob]) -> Result<Self, globset::Error> {
        let mut builder = GlobSetBuilder::new();
        for path in paths {
            builder.add(path.glob().clone());
        }
        let wildcards = paths.iter().map(PathGlob::wildcard_segments).collect();
        Ok(Self { globs: builder.build()?, wildcards })
    }

    /// Indices of the rules whose `match` means this path, ascending.
    pub(super) fn matching(&self, decoded_path: &str) -> Vec<usize> {
        self.globs.matches(decoded_path)
    }

    /// What the wildcard segments of a matching rule stand for in this path.
    pub(super) fn captures(&self, rule: usize, decoded_path: &str) -> Vec<String> {
        self.wildcards.get(rule).map_or_else(Vec::new, |places| captures(decoded_path, places))
    }
}
