//! Which server is it, and what is it told about requests?

use super::super::facts::Facts;
use super::Asked;

/// The schema of a PostgREST that was told nothing.
const SCHEMA_DEFAULT: &str = "public";

const VERSION: &str = "select current_setting('server_version')::text";

/// `alter role authenticator set pgrst.db_schemas = '…'`, for all databases or this one.
const SETTINGS: &str = "select setting::text from pg_catalog.pg_db_role_setting, unnest(setconfig) setting \
    where (setdatabase = 0 or setdatabase = (select oid from pg_catalog.pg_database \
    where datname = current_database())) and setting like 'pgrst.%' order by setdatabase, 1";

const SCHEMAS: &str = "select nspname::text from pg_catalog.pg_namespace";

const SYSTEM_RELATIONS: &str = "select c.relname::text from pg_catalog.pg_class c \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v')";

pub(super) async fn read(
    asked: &Asked<'_>,
    schemas: Option<&[String]>,
    facts: &mut Facts,
) -> Result<(), tokio_postgres::Error> {
    let words = async |sql: &str| -> Result<Vec<String>, tokio_postgres::Error> {
        asked.rows(sql).await?.iter().map(|row| row.try_get(0)).collect()
    };
    let version = words(VERSION).await?.into_iter().next().unwrap_or_default();
    facts.server = version.split(' ').next().unwrap_or_default().to_owned();
    let settings = words(SETTINGS).await?;
    let setting =
        |name: &str| settings.iter().rev().find_map(|setting| setting.strip_prefix(name)?.strip_prefix('='));
    facts.pre_request = setting("pgrst.db_pre_request").map(str::to_owned).filter(|name| !name.is_empty());
    facts.exposed = match (schemas, setting("pgrst.db_schemas")) {
        (Some(schemas), _) => schemas.to_vec(),
        (None, Some(listed)) => listed.split(',').map(|schema| schema.trim().to_owned()).collect(),
        (None, None) => vec![SCHEMA_DEFAULT.to_owned()],
    };
    facts.schemas = words(SCHEMAS).await?.into_iter().collect();
    facts.system = words(SYSTEM_RELATIONS).await?.into_iter().collect();
    Ok(())
}
