//! `larder schema`: learn from the database, and tell when it has moved on.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Limited};

use crate::clock::Clock;
use crate::rules::{Learned, SCHEMA_FILE_BYTES_MAX};
use crate::schema::{self, DatabaseUrl, differences, from_openapi, learned, written};
use crate::upstream::{Deadlines, Origin, Outgoing, Upstream, client_tls};
use crate::workers::Workers;

use super::check;
use super::exit::{Exit, print, say};
use super::serve::chain;

/// Where PostgREST describes itself.
const ROOT: &str = "/rest/v1/";

/// For the root document: PostgREST makes it anew for each request.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(30);
const UPSTREAM_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask the database and write down what was learned
    Pull(PullFlags),
    /// Tell what has changed since; exit code 1 if anything has
    Diff(DiffFlags),
}

/// Which database.
#[derive(Args, Debug)]
struct DatabaseFlags {
    /// The database, as in postgres://postgres:password@host:5432/postgres; SUPABASE_DB_URL is read where this is not given
    #[arg(long, env = "LARDER_DB", value_name = "URL", hide_env_values = true)]
    db: Option<String>,
    /// Schemas that requests can name, comma separated [default: PostgREST's own setting, else public]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    schemas: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct PullFlags {
    #[command(flatten)]
    database: DatabaseFlags,
    /// File to write, or `-` for standard output
    #[arg(long, value_name = "FILE", default_value = "schema.yaml")]
    out: PathBuf,
    /// Ask PostgREST's root document instead of a database; far less can be learned
    #[arg(long, conflicts_with = "db")]
    openapi: bool,
    /// With --openapi: Supabase or PostgREST; SUPABASE_URL is read where this is not given
    #[arg(long, env = "LARDER_UPSTREAM", value_name = "URL", hide_env_values = true)]
    upstream: Option<String>,
    /// With --openapi: key to ask with; SUPABASE_SERVICE_ROLE_KEY or SUPABASE_ANON_KEY are read where this is not given
    #[arg(long, env = "LARDER_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct DiffFlags {
    #[command(flatten)]
    database: DatabaseFlags,
    /// File that was written by `larder schema pull`
    #[arg(long, value_name = "FILE", default_value = "schema.yaml")]
    file: PathBuf,
}

/// What ends a command early: words and a code.
type Failed = (String, Exit);

pub(super) fn run(command: &Command) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&chain(&error));
            return Exit::Failure;
        }
    };
    let done = runtime.block_on(async {
        match command {
            Command::Pull(flags) => pull(flags).await,
            Command::Diff(flags) => diff(flags).await,
        }
    });
    done.unwrap_or_else(|(words, exit)| {
        say(&words);
        exit
    })
}

async fn pull(flags: &PullFlags) -> Result<Exit, Failed> {
    let learned = if flags.openapi { ask_root(flags).await? } else { ask(&flags.database, &[]).await? };
    let text = written(&learned);
    if flags.out == Path::new("-") {
        print(&text);
        return Ok(Exit::Success);
    }
    std::fs::write(&flags.out, text).map_err(|error| {
        (format!("error: cannot write `{}`: {error}\n", flags.out.display()), Exit::Failure)
    })?;
    print(&summary(&flags.out, &learned));
    Ok(Exit::Success)
}

async fn diff(flags: &DiffFlags) -> Result<Exit, Failed> {
    let file = flags.file.display();
    let text = std::fs::read_to_string(&flags.file)
        .map_err(|error| (format!("error: cannot read `{file}`: {error}\n"), Exit::Configuration))?;
    let known = Learned::parse(&text)
        .map_err(|mistakes| (check::mistakes_text(&file.to_string(), &mistakes), Exit::Configuration))?;
    let now = ask(&flags.database, &known.schemas).await?;
    let differences = differences(&known, &now);
    for difference in &differences {
        print(&difference.to_string());
    }
    if !differences.is_empty() {
        print(&format!("{} differ; `larder schema pull` writes `{file}` anew\n", differences.len()));
        return Ok(Exit::Failure);
    }
    if known.source.fingerprint == now.source.fingerprint {
        print(&format!("{file} is what the database says\n"));
        return Ok(Exit::Success);
    }
    print(&format!(
        "nothing that {file} says has changed, but a definition or a grant behind it has: \
         `larder schema pull` takes note of it\n"
    ));
    Ok(Exit::Failure)
}

