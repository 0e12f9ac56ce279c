//! Tables, views, what ties them together and what stands on them.

use tokio_postgres::Row;

use super::super::facts::{Column, Facts, Key, KeyKind, Policy, Relation, RelationKind, Rewrite, Trigger};
use super::super::tree::Tree;
use super::Asked;
use crate::key::Table;

const RELATIONS: &str = "select c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition, \
    c.relrowsecurity, c.relforcerowsecurity, c.relowner, (o.rolsuper or o.rolbypassrls) as sees_all, \
    coalesce(array_to_string(c.reloptions, ',') ~* 'security_invoker=(true|on|1|yes)', false) as invoker, c.reltype \
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    join pg_catalog.pg_roles o on o.oid = c.relowner \
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname not in $system and n.nspname !~ '^pg_temp'";

const COLUMNS: &str = "select a.attrelid, a.attnum, a.attname::text, \
    pg_catalog.format_type(a.atttypid, a.atttypmod) || coalesce(' collate ' || l.collname, ''), a.atttypid, a.attgenerated <> '' as generated \
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    left join pg_catalog.pg_collation l on l.oid = a.attcollation and not l.collisdeterministic \
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in $system";

/// Functions that a table's defaults, checks and generated columns call, and the domains of its columns.
const CALLS: &str = "select d.adrelid as relation, p.refobjid as function from pg_catalog.pg_attrdef d \
    join pg_catalog.pg_depend p on p.classid = 'pg_catalog.pg_attrdef'::regclass and p.objid = d.oid \
    where p.refclassid = 'pg_catalog.pg_proc'::regclass \
    union select k.conrelid, p.refobjid from pg_catalog.pg_constraint k \
    join pg_catalog.pg_depend p on p.classid = 'pg_catalog.pg_constraint'::regclass and p.objid = k.oid \
    where p.refclassid = 'pg_catalog.pg_proc'::regclass and k.conrelid <> 0 \
    union select a.attrelid, p.refobjid from pg_catalog.pg_attribute a \
    join pg_catalog.pg_constraint k on k.contypid = a.atttypid and k.contypid <> 0 \
    join pg_catalog.pg_depend p on p.classid = 'pg_catalog.pg_constraint'::regclass and p.objid = k.oid \
    where p.refclassid = 'pg_catalog.pg_proc'::regclass";

const KEYS: &str = "select k.conrelid, k.conname::text, k.contype::text, k.conkey, k.confrelid, k.confkey, \
    (k.confupdtype in ('c', 'n', 'd') or k.confdeltype in ('c', 'n', 'd')) as cascades, \
    k.conparentid <> 0 as inherited from pg_catalog.pg_constraint k \
    join pg_catalog.pg_namespace n on n.oid = k.connamespace \
    where k.contype in ('p', 'u', 'f') and k.conrelid <> 0 and n.nspname not in $system \
    order by k.conrelid, k.conname";

const CHILDREN: &str = "select inhparent, inhrelid from pg_catalog.pg_inherits i \
    join pg_catalog.pg_class c on c.oid = i.inhrelid where c.relkind in ('r', 'p', 'f')";

const REWRITES: &str = "select r.ev_class, r.ev_type = '1' as shows, \
    r.ev_action::text || ' ' || coalesce(r.ev_qual::text, ''), \
    case when c.relkind in ('v', 'm') and r.ev_type = '1' then pg_catalog.pg_get_viewdef(c.oid) else '' end \
    from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname not in $system \
    and r.ev_enabled <> 'D'";

/// Bits of `tgtype`: 1 for each row, 2 before, 64 instead of. Servers before 15 call a partition's copy of
/// its parent's trigger internal.
const TRIGGERS: &str = "select t.tgrelid, t.tgfoid, \
    ((t.tgtype & 1) <> 0 and (t.tgtype & 66) <> 0) as before_row from pg_catalog.pg_trigger t \
    where (not t.tgisinternal or t.tgparentid <> 0) and t.tgenabled <> 'D'";

const POLICIES: &str = "select p.polrelid, p.polname::text, p.polcmd in ('r', '*') as for_reads, p.polpermissive, \
    array(select r.rolname::text from pg_catalog.pg_roles r where r.oid = any(p.polroles) order by 1), \
    coalesce(p.polqual::text, '') || ' ' || coalesce(p.polwithcheck::text, ''), \
    pg_catalog.pg_get_expr(p.polqual, p.polrelid) from pg_catalog.pg_policy p order by 1, 2";

