//! Does the SQL in `docs/changes.md`, run in a real PostgreSQL, tell a real proxy what changed behind its back?
//!
//! `pg_net` and the Vault are Supabase's own; functions and a view of the same shape stand in for them, and what
//! would have been sent is sent here, after the commit, as a worker would.

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[allow(dead_code, reason = "other tests read the log")]
#[path = "started/mod.rs"]
mod started;

use std::fs;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tokio_postgres::NoTls;

use started::{Larder, Upstream, in_repository};

const TOKEN: &str = "a token for the database";

/// What Supabase has and a plain PostgreSQL has not.
const STAND_INS: &str = "
create schema vault;
create table vault.kept (name text unique, decrypted_secret text);
create view vault.decrypted_secrets as select * from vault.kept;
create function vault.create_secret(new_secret text, new_name text) returns void language sql as
  'insert into vault.kept values (new_name, new_secret)';
create schema net;
create table net.sent (id bigint generated always as identity, url text, body jsonb, headers jsonb);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{\"Content-Type\": \"application/json\"}', timeout_milliseconds integer default 5000
) returns bigint language sql as
  'insert into net.sent (url, body, headers) values (url, body, headers) returning id';
";

const RULES: &str = r#"version: 1
reads:
- { name: one, match: /rest/v1/properties, where: { id: eq.* }, namespace: properties, key: "detail:{id}", ttl: 10m, scope: token }
- { name: city, match: /rest/v1/properties, where: { city: eq.* }, namespace: properties, key: "city:{city}", ttl: 10m, scope: token }
schema: { rows: { properties: [id, city] } }
"#;

struct Stage {
    _upstream: Upstream,
    larder: Larder,
    database: tokio_postgres::Client,
    pool: Client<HttpConnector, Full<Bytes>>,
    key: String,
}

impl Stage {
    async fn start() -> Self {
        let upstream = Upstream::start(&[]);
        let told: Value = serde_json::from_str(&upstream.keys).unwrap();
        let (database, connection) =
            tokio_postgres::connect(told["databases"][0].as_str().unwrap(), NoTls).await.unwrap();
        #[allow(clippy::disallowed_methods, reason = "ends with the client")]
        tokio::spawn(connection);
        let rules = std::env::temp_dir().join(format!("larder-feed-{}.yaml", std::process::id()));
        fs::write(&rules, RULES).unwrap();
        let larder = Larder::start(
            rules.to_str().unwrap(),
            &upstream.servers[0],
            &[("LARDER_CHANGES_TOKEN", TOKEN), ("LARDER_ADMIN_TOKEN", "a token for operators")],
        );
        let key = told["publishableKey"].as_str().unwrap().to_owned();
        let pool = Client::builder(TokioExecutor::new()).build_http();
        Self { _upstream: upstream, larder, database, pool, key }
    }

    async fn ask(
        &self,
        method: Method,
        url: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> (u16, HeaderMap, Bytes) {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().unwrap();
        *request.headers_mut() = headers;
        let (head, body) = self.pool.request(request).await.unwrap().into_parts();
        (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
    }

    /// Is this answered from the cache? And with what.
    async fn read(&self, query: &str) -> (bool, Value) {
        let headers =
            HeaderMap::from_iter([("apikey".parse().unwrap(), HeaderValue::from_str(&self.key).unwrap())]);
        let url = format!("{}/rest/v1/properties?{query}", self.larder.address);
        let (status, headers, body) = self.ask(Method::GET, url, headers, Bytes::new()).await;
        assert_eq!(status, 200, "{body:?}");
        let is_hit = headers["cache-status"].to_str().unwrap().contains("; hit;");
        (is_hit, serde_json::from_slice(&body).unwrap())
    }

    /// Which of these are answered anew.
    async fn gone<'q>(&self, queries: &[&'q str]) -> Vec<&'q str> {
        let mut gone = Vec::new();
        for query in queries {
            if !self.read(query).await.0 {
                gone.push(*query);
            }
        }
        gone
    }

    /// Sends what was to be sent, and says what that was.
    async fn deliver(&self) -> Vec<Value> {
        let taken = "with taken as (delete from net.sent returning *) select url, body::text, headers::text from taken order by id";
        let mut bodies = Vec::new();
        for row in self.database.query(taken, &[]).await.unwrap() {
            let (url, body, headers): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            assert_eq!(url, "https://larder.example.com/api/changes");
            let headers: Map<String, Value> = serde_json::from_str(&headers).unwrap();
            let headers = headers.iter().map(|(name, value)| {
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                (HeaderName::try_from(name).unwrap(), value)
            });
            let url = format!("{}/api/changes", self.larder.admin);
            let (status, _, said) = self.ask(Method::POST, url, headers.collect(), body.clone().into()).await;
            assert_eq!(status, 200, "{body}: {said:?} {}", self.larder.last_lines());
            bodies.push(serde_json::from_str(&body).unwrap());
        }
        bodies
    }
}

