//! What does a stored expression refer to?
//!
//! PostgreSQL keeps views, policies and SQL bodies as trees, written out as
//! text: `{FUNCEXPR :funcid 1598 …}`. Unlike `pg_depend`, a tree also names what
//! belongs to the server itself. Names inside are escaped with `\`, so that no
//! name can look like a field.

use std::collections::BTreeSet;

use super::facts::Oid;

/// Fields that hold the number of a function.
const CALLS: [&str; 6] =
    [":funcid ", ":opfuncid ", ":aggfnoid ", ":winfnoid ", ":hashfuncid ", ":negfuncid "];

/// The tables and views of a tree.
pub(super) fn relations(tree: &str) -> BTreeSet<Oid> {
    numbers(tree, ":relid ").chain(numbers(tree, ":seqid ")).collect()
}

/// The functions of a tree, those behind operators included.
pub(super) fn functions(tree: &str) -> BTreeSet<Oid> {
    CALLS.iter().flat_map(|field| numbers(tree, field)).collect()
}

fn numbers<'t>(tree: &'t str, field: &'t str) -> impl Iterator<Item = Oid> + use<'t> {
    tree.match_indices(field).filter_map(move |(at, _)| {
        let rest = &tree[at + field.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok().filter(|number| *number != 0)
    })
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

/// Where the columns of a view come from: the target list of its outermost query.
pub(super) fn origins(tree: &str) -> Vec<Origin> {
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
    let last = |field: &str| {
        let rest = &entry[entry.rfind(field)? + field.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse::<u32>().ok()
    };
    let relation = last(":resorigtbl ").filter(|relation| *relation != 0)?;
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
        assert_eq!(relations(VIEW), BTreeSet::from([16400]));
        assert_eq!(functions(VIEW), BTreeSet::from([17000, 65]));
        assert_eq!(origins(VIEW), [Origin { column: 1, relation: 16400, origin: 3 }]);
        assert_eq!(origins("<>"), []);
    }
}
