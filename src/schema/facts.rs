//! What does the catalogue say? Rows as they were read, nothing concluded.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;

use super::tree::Tree;

/// A number by which PostgreSQL knows an object.
pub(super) type Oid = u32;

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The server's version, as in `15.4`.
    pub server: String,
    /// The schemas that requests can name.
    pub exposed: Vec<String>,
    pub(super) relations: BTreeMap<Oid, Relation>,
    pub(super) functions: BTreeMap<Oid, Function>,
    pub(super) keys: Vec<Key>,
    /// Parent and child, for partitions and inheritance alike.
    pub(super) children: Vec<(Oid, Oid)>,
    pub(super) rewrites: Vec<Rewrite>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) policies: Vec<Policy>,
    /// Functions that show a domain or make one: the domain, the function.
    pub(super) casts: Vec<(Oid, Oid)>,
    /// Functions that a text may call without their name: those behind operators, by the operator's sign,
    /// and behind casts, which have none.
    pub(super) implied: Vec<(Option<String>, Oid)>,
    /// Functions of the server itself, by name: only those that may read what no text shows.
    pub(super) reaching: BTreeMap<Oid, String>,
    /// The server's own tables and views.
    pub(super) system: BTreeSet<String>,
    /// The names of all schemas.
    pub(super) schemas: BTreeSet<String>,
    /// `db-pre-request`, where a role's settings have one.
    pub(super) pre_request: Option<String>,
}

/// A table, a view or a sequence.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) table: Table,
    pub(super) kind: RelationKind,
    /// By number.
    pub(super) columns: BTreeMap<i16, Column>,
    pub(super) is_partition: bool,
    /// Row-level security is on.
    pub(super) is_secured: bool,
    /// Policies hold for its owner too.
    pub(super) is_forced: bool,
    pub(super) owner: Oid,
    /// No policy holds for its owner, whatever the table.
    pub(super) owner_sees_all: bool,
    /// A view that reads with the rights of whoever asks.
    pub(super) is_invoker: bool,
    /// The type of its rows.
    pub(super) row_type: Oid,
    /// Functions in its defaults, checks and generated columns.
    pub(super) calls: Vec<Oid>,
}

/// What a relation is, as `pg_class.relkind` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    Partitioned,
    View,
    Materialized,
    Foreign,
    Sequence,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// As PostgreSQL writes it; with a collation that is not deterministic behind it.
    pub(super) kind: String,
    pub(super) type_oid: Oid,
    pub(super) is_generated: bool,
}

/// A primary key, a unique or a foreign key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) table: Oid,
    pub(super) name: String,
    pub(super) kind: KeyKind,
    pub(super) columns: Vec<i16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Foreign {
        to: Oid,
        references: Vec<i16>,
        /// A change of the referenced row changes rows here.
        is_cascading: bool,
        /// Made for a partition by the key of its parent.
        is_inherited: bool,
    },
}

/// A rule of `pg_rewrite`: what a view shows, or what a write becomes.
#[derive(Clone, Debug)]
pub(super) struct Rewrite {
    pub(super) relation: Oid,
    /// Of a view; else of a write.
    pub(super) is_select: bool,
    /// Action and condition.
    pub(super) tree: Tree,
    /// A view's definition in SQL.
    pub(super) definition: String,
}

#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) relation: Oid,
    pub(super) function: Oid,
    /// Before each row, or instead of the write: may change what is written.
    pub(super) is_before_row: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) relation: Oid,
    pub(super) name: String,
    /// Holds for reads.
    pub(super) is_for_reads: bool,
    pub(super) is_permissive: bool,
    /// Empty for everybody.
    pub(super) roles: Vec<String>,
    /// Its conditions.
    pub(super) tree: Tree,
    /// The condition on rows that are there, in SQL.
    pub(super) using: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: Table,
    pub(super) language: String,
    pub(super) volatility: Volatility,
    pub(super) is_definer: bool,
    /// Its text: of an SQL body in the standard's form as PostgreSQL writes it.
    pub(super) text: String,
    /// Of an SQL body in the standard's form.
    pub(super) tree: Option<Tree>,
    /// The extension that brought it.
    pub(super) extension: Option<String>,
    /// The relation whose rows it returns.
    pub(super) returns: Option<Oid>,
    /// The type of its first argument.
    pub(super) first_argument: Option<Oid>,
    /// Can it be called with one argument?
    pub(super) takes_one: bool,
    /// Its first argument may be a row of any table.
    pub(super) takes_any_row: bool,
    /// What an aggregate calls.
    pub(super) parts: Vec<Oid>,
    /// Answers in a media type of its own.
    pub(super) is_handler: bool,
    /// Can only be called by a trigger.
    pub(super) is_trigger: bool,
    /// Belongs to a role of Supabase's own services.
    pub(super) is_of_service: bool,
}

/// What a function promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Volatility {
    /// The same arguments always give the same.
    Immutable,
    /// Changes nothing.
    Stable,
    /// May do anything.
    Volatile,
}
