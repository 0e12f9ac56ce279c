//! What a URL cannot show: which tables a read depends on and a write changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::Table;

use super::relationship::{Link, Relationship};
use super::table_name;

/// What a database function reads and writes, as far as the operator said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionReach {
    /// Tables it reads; `None` means not known.
    pub reads: Option<Vec<Table>>,
    /// Tables it writes; `None` means not known, an empty list that it changes nothing.
    pub writes: Option<Vec<Table>>,
    /// The tables whose rows it returns, as far as known: embeds start there.
    pub returns: Vec<Table>,
}

/// What only the database can tell, from an included schema.yaml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The database's definitions as they were, in one word; empty where they could not be asked for.
    pub fingerprint: String,
    /// What requests can name: whatever else they name came after the file was written.
    pub tables: BTreeSet<Table>,
    /// Table → where its embeds may lead.
    pub relationships: BTreeMap<Table, Vec<Relationship>>,
    /// Table → names in a `select` that are no columns → the functions behind them.
    pub fields: BTreeMap<Table, BTreeMap<String, Table>>,
    /// Tables whose reads may read anything, with the reason.
    pub doubtful_reads: BTreeMap<Table, String>,
    /// Tables whose writes may change anything, with the reason.
    pub doubtful_writes: BTreeMap<Table, String>,
    /// The function that runs before every request.
    pub before_requests: Option<Table>,
    /// Schema of a service → its tables, as far as answers depend on them.
    pub services: BTreeMap<String, BTreeSet<Table>>,
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
    /// What was learned; without it nothing is known that is not written above.
    pub knowledge: Option<Knowledge>,
}

impl Schema {
    /// Names a table of `profile`, or of the default schema.
    pub fn table(&self, profile: Option<&str>, name: &str) -> Table {
        Table::new(profile.unwrap_or(&self.default_schema), name)
    }

    /// The table that a person writes as `table` or `schema.table`; `None` if that is none.
    pub fn named(&self, written: &str) -> Option<Table> {
        table_name::read(written, &self.default_schema)
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

    /// Was something learned, and this is not part of it? Then nothing is known about it.
    pub fn is_newer(&self, table: &Table) -> bool {
        self.knowledge.as_ref().is_some_and(|knowledge| !knowledge.tables.contains(table))
    }

    /// The tables among these of which nobody can say what reading them reads.
    pub fn doubtful_reads<'t>(&self, tables: impl IntoIterator<Item = &'t Table>) -> Vec<&'t Table> {
        let Some(knowledge) = &self.knowledge else { return Vec::new() };
        tables.into_iter().filter(|table| knowledge.doubtful_reads.contains_key(*table)).collect()
    }

    /// Where an embed of a table may lead, and what is read on the way.
    pub fn embedded(&self, table: &Table, target: &str, hints: &[String]) -> Vec<&Relationship> {
        let known = self.knowledge.as_ref().and_then(|knowledge| knowledge.relationships.get(table));
        known.into_iter().flatten().filter(|way| way.answers(target, hints)).collect()
    }

    /// What is read on the way, beside where it leads; `None` if that is not known.
    pub fn read_on_the_way<'s>(&'s self, way: &'s Relationship) -> Option<&'s [Table]> {
        match &way.by {
            Link::Key { .. } => Some(&[]),
            Link::Junction(between) => Some(std::slice::from_ref(between)),
            Link::Call(function) => self.read_by_function(function),
        }
    }

    /// What a function reads; `None` if that is not known.
    pub fn read_by_function(&self, function: &Table) -> Option<&[Table]> {
        self.functions.get(function)?.reads.as_deref()
    }

    /// Is it unsure what this reads, by the name that a plan has for it?
    pub fn is_doubtful(&self, name: &str) -> bool {
        let knowledge = self.knowledge.as_ref();
        let doubtful =
            knowledge.into_iter().flat_map(|known| known.doubtful_reads.keys().chain(&known.before_requests));
        doubtful.into_iter().any(|table| table.to_string() == name)
    }

    /// Whether a write to these tables may change anything.
    pub fn is_doubtful_write<'t>(&self, tables: impl IntoIterator<Item = &'t Table>) -> bool {
        let knowledge = self.knowledge.as_ref();
        knowledge
            .is_some_and(|known| tables.into_iter().any(|table| known.doubtful_writes.contains_key(table)))
    }

    /// The function that runs before every request, where one does.
    pub fn before_requests(&self) -> Option<&Table> {
        self.knowledge.as_ref()?.before_requests.as_ref()
    }

    /// The tables that a service keeps in a schema of its own, as far as was learned.
    pub fn tables_of_service(&self, schema: &str) -> impl Iterator<Item = &Table> {
        let services = self.knowledge.as_ref().map(|knowledge| &knowledge.services);
        services.and_then(|services| services.get(schema)).into_iter().flatten()
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
