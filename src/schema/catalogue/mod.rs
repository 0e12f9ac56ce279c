//! Asks the catalogue. One read-only transaction, so that all answers are of one moment.
//!
//! Statements are sent with their types and never prepared, which poolers in
//! transaction mode allow. Every column is cast to a plain type, and names are
//! compared by number wherever there is one.

mod functions;
mod relations;
mod server;

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::facts::Facts;
use super::fingerprint::Fingerprint;

/// For one statement: the slowest takes half a second with ten thousand tables.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Schemas that belong to the server.
const SYSTEM: &str = "('pg_catalog', 'information_schema', 'pg_toast')";

/// A transaction in which the catalogue is asked.
pub(super) struct Asked<'c>(Transaction<'c>);

impl<'c> Asked<'c> {
    /// Begins. Names are written with their schemas from here on.
    async fn begin(client: &'c mut Client) -> Result<Self, tokio_postgres::Error> {
        let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = builder.read_only(true).start().await?;
        let timeout = STATEMENT_TIMEOUT.as_millis();
        transaction
            .batch_execute(&format!("set local search_path = ''; set local statement_timeout = {timeout}"))
            .await?;
        Ok(Self(transaction))
    }

    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.0.query_typed(&sql.replace("$system", SYSTEM), &[]).await
    }

    pub(super) async fn rows_of(
        &self,
        sql: &str,
        argument: &(dyn ToSql + Sync),
        kind: Type,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.0.query_typed(&sql.replace("$system", SYSTEM), &[(argument, kind)]).await
    }
}

/// Reads everything. `schemas` are those that requests can name, where the operator said.
pub(super) async fn facts(
    client: &mut Client,
    schemas: Option<&[String]>,
) -> Result<(Facts, Fingerprint), tokio_postgres::Error> {
    let asked = Asked::begin(client).await?;
    let mut facts = Facts::default();
    server::read(&asked, schemas, &mut facts).await?;
    relations::read(&asked, &mut facts).await?;
    functions::read(&asked, &mut facts).await?;
    let fingerprint = Fingerprint::ask(&asked).await?;
    Ok((facts, fingerprint))
}

/// Reads only the fingerprint.
pub(super) async fn fingerprint(client: &mut Client) -> Result<Fingerprint, tokio_postgres::Error> {
    Fingerprint::ask(&Asked::begin(client).await?).await
}
