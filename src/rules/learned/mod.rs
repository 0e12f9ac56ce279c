//! What the database told, as it stands in schema.yaml.
//!
//! `larder schema pull` makes a [`Learned`] and writes it; here it is read back
//! and laid under the `schema` section of rules.yaml. What is doubtful has its
//! reason beside it: until a person has confirmed it, it may be anything.

mod read;
mod visibility;

pub use visibility::{Caller, Shown, Visible};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::key::Table;

use super::mistake::Mistake;
use super::relationship::Relationship;
use super::table_name::written;

/// The one version of the format.
pub const SCHEMA_FILE_VERSION: &str = "1";

/// Everything that was learned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Learned {
    /// With which server, and when. No part of what it means.
    #[serde(skip)]
    pub source: Source,
    /// The schemas that requests can name.
    pub schemas: Vec<String>,
    /// What requests can name in them.
    #[serde(serialize_with = "by_table")]
    pub tables: BTreeMap<Table, LearnedTable>,
    /// Table → where its embeds may lead.
    #[serde(serialize_with = "by_table")]
    pub relations: BTreeMap<Table, Vec<Relationship>>,
    /// View → what it shows; partitioned table → its partitions.
    #[serde(serialize_with = "by_table")]
    pub views: BTreeMap<Table, Vec<Name>>,
    /// Function → what it reads and writes.
    #[serde(serialize_with = "by_table")]
    pub functions: BTreeMap<Table, LearnedFunction>,
    /// Table → names that a `select` may hold as if they were columns → the functions behind them.
    #[serde(serialize_with = "by_table")]
    pub fields: BTreeMap<Table, BTreeMap<String, Name>>,
    /// Table → what its row-level security and its types read.
    #[serde(serialize_with = "by_table")]
    pub policies: BTreeMap<Table, Vec<Name>>,
    /// Table → what a write to it also changes.
    #[serde(serialize_with = "by_table")]
    pub cascades: BTreeMap<Table, Vec<Name>>,
    /// Table → columns by which one changed row is matched.
    #[serde(serialize_with = "by_table")]
    pub rows: BTreeMap<Table, Vec<String>>,
    /// Table → whom which of its rows are shown to.
    #[serde(serialize_with = "by_table")]
    pub visibility: BTreeMap<Table, Vec<Visible>>,
    /// The function that runs before every request.
    pub pre_request: Option<Name>,
    /// What could not be made out for certain, with the reason.
    pub unsure: BTreeMap<Part, BTreeMap<Name, String>>,
}

/// Where the knowledge comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The server's version.
    pub server: String,
    /// When it was asked, as in RFC 3339.
    pub pulled: String,
    /// A digest of the definitions of the server's objects, grants included; empty where it could not be asked.
    pub fingerprint: String,
}

/// A table that is written with its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name(#[serde(serialize_with = "as_written")] pub Table);

/// What a request can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LearnedTable {
    /// What it is.
    pub kind: Kind,
    /// Its columns, with their types as PostgreSQL writes them.
    pub columns: Vec<(String, String)>,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A plain table.
    Table,
    /// A table that has partitions or children.
    Parent,
    /// A view.
    View,
    /// A view that keeps its rows until it is refreshed.
    Materialized,
    /// A table whose rows live in another database.
    Foreign,
}

/// What a function does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LearnedFunction {
    /// What it reads, as far as could be found.
    pub reads: Vec<Name>,
    /// What it changes, as far as could be found; `None` where nothing can be said.
    pub writes: Option<Vec<Name>>,
    /// The tables whose rows it returns, one for each function of this name: embeds start there.
    pub returns: Vec<Name>,
}

/// A section in which something may be unsure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Part {
    /// What a view shows.
    Views,
    /// What a function reads and writes.
    Functions,
    /// What the row-level security of a table reads.
    Policies,
    /// What a write to a table also changes.
    Cascades,
}

impl Part {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 4] = [Self::Views, Self::Functions, Self::Policies, Self::Cascades];

    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Views => "views",
            Self::Functions => "functions",
            Self::Policies => "policies",
            Self::Cascades => "cascades",
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Table, Self::Parent, Self::View, Self::Materialized, Self::Foreign];

    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Parent => "parent",
            Self::View => "view",
            Self::Materialized => "materialized",
            Self::Foreign => "foreign",
        }
    }
}

impl Learned {
    /// Reads the text of a schema.yaml, or tells everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        read::parse(text)
    }

    /// Is it known which values of this type, as PostgreSQL writes it, are equal? A collation that takes
    /// different texts for equal is written behind the type.
    pub fn is_matchable(kind: &str) -> bool {
        let known = ["smallint", "integer", "bigint", "uuid", "text", "character varying"];
        let bare =
            kind.split_once('(').filter(|(_, rest)| rest.ends_with(')')).map_or(kind, |(bare, _)| bare);
        known.contains(&bare)
    }

    /// Every table, view or function that is mentioned anywhere.
    pub fn mentioned(&self) -> BTreeSet<&Table> {
        let lists = [&self.views, &self.policies, &self.cascades];
        let sides = lists
            .into_iter()
            .flatten()
            .flat_map(|(table, others)| others.iter().map(|Name(other)| other).chain([table]));
        self.tables.keys().chain(self.functions.keys()).chain(sides).collect()
    }
}

/// Serializes a table as it is written, so that no two look alike to a digest.
pub(super) fn as_written<S: Serializer>(table: &Table, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(table))
}

fn by_table<V: Serialize, S: Serializer>(map: &BTreeMap<Table, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(table, value)| (written(table), value)))
}
