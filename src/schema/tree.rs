//! What does a stored expression refer to?
//!
//! PostgreSQL keeps views, policies and SQL bodies as trees, written out as
//! text: `{FUNCEXPR :funcid 1598 …}`. Unlike `pg_depend`, a tree also names what
//! belongs to the server itself. Names inside are escaped with `\`, so that no
//! name can look like a field.

use std::collections::BTreeSet;

use super::facts::Oid;

/// Fields that hold the number of a relation.
const RELATIONS: [&str; 2] = [":relid ", ":seqid "];

/// Fields that hold the number of a function; operators have theirs beside them.
const FUNCTIONS: [&str; 6] =
    [":funcid ", ":opfuncid ", ":aggfnoid ", ":winfnoid ", ":hashfuncid ", ":negfuncid "];

/// What a tree refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// Tables, views and sequences.
    pub(super) relations: BTreeSet<Oid>,
    /// Functions, those behind operators included.
    pub(super) functions: BTreeSet<Oid>,
    /// Where the columns of a view come from: the target list of its outermost query.
    pub(super) origins: Vec<Origin>,
}

impl Tree {
    /// Reads a tree as PostgreSQL writes it.
    pub(super) fn parse(text: &str) -> Self {
        let mut tree = Self { origins: origins(text), ..Self::default() };
        for (at, _) in text.match_indices(':') {
            let rest = &text[at..];
            let number = |field: &&'static str| number(rest.strip_prefix(*field)?);
            tree.relations.extend(RELATIONS.iter().find_map(number));
            tree.functions.extend(FUNCTIONS.iter().find_map(number));
        }
        tree
    }
}

/// The number at the beginning, unless it is that of nothing.
fn number(rest: &str) -> Option<Oid> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok().filter(|number| *number != 0)
}

/// A column of a view that shows a column of another relation as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The view's column.
    pub(super) column: i16,
    /// The relation that it comes from.
    pub(super) relation: Oid,
    /// Its column there.
    pub(super) origin: i16,
}

fn origins(tree: &str) -> Vec<Origin> {
    let mut origins = Vec::new();
    let (mut depth, mut is_target, mut entry) = (0_usize, false, None::<usize>);
    let bytes = tree.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'{' => {
                depth += 1;
                if depth == 2 && is_target {
                    entry = Some(at);
                }
            }
            b'}' => {
                if depth == 2
                    && let Some(begin) = entry.take()
                {
                    origins.extend(origin(&tree[begin..at]));
                }
                depth = depth.saturating_sub(1);
            }
            b':' if depth == 1 => is_target = tree[at..].starts_with(":targetList "),
            _ => {}
        }
        at += 1;
    }
    origins
}

/// The fields that stand last in an entry, behind its expression.
fn origin(entry: &str) -> Option<Origin> {
    let last = |field: &str| number(&entry[entry.rfind(field)? + field.len()..]);
    let relation = last(":resorigtbl ")?;
    let column = i16::try_from(last(":resno ")?).ok()?;
    Some(Origin { column, relation, origin: i16::try_from(last(":resorigcol ")?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = "({QUERY :commandType 1 :rtable ({RANGETBLENTRY :rtekind 0 :relid 16400 :eref \
        {ALIAS :colnames (\"id\" \"\\:relid\\ 7\")}} {RANGETBLENTRY :rtekind 1 :subquery {QUERY :targetList \
        ({TARGETENTRY :expr {VAR} :resno 1 :resorigtbl 1 :resorigcol 1})}}) :targetList ({TARGETENTRY :expr \
        {VAR :varno 1} :resno 1 :resname id :ressortgroupref 0 :resorigtbl 16400 :resorigcol 3 :resjunk false} \
        {TARGETENTRY :expr {FUNCEXPR :funcid 17000 :args ({OPEXPR :opfuncid 65})} :resno 2 :resorigtbl 0 \
        :resorigcol 0}) :havingQual <>})";

    #[test]
    fn a_tree_names_what_it_refers_to() {
        let tree = Tree::parse(VIEW);
        assert_eq!(tree.relations, BTreeSet::from([16400]));
        assert_eq!(tree.functions, BTreeSet::from([17000, 65]));
        assert_eq!(tree.origins, [Origin { column: 1, relation: 16400, origin: 3 }]);
        assert_eq!(Tree::parse("<>"), Tree::default());
    }
}
