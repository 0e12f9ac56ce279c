//! What of a caller decides which rows are shown?

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::table_name::written;
use crate::key::Table;

/// One reason why a relation shows different rows to different callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Visible {
    /// What decides.
    pub by: Shown,
    /// The roles that it holds for; empty for all.
    pub roles: Vec<String>,
    /// What it looks at.
    pub caller: Caller,
    /// Column → value: rows that have all of these, so all rows if there are none, are shown whatever
    /// the caller is like; `None` where no such rows are known.
    pub open: Option<BTreeMap<String, String>>,
    /// Takes rows away instead of adding some.
    pub restrictive: bool,
}

/// What decides whether a row is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Shown {
    /// A policy, and the table it stands on.
    Policy {
        /// Its name.
        name: String,
        /// The table it stands on.
        #[serde(serialize_with = "super::as_written")]
        on: Table,
    },
    /// The definition of the view, or the text of the function itself.
    Definition,
}

/// What of a caller is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Paths of claims, such as `sub` or `app_metadata.tenant_id`.
    pub claims: BTreeSet<String>,
    /// Names of request headers; `*` for all.
    pub headers: BTreeSet<String>,
    /// Looks at the token, the role or the settings in a way that could not be made out.
    pub anything: bool,
}

impl Caller {
    /// Does it look at nothing?
    pub fn is_nothing(&self) -> bool {
        self.claims.is_empty() && self.headers.is_empty() && !self.anything
    }

    /// Adds what another looks at.
    pub fn extend(&mut self, other: &Self) {
        self.claims.extend(other.claims.iter().cloned());
        self.headers.extend(other.headers.iter().cloned());
        self.anything |= other.anything;
    }
}

impl Shown {
    /// For people: a policy by its name and table.
    pub fn told(&self) -> String {
        match self {
            Self::Policy { name, on } => format!("the policy `{name}` of `{}`", written(on)),
            Self::Definition => "its definition".to_owned(),
        }
    }
}
