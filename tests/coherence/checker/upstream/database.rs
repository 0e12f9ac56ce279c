//! What is done in PostgreSQL?

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};

use super::super::words::{Change, Register, Version, Who};
use super::super::world::Postgres;
use super::answer::error;
use super::asked::{Reading, Source, Writing};

/// Connections for reads, each with many under way: PostgreSQL answers them in order.
const READERS: usize = 4;
/// Transactions at a time; they wait for one another's rows, so there are more than cores.
const WRITERS: usize = 16;

const ROWS: &str = "select k, k, owner, ver, canary from kv \
                    where owner = any($1) and ($2::int[] is null or k = any($2)) order by k";
const CHILDREN: &str = "select k, id, owner, ver, canary from child \
                        where owner = any($1) and ($2::int[] is null or k = any($2)) order by k";
const BOTH: &str = "select kv.k, kv.k, kv.owner, kv.ver, kv.canary, c.ver, c.canary from kv left join child c using (k) \
                    where kv.owner = any($1) and ($2::int[] is null or kv.k = any($2)) order by kv.k";
const FUNCTIONS: [&str; 5] = ["write_patch", "write_child", "write_delete", "write_upsert", "write_insert"];

/// Connections, each with its statements prepared.
#[derive(Debug)]
pub(crate) struct Database {
    readers: Vec<Reader>,
    next: AtomicUsize,
    writers: Vec<Arc<Mutex<Writer>>>,
    free: Arc<Semaphore>,
}

struct Reader {
    client: Client,
    rows: Statement,
    both: Statement,
    children: Statement,
}

struct Writer {
    client: Client,
    functions: HashMap<&'static str, Statement>,
}

/// A row as it is shown.
#[derive(Debug)]
pub(super) struct Row {
    source: Source,
    key: i32,
    id: i32,
    owner: String,
    version: i64,
    canary: String,
    child: Option<(i64, String)>,
}

/// A transaction that waits for its commit.
pub(super) struct Open {
    writer: OwnedMutexGuard<Writer>,
    pub(super) changes: Vec<Change>,
    _turn: tokio::sync::OwnedSemaphorePermit,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("PostgreSQL")]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection is free")]
    Lost,
}

impl Database {
    /// Makes a database, with the tables as they are in the beginning. Each run has its own: what the last one
    /// began may still go on.
    pub(crate) async fn create(
        postgres: &Postgres,
        name: &str,
        schema: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let first = connect(&postgres.first()).await?;
        first.batch_execute(&format!("create database {name}")).await?;
        let url = &postgres.database(name);
        connect(url).await?.batch_execute(schema).await?;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let client = connect(url).await?;
            let (rows, both) = (client.prepare(ROWS).await?, client.prepare(BOTH).await?);
            let children = client.prepare(CHILDREN).await?;
            readers.push(Reader { client, rows, both, children });
        }
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let client = connect(url).await?;
            let mut functions = HashMap::new();
            for name in FUNCTIONS {
                let call = format!("select r, ver, is_there from {name}($1, $2)");
                functions.insert(name, client.prepare(&call).await?);
            }
            writers.push(Arc::new(Mutex::new(Writer { client, functions })));
        }
        let free = Arc::new(Semaphore::new(WRITERS));
        Ok(Self { readers, next: AtomicUsize::new(0), writers, free })
    }

    pub(super) async fn read(&self, reading: &Reading, who: Who) -> Result<Vec<Row>, tokio_postgres::Error> {
        let reader = &self.readers[self.next.fetch_add(1, Ordering::Relaxed) % READERS];
        let statement = match reading.source {
            Source::Rows => &reader.rows,
            Source::RowsWithChildren => &reader.both,
            Source::Children => &reader.children,
        };
        let owners = vec![who.name(), Who::ANYBODY.name()];
        let rows = reader.client.query(statement, &[&owners, &reading.keys]).await?;
        let rows = rows.iter().map(|row| Row {
            source: reading.source,
            key: row.get(0),
            id: row.get(1),
            owner: row.get(2),
            version: row.get(3),
            canary: row.get(4),
            child: match reading.source {
                Source::RowsWithChildren => row.get::<_, Option<i64>>(5).zip(row.get(6)),
                Source::Rows | Source::Children => None,
            },
        });
        Ok(rows.collect())
    }

    /// Changes rows in a transaction that is left open.
    pub(super) async fn write(&self, writing: &Writing, who: Who) -> Result<Open, Refused> {
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(|_closed| Refused::Lost)?;
        // with a turn there is one that is free
        let free = self.writers.iter().find_map(|writer| Arc::clone(writer).try_lock_owned().ok());
        let writer = free.ok_or(Refused::Lost)?;
        writer.client.batch_execute("begin").await?;
        let statement = &writer.functions[writing.function];
        match writer.client.query(statement, &[&writing.keys, &who.name()]).await {
            Ok(rows) => {
                let changes = rows.iter().map(|row| Change {
                    register: Register::at(usize::try_from(row.get::<_, i32>(0)).unwrap_or_default()),
                    version: Version::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
                    is_there: row.get(2),
                });
                let changes = changes.collect();
                Ok(Open { changes, writer, _turn: turn })
            }
            Err(refused) => {
                writer.client.batch_execute("rollback").await?;
                Err(Refused::Database(refused))
            }
        }
    }
}

impl Open {
    pub(super) async fn commit(self) -> Result<Vec<Change>, Refused> {
        self.writer.client.batch_execute("commit").await?;
        Ok(self.changes)
    }
}

impl Row {
    pub(super) fn to_json(&self) -> Value {
        let Self { key, id, owner, version, canary, .. } = self;
        match self.source {
            Source::Rows => json!({"k": key, "owner": owner, "ver": version, "canary": canary}),
            Source::Children => json!({"id": id, "k": key, "owner": owner, "ver": version, "canary": canary}),
            Source::RowsWithChildren => {
                let child = self.child.iter().map(|(version, canary)| {
                    json!({"id": id, "k": key, "owner": owner, "ver": version, "canary": canary})
                });
                let child: Vec<Value> = child.collect();
                json!({"k": key, "owner": owner, "ver": version, "canary": canary, "child": child})
            }
        }
    }
}

impl Refused {
    /// As PostgREST says it.
    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        match self {
            Self::Database(failure) if failure.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                error(StatusCode::CONFLICT, "23505", "duplicate key value violates unique constraint")
            }
            Self::Database(failure) => {
                error(StatusCode::SERVICE_UNAVAILABLE, "PGRST001", &failure.to_string())
            }
            Self::Lost => error(StatusCode::SERVICE_UNAVAILABLE, "PGRST003", &self.to_string()),
        }
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        let _closed = connection.await;
    });
    Ok(client)
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}
