//! Functions: what they are, what they promise, what their text says.

use tokio_postgres::types::Type;

use super::super::facts::{Facts, Function, Volatility};
use super::super::tree::Tree;
use super::Asked;
use crate::key::Table;

/// Bodies in the standard's form came with PostgreSQL 14.
const BODIES_SINCE: u32 = 14;

/// `$tree` and `$text` depend on the server's version.
const FUNCTIONS: &str = "select p.oid, n.nspname::text, p.proname::text, l.lanname::text, p.provolatile::text, \
    p.prosecdef, $text, $tree, e.extname::text, r.typrelid, p.proargtypes[0], \
    p.pronargs >= 1 and p.pronargs - p.pronargdefaults <= 1, a.typname in ('record', 'anyelement', 'anynonarray', \
    'anycompatible', 'anycompatiblenonarray'), \
    array_remove(array_remove(array[g.aggtransfn::oid, g.aggfinalfn::oid, g.aggcombinefn::oid, g.aggmtransfn::oid, \
    g.aggmfinalfn::oid], 0::oid), null), \
    r.typtype = 'd' and (r.typname ~ '^[A-Za-z0-9.-]+/[A-Za-z0-9.+-]+$' or r.typname = '*/*'), \
    p.prorettype in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype), \
    pg_catalog.pg_get_userbyid(p.proowner) ~ '^supabase_' \
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
    join pg_catalog.pg_language l on l.oid = p.prolang \
    join pg_catalog.pg_type r on r.oid = p.prorettype \
    left join pg_catalog.pg_type a on a.oid = p.proargtypes[0] \
    left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid \
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid \
    and d.deptype = 'e' left join pg_catalog.pg_extension e on e.oid = d.refobjid \
    where n.nspname not in $system order by p.oid";

/// Functions of the server that run a text, or that show what writes change without naming a table.
const REACHING: &str = "select oid, proname::text from pg_catalog.pg_proc \
    where pronamespace = 'pg_catalog'::regnamespace and proname ~ $1";

const REACHING_NAMES: &str = "^(.*_to_xml.*|ts_stat|ts_rewrite|pg_stat_get_.*|pg_ls_.*|pg_read_.*|pg_file_.*|\
    lo_.*|loread|lowrite|pg_.*_size|pg_get_.*|pg_.*_is_visible|pg_current_.*|pg_last_.*|txid_.*|dblink.*|\
    currval|lastval|pg_sequence_.*|pg_notify|pg_logical_.*|pg_import_.*)$";

/// Not those that an extension brought; nor casts from domains, which PostgreSQL itself ignores.
const IMPLIED: &str = "select o.oprname::text, o.oprcode::oid from pg_catalog.pg_operator o \
    join pg_catalog.pg_namespace n on n.oid = o.oprnamespace where n.nspname not in $system \
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_operator'::regclass \
    and d.objid = o.oid and d.deptype = 'e') and o.oprcode <> 0 \
    union select null, k.castfunc from pg_catalog.pg_cast k join pg_catalog.pg_proc p on p.oid = k.castfunc \
    join pg_catalog.pg_type t on t.oid = k.castsource join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
    where n.nspname not in $system and t.typtype <> 'd' \
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_cast'::regclass \
    and d.objid = k.oid and d.deptype = 'e')";

pub(super) async fn read(asked: &Asked<'_>, facts: &mut Facts) -> Result<(), tokio_postgres::Error> {
    let major: u32 = facts.server.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    let (text, tree) = if major >= BODIES_SINCE {
        ("coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc, '')", "p.prosqlbody::text")
    } else {
        ("coalesce(p.prosrc, '')", "null::text")
    };
    for row in asked.rows(&FUNCTIONS.replace("$text", text).replace("$tree", tree)).await? {
        let volatility: &str = row.try_get(4)?;
        let returns: u32 = row.try_get(9)?;
        let function = Function {
            name: Table::new(row.try_get(1)?, row.try_get(2)?),
            language: row.try_get(3)?,
            volatility: match volatility {
                "i" => Volatility::Immutable,
                "s" => Volatility::Stable,
                _ => Volatility::Volatile,
            },
            is_definer: row.try_get(5)?,
            text: row.try_get(6)?,
            tree: row.try_get::<_, Option<&str>>(7)?.map(Tree::parse),
            extension: row.try_get(8)?,
            returns: (returns != 0).then_some(returns),
            first_argument: row.try_get(10)?,
            takes_one: row.try_get(11)?,
            takes_any_row: row.try_get::<_, Option<bool>>(12)?.unwrap_or(false),
            parts: row.try_get(13)?,
            is_handler: row.try_get(14)?,
            is_trigger: row.try_get(15)?,
            is_of_service: row.try_get(16)?,
        };
        facts.functions.insert(row.try_get(0)?, function);
    }
    for row in asked.rows_of(REACHING, &REACHING_NAMES, Type::TEXT).await? {
        facts.reaching.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for row in asked.rows(IMPLIED).await? {
        facts.implied.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(())
}