/// The blocks of SQL in a page.
fn sql_of(page: &str) -> Vec<String> {
    let blocks = page.split("```sql\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_written_around_the_proxy_is_told_row_by_row() {
    let stage = Stage::start().await;
    stage.database.batch_execute(STAND_INS).await.unwrap();
    let page = fs::read_to_string(in_repository("docs/changes.md")).unwrap();
    let blocks = sql_of(&page);
    assert_eq!(blocks.len(), 2);
    for block in &blocks {
        stage.database.batch_execute(&block.replace("<the token>", TOKEN)).await.unwrap();
    }
    let ids = "select id, city from properties where status = 'published' order by id limit 2";
    let rows = stage.database.query(ids, &[]).await.unwrap();
    let (first, second): (i32, i32) = (rows[0].get(0), rows[1].get(0));
    let city: String = rows[0].get(1);
    let (one, other) = (format!("id=eq.{first}&select=id,price"), format!("id=eq.{second}&select=id,price"));
    let (here, there) = (
        format!("city=eq.{}&select=id", utf8_percent_encode(&city, NON_ALPHANUMERIC)),
        "city=eq.Nowhere&select=id".to_owned(),
    );
    let all = [one.as_str(), other.as_str(), here.as_str(), there.as_str()];
    let run = async |sql: String| stage.database.batch_execute(&sql).await.unwrap();

    stage.gone(&all).await;
    assert_eq!(stage.gone(&all).await, [] as [&str; 0]);
    run(format!("update properties set price = 77 where id = {first}")).await;
    assert_eq!(stage.gone(&all).await, [] as [&str; 0], "nobody has told yet: the old row is served");
    let told = stage.deliver().await;
    assert_eq!(told.len(), 1, "one request for a statement");
    assert_eq!(
        told[0][0]["record"],
        serde_json::json!({ "id": first, "city": city }),
        "these columns and no others"
    );
    assert_eq!(stage.read(&one).await, (false, serde_json::json!([{ "id": first, "price": 77 }])));
    assert_eq!(stage.gone(&all).await, [here.as_str()], "its city's list, and no other row");

    run(format!("update properties set city = 'Nowhere' where id = {first}")).await;
    stage.deliver().await;
    assert_eq!(stage.gone(&all).await, [one.as_str(), &here, &there], "a row that moves is in both cities");

    run("update properties set price = 1 where id = -1; delete from properties where id = -1".to_owned())
        .await;
    assert_eq!(stage.deliver().await, [] as [Value; 0], "no row, no request");

    run(format!("delete from properties where id = {second}")).await;
    stage.deliver().await;
    assert!(stage.gone(&all).await.contains(&other.as_str()));
    assert_eq!(stage.read(&other).await.1, serde_json::json!([]));

    stage.gone(&all).await;
    let owner = "(select owner_id from properties limit 1)";
    let many = format!(
        "insert into properties (id, title, city, price, owner_id) select 900000 + n, 't', 'Far', 1, {owner} from generate_series(1, 1001) n"
    );
    run(many).await;
    let told = stage.deliver().await;
    assert_eq!((told.len(), &told[0]["type"], told[0].get("record")), (1, &Value::from("INSERT"), None));
    assert_eq!(stage.gone(&all).await, all, "more rows than are named are all rows");

    run("begin; update properties set price = 5; rollback".to_owned()).await;
    assert_eq!(stage.deliver().await, [] as [Value; 0], "what was rolled back is not told");
    run("truncate properties cascade".to_owned()).await;
    let told = stage.deliver().await;
    assert_eq!(told[0]["type"], "TRUNCATE");
    assert_eq!(stage.read(&one).await, (false, serde_json::json!([])));
}