/// Asks the database; `schemas` are those of an earlier time.
async fn ask(flags: &DatabaseFlags, schemas: &[String]) -> Result<Learned, Failed> {
    let text = flags.db.clone().or_else(|| variable("SUPABASE_DB_URL")).ok_or_else(|| {
        let words = "error: --db is missing: give the URL of the database, as in \
                     postgres://postgres:password@host:5432/postgres\n";
        (words.to_owned(), Exit::Usage)
    })?;
    let url =
        DatabaseUrl::parse(&text).map_err(|mistake| (format!("error: --db: {mistake}\n"), Exit::Usage))?;
    let asked = if flags.schemas.is_empty() { schemas } else { &flags.schemas };
    let asked = schema::ask(&url, (!asked.is_empty()).then_some(asked)).await;
    let (facts, fingerprint) = asked.map_err(|error| (chain(&error), Exit::Unavailable))?;
    if let Some(missing) = facts.missing_schema() {
        let words = format!("error: the database has no schema `{missing}` (hint: --schemas names them)\n");
        return Err((words, Exit::Usage));
    }
    Ok(learned(&facts, &fingerprint, &Clock::default().timestamp()))
}

/// Asks PostgREST for its own description.
async fn ask_root(flags: &PullFlags) -> Result<Learned, Failed> {
    let usage = |words: String| (words, Exit::Usage);
    let origin = flags.upstream.clone().or_else(|| variable("SUPABASE_URL"));
    let origin = origin.ok_or_else(|| usage("error: --openapi needs --upstream\n".to_owned()))?;
    let origin =
        Origin::parse(&origin).map_err(|mistake| usage(format!("error: --upstream: {mistake}\n")))?;
    let schema = match &flags.database.schemas[..] {
        [] => "public",
        [schema] => schema,
        _ => return Err(usage("error: --openapi takes one of --schemas at a time\n".to_owned())),
    };
    let keys = ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY"];
    let key = flags.key.clone().or_else(|| keys.iter().find_map(|name| variable(name)));
    let headers = headers(key.as_deref(), schema)
        .ok_or_else(|| usage("error: the key or the schema is not the text of a header\n".to_owned()))?;
    let deadlines = Deadlines { connect: UPSTREAM_CONNECT_TIMEOUT, answer: UPSTREAM_TIMEOUT };
    let upstream = Upstream::new(origin, deadlines, client_tls(), &Workers::here());
    let failed = |error: &dyn Error| (chain(error), Exit::Unavailable);
    let answer =
        upstream.read(|| Outgoing::new(Method::GET, Uri::from_static(ROOT), headers.clone(), None)).await;
    let answer = answer.map_err(|failure| failed(&failure))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), SCHEMA_FILE_BYTES_MAX).collect().await;
    let body = body.map_err(|error| (format!("error: {error}\n"), Exit::Unavailable))?.to_bytes();
    let now = Clock::default().timestamp();
    let learned = std::str::from_utf8(&body).ok().and_then(|text| from_openapi(text, schema, &now));
    learned.ok_or_else(|| {
        let words = format!(
            "error: the upstream answers {status} and no description of a schema (hint: hosted Supabase shows \
             it to the service key only)\n"
        );
        (words, Exit::Unavailable)
    })
}

fn headers(key: Option<&str>, schema: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/openapi+json"));
    headers.insert(HeaderName::from_static("accept-profile"), HeaderValue::try_from(schema).ok()?);
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("apikey"), HeaderValue::try_from(key).ok()?);
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")).ok()?);
    }
    Some(headers)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn summary(file: &Path, learned: &Learned) -> String {
    let relations: usize = learned.relations.values().map(Vec::len).sum();
    let unsure: usize = learned.unsure.values().map(std::collections::BTreeMap::len).sum();
    let told = format!(
        "{}: {} tables and views, {} functions, {relations} relationships, {unsure} unsure\n",
        file.display(),
        learned.tables.len(),
        learned.functions.len(),
    );
    let hint = if unsure > 0 { "`larder check` tells what is unsure and how to confirm it\n" } else { "" };
    told + hint
}
