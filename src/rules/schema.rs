//! What a URL cannot show: which tables a read depends on and a write changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::Table;

/// What a database function reads and writes, as far as the operator said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionReach {
    /// Tables it reads; `None` means not known.
    pub reads: Option<Vec<Table>>,
    /// Tables it writes; `None` means not known, an empty list that it changes nothing.
    pub writes: Option<Vec<Table>>,
}

/// The `schema` section, resolved to full table names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The schema of a request without a profile header.
    pub default_schema: Arc<str>,
    /// View → the tables it shows.
    pub views: BTreeMap<Table, Vec<Table>>,
    /// Function → what it reads and writes. Functions are named like tables.
    pub functions: BTreeMap<Table, FunctionReach>,
    /// Table → tables that its row-level security reads.
    pub policies: BTreeMap<Table, Vec<Table>>,
    /// Table → tables that a write to it also changes.
    pub cascades: BTreeMap<Table, Vec<Table>>,
    /// Table → columns by which one changed row is matched, instead of the whole table.
    pub rows: BTreeMap<Table, Vec<String>>,
    /// Table → embed as written in `select` (`customers`, `customers!billing`) → tables it reads.
    pub relations: BTreeMap<Table, BTreeMap<String, Vec<Table>>>,
}

impl Schema {
    /// Names a table of `profile`, or of the default schema.
    pub fn table(&self, profile: Option<&str>, name: &str) -> Table {
        Table::new(profile.unwrap_or(&self.default_schema), name)
    }

    /// What a read of this table reads besides: what a view shows, what policies look at.
    pub fn read_with<'s>(&'s self, table: &Table) -> impl Iterator<Item = &'s Table> + use<'s> {
        self.views.get(table).into_iter().chain(self.policies.get(table)).flatten()
    }

    /// What a write to this table changes besides: what lies under a view, what cascades reach.
    pub fn changed_with<'s>(&'s self, table: &Table) -> impl Iterator<Item = &'s Table> + use<'s> {
        self.views.get(table).into_iter().chain(self.cascades.get(table)).flatten()
    }

    /// Every table that a read of `tables` depends on, all the way down.
    pub fn read_by(&self, tables: impl IntoIterator<Item = Table>) -> BTreeSet<Table> {
        reach(tables, |table| self.read_with(table))
    }

    /// Every table that a write to `tables` may change, all the way down.
    pub fn changed_by(&self, tables: impl IntoIterator<Item = Table>) -> BTreeSet<Table> {
        reach(tables, |table| self.changed_with(table))
    }

    /// The columns by which rows of this table are matched; none for most.
    pub fn row_columns(&self, table: &Table) -> &[String] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }
}

/// The transitive closure; cycles end because each table is entered once.
fn reach<'t, N: Iterator<Item = &'t Table>>(
    start: impl IntoIterator<Item = Table>,
    next: impl Fn(&Table) -> N,
) -> BTreeSet<Table> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<Table> = start.into_iter().collect();
    while let Some(table) = open.pop() {
        if !reached.contains(&table) {
            open.extend(next(&table).cloned());
            reached.insert(table);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table::new("public", name)
    }

    fn names(tables: &BTreeSet<Table>) -> Vec<&str> {
        tables.iter().map(|table| &*table.name).collect()
    }

    #[test]
    fn reads_and_writes_reach_all_the_way_down() {
        let schema = Schema {
            default_schema: "public".into(),
            views: [(table("cards"), vec![table("inner")]), (table("inner"), vec![table("properties")])]
                .into(),
            policies: [
                (table("properties"), vec![table("members")]),
                (table("members"), vec![table("properties")]),
            ]
            .into(),
            cascades: [(table("users"), vec![table("posts")]), (table("posts"), vec![table("likes")])].into(),
            ..Schema::default()
        };
        assert_eq!(names(&schema.read_by([table("cards")])), ["cards", "inner", "members", "properties"]);
        assert_eq!(names(&schema.changed_by([table("users")])), ["likes", "posts", "users"]);
        assert_eq!(names(&schema.changed_by([table("cards")])), ["cards", "inner", "properties"]);
        assert_eq!(schema.table(None, "x"), table("x"));
        assert_eq!(schema.table(Some("tenant"), "x"), Table::new("tenant", "x"));
    }
}
