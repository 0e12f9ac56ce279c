//! Is the database still the one that was asked?
//!
//! A digest for each kind of object, over names and definitions and no numbers,
//! so that a restored copy has the same. Grants, roles and the text of policies
//! are part of it: they decide what an answer holds. Data is not.

use std::collections::BTreeMap;

use super::catalogue::Asked;

/// Schemas that a provider fills and changes by itself, partitions by the day among them.
const PROVIDERS: &str = "('realtime', '_realtime', 'supabase_functions', 'net', 'cron', 'pgsodium', \
    'pgsodium_masks', 'vault', 'graphql', 'graphql_public', 'pgbouncer', '_analytics', 'supabase_migrations')";

/// What is digested: a name for people, and a query for one text for each object.
const PARTS: [(&str, &str); 8] = [
    (
        "tables and grants on them",
        "select concat_ws('|', n.nspname, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, \
         c.reloptions, c.relacl, pg_get_userbyid(c.relowner), (select string_agg(concat_ws(',', a.attname, \
         format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attacl), ';' order by a.attnum) \
         from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)) \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r', 'p', 'v', 'm', 'f')",
    ),
    (
        "keys and constraints",
        "select concat_ws('|', n.nspname, k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) \
         from pg_catalog.pg_constraint k join pg_catalog.pg_namespace n on n.oid = k.connamespace where true",
    ),
    (
        "views and rules",
        "select concat_ws('|', n.nspname, c.relname, r.rulename, pg_get_ruledef(r.oid)) \
         from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where true",
    ),
    (
        "functions and grants on them",
        "select concat_ws('|', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), \
         pg_get_function_result(p.oid), p.prosrc, $body, p.provolatile, p.prosecdef, p.proconfig, p.proacl) \
         from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
         where not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::regclass \
         and d.objid = p.oid and d.deptype = 'e')",
    ),
    (
        "policies",
        "select concat_ws('|', n.nspname, c.relname, p.polname, p.polcmd, p.polpermissive, \
         array(select r.rolname from pg_catalog.pg_roles r where r.oid = any(p.polroles) order by 1), \
         pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid)) \
         from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where true",
    ),
    (
        "triggers",
        "select concat_ws('|', n.nspname, c.relname, t.tgenabled, pg_get_triggerdef(t.oid)) \
         from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal",
    ),
    (
        "partitions and children",
        "select concat_ws('|', n.nspname, i.inhparent::regclass, i.inhrelid::regclass) \
         from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f')",
    ),
    (
        "roles and settings",
        "select concat_ws('|', r.rolname, r.rolsuper, r.rolbypassrls, r.rolinherit, array(select m.roleid::regrole::text \
         from pg_catalog.pg_auth_members m where m.member = r.oid order by 1), array(select s.setconfig::text \
         from pg_catalog.pg_db_role_setting s where s.setrole = r.oid order by 1)) \
         from pg_catalog.pg_roles r join pg_catalog.pg_namespace n on n.nspname = 'pg_catalog' where true",
    ),
];

/// A digest for each kind of object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<&'static str, String>);

impl Fingerprint {
    pub(super) async fn ask(asked: &Asked<'_>) -> Result<Self, tokio_postgres::Error> {
        let has_bodies = asked.rows("select current_setting('server_version_num')::int4 >= 140000").await?;
        let has_bodies = has_bodies.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
        let body = if has_bodies { "pg_get_function_sqlbody(p.oid)" } else { "''" };
        let mut digests = BTreeMap::new();
        for (part, objects) in PARTS {
            let sql = format!(
                "select coalesce(md5(string_agg(md5(o.object), '' order by md5(o.object))), '') from ({} \
                 and (n.nspname not in $system and n.nspname not in {PROVIDERS} and n.nspname !~ '^pg_temp' \
                 or {})) o(object)",
                objects.replace("$body", body),
                part == "roles and settings",
            );
            let rows = asked.rows(&sql).await?;
            if let Some(row) = rows.first() {
                digests.insert(part, row.try_get(0)?);
            }
        }
        Ok(Self(digests))
    }

    /// What differs from another, in words.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let parts = self.0.iter().filter(|(part, digest)| other.0.get(*part) != Some(digest));
        parts.map(|(part, _)| *part).collect()
    }

    /// All of it in one word, as schema.yaml keeps it.
    pub fn as_text(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for digest in self.0.values() {
            hasher.update(digest.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}