/// Functions that show a domain as JSON or text, or make one of what a filter says.
const CASTS: &str = "select case when s.typtype = 'd' then k.castsource else k.casttarget end, k.castfunc \
    from pg_catalog.pg_cast k join pg_catalog.pg_type s on s.oid = k.castsource \
    join pg_catalog.pg_type t on t.oid = k.casttarget where k.castfunc <> 0 and 'd' in (s.typtype, t.typtype)";

type Asking = Result<(), tokio_postgres::Error>;

pub(super) async fn read(asked: &Asked<'_>, facts: &mut Facts) -> Asking {
    for row in asked.rows(RELATIONS).await? {
        if let Some(relation) = relation(&row)? {
            facts.relations.insert(row.try_get(0)?, relation);
        }
    }
    columns(asked, facts).await?;
    for row in asked.rows(CALLS).await? {
        if let Some(relation) = facts.relations.get_mut(&row.try_get(0)?) {
            relation.calls.push(row.try_get(1)?);
        }
    }
    keys(asked, facts).await?;
    for row in asked.rows(CHILDREN).await? {
        facts.children.push((row.try_get(0)?, row.try_get(1)?));
    }
    for row in asked.rows(REWRITES).await? {
        facts.rewrites.push(Rewrite {
            relation: row.try_get(0)?,
            is_select: row.try_get(1)?,
            tree: Tree::parse(row.try_get(2)?),
            definition: row.try_get(3)?,
        });
    }
    for row in asked.rows(TRIGGERS).await? {
        facts.triggers.push(Trigger {
            relation: row.try_get(0)?,
            function: row.try_get(1)?,
            is_before_row: row.try_get(2)?,
        });
    }
    policies(asked, facts).await?;
    for row in asked.rows(CASTS).await? {
        facts.casts.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(())
}

fn relation(row: &Row) -> Result<Option<Relation>, tokio_postgres::Error> {
    let kind: &str = row.try_get(3)?;
    let kind = match kind {
        "r" => RelationKind::Table,
        "p" => RelationKind::Partitioned,
        "v" => RelationKind::View,
        "m" => RelationKind::Materialized,
        "f" => RelationKind::Foreign,
        "S" => RelationKind::Sequence,
        _ => return Ok(None),
    };
    Ok(Some(Relation {
        table: Table::new(row.try_get(1)?, row.try_get(2)?),
        kind,
        columns: Default::default(),
        is_partition: row.try_get(4)?,
        is_secured: row.try_get(5)?,
        is_forced: row.try_get(6)?,
        owner: row.try_get(7)?,
        owner_sees_all: row.try_get(8)?,
        is_invoker: row.try_get(9)?,
        row_type: row.try_get(10)?,
        calls: Vec::new(),
    }))
}

async fn columns(asked: &Asked<'_>, facts: &mut Facts) -> Asking {
    for row in asked.rows(COLUMNS).await? {
        if let Some(relation) = facts.relations.get_mut(&row.try_get(0)?) {
            let column = Column {
                name: row.try_get(2)?,
                kind: row.try_get(3)?,
                type_oid: row.try_get(4)?,
                is_generated: row.try_get(5)?,
            };
            relation.columns.insert(row.try_get(1)?, column);
        }
    }
    Ok(())
}

async fn keys(asked: &Asked<'_>, facts: &mut Facts) -> Asking {
    for row in asked.rows(KEYS).await? {
        let kind: &str = row.try_get(2)?;
        let kind = match kind {
            "p" => KeyKind::Primary,
            "u" => KeyKind::Unique,
            _ => KeyKind::Foreign {
                to: row.try_get(4)?,
                references: row.try_get(5)?,
                is_cascading: row.try_get(6)?,
                is_inherited: row.try_get(7)?,
            },
        };
        let (table, name, columns) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
        facts.keys.push(Key { table, name, kind, columns });
    }
    Ok(())
}

async fn policies(asked: &Asked<'_>, facts: &mut Facts) -> Asking {
    for row in asked.rows(POLICIES).await? {
        facts.policies.push(Policy {
            relation: row.try_get(0)?,
            name: row.try_get(1)?,
            is_for_reads: row.try_get(2)?,
            is_permissive: row.try_get(3)?,
            roles: row.try_get(4)?,
            tree: Tree::parse(row.try_get(5)?),
            using: row.try_get(6)?,
        });
    }
    Ok(())
}
