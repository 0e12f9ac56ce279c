//! What stands where Supabase would stand? A small server with a slow answer and a few tables.
//!
//! It speaks the part of PostgREST that `query` and `change` know, takes
//! 250 ms for every answer as a far database would, and says who it is: in
//! `Server`, on its root, and in the code of every "cannot".

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE, SERVER,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;

use super::change::Wanted;
use super::data;
use super::moment::timestamp_of;
use super::query::Query;
use super::refusal::Refusal;
use super::table::{Row, Table};

/// How long every answer takes: a query with a few joins, from another continent.
pub(super) const ANSWER_TAKES: Duration = Duration::from_millis(250);

/// Bytes of a request's body: more than a person types.
const BODY_BYTES_MAX: usize = 256 * 1024;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const OBJECT: &str = "application/vnd.pgrst.object+json";
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const ROOT: &str = "This is the stand-in for Supabase that comes with `larder demo`.\n\
    It keeps made-up tables in memory, waits 250 ms before every answer, has no\n\
    row-level security and checks no foreign keys. Its tables are under /rest/v1/.\n";

type Answer = Result<Response<Full<Bytes>>, Refusal>;

/// The stand-in: its tables and its clock.
#[derive(Debug)]
struct StandIn {
    /// A plain mutex: held while one request is answered, never across a wait.
    tables: Mutex<Vec<Table>>,
    clock: Clock,
}

/// Serves the stand-in on a free port of this machine until `stopping`.
pub(super) async fn start(tasks: &TaskTracker, stopping: &CancellationToken) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let stand_in = Arc::new(StandIn { tables: Mutex::new(data::tables()), clock: Clock::default() });
    let (connections, stopping) = (tasks.clone(), stopping.clone());
    tasks.spawn(async move {
        while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
            // a connection that failed while it was accepted is its client's affair
            let Ok((socket, _)) = accepted else { continue };
            let (stand_in, stopping) = (Arc::clone(&stand_in), stopping.clone());
            connections.spawn(async move {
                let service = service_fn(|request| {
                    let stand_in = Arc::clone(&stand_in);
                    async move { Ok::<_, std::convert::Infallible>(stand_in.answer(request).await) }
                });
                let server = auto::Builder::new(TokioExecutor::new());
                let served = server.serve_connection(TokioIo::new(socket), service);
                // likewise: a client that leaves in the middle ends its own connection
                let _broken = stopping.run_until_cancelled(served).await;
            });
        }
    });
    Ok(address)
}

impl StandIn {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        // half on the way there, half on the way back: the tables are read in between
        tokio::time::sleep(ANSWER_TAKES / 2).await;
        let answer = match body {
            Ok(body) => self.route(&head, &body.to_bytes()),
            Err(_) => Err(Refusal::large_body()),
        };
        tokio::time::sleep(ANSWER_TAKES / 2).await;
        let mut response = answer.unwrap_or_else(|refusal| refused(&refusal));
        response.headers_mut().insert(SERVER, HeaderValue::from_static("larder-demo"));
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }

    fn route(&self, head: &Parts, body: &Bytes) -> Answer {
        let path = head.uri.path();
        let Some(name) = path.strip_prefix("/rest/v1/") else {
            return match (path, &head.method) {
                (_, &Method::OPTIONS) => Ok(preflight()),
                ("/", _) => Ok(Response::new(ROOT.into())),
                (_, _) => Err(Refusal::not_in_the_demo(&format!("`{path}`"))),
            };
        };
        if head.method == Method::OPTIONS {
            return Ok(preflight());
        }
        if let Some(function) = name.strip_prefix("rpc/") {
            return Err(Refusal::no_function(function));
        }
        let asked = Asked::of(head)?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let raw_query = head.uri.query().unwrap_or_default();
        if let Some(view) = data::view(name) {
            let shown = seen_through(&view, &tables)?;
            return match head.method {
                Method::GET | Method::HEAD => read(&shown, &Query::parse(raw_query, &shown)?, &asked),
                _ => Err(Refusal::not_in_the_demo("writes to views")),
            };
        }
        let table = tables.iter_mut().find(|table| table.name == name);
        let table = table.ok_or_else(|| Refusal::no_table(name))?;
        let query = Query::parse(raw_query, table)?;
        match head.method {
            Method::GET | Method::HEAD => read(table, &query, &asked),
            Method::POST | Method::PATCH | Method::DELETE => self.write(table, &query, &asked, body),
            _ => Err(Refusal::not_in_the_demo(head.method.as_str())),
        }
    }

    fn write(&self, table: &mut Table, query: &Query, asked: &Asked, body: &Bytes) -> Answer {
        let json = || serde_json::from_slice(body).map_err(|_| Refusal::bad_body());
        let now = timestamp_of(self.clock.unix_seconds());
        let (status, rows) = match asked.method {
            Method::POST if query.has_filters() || query.pages() => {
                return Err(Refusal::not_in_the_demo("filters on an insert"));
            }
            Method::POST => (StatusCode::CREATED, table.insert(&json()?, &now, asked.wanted)?),
            Method::PATCH => (StatusCode::OK, table.update(query, &json()?, &now, asked.wanted)?),
            _ => (StatusCode::OK, table.delete(query, asked.wanted)?),
        };
        if !asked.returns_rows {
            let status = if status == StatusCode::OK { StatusCode::NO_CONTENT } else { status };
            return Ok(response(status, Bytes::new(), None));
        }
        let body = written(table, &rows.iter().collect::<Vec<_>>(), query, asked);
        let mut response = response(status, body, Some("*/*"));
        let applied = HeaderValue::from_static("return=representation");
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        Ok(response)
    }
}

/// What the head of a request asks for, beside its query.
#[derive(Debug)]
struct Asked {
    method: Method,
    wanted: Wanted,
    returns_rows: bool,
    counts: bool,
}

impl Asked {
    fn of(head: &Parts) -> Result<Self, Refusal> {
        let headers = &head.headers;
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        for name in ["accept-profile", "content-profile"] {
            if headers.get(name).is_some_and(|profile| profile != "public") {
                return Err(Refusal::no_schema());
            }
        }
        if headers.contains_key(RANGE) {
            return Err(Refusal::not_in_the_demo("the header Range; use limit= and offset="));
        }
        let is_json = text(&CONTENT_TYPE).is_none_or(|kind| kind.starts_with("application/json"));
        if !is_json {
            return Err(Refusal::not_in_the_demo("bodies other than application/json"));
        }
        let mut asked = Self {
            method: head.method.clone(),
            wanted: wanted(text(&ACCEPT))?,
            returns_rows: false,
            counts: false,
        };
        for line in headers.get_all("prefer") {
            for token in line.to_str().unwrap_or_default().split(',').map(str::trim) {
                match token {
                    "return=representation" => asked.returns_rows = true,
                    "count=exact" => asked.counts = true,
                    "return=minimal" | "missing=default" | "handling=lenient" | "" => {}
                    other => return Err(Refusal::not_in_the_demo(&format!("Prefer: {other}"))),
                }
            }
        }
        Ok(asked)
    }
}

fn wanted(accept: Option<&str>) -> Result<Wanted, Refusal> {
    let accept = accept.unwrap_or("*/*");
    let types = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let mut known = types.filter_map(|kind| match kind {
        "application/json" | "*/*" => Some(Wanted::Rows),
        OBJECT | "application/vnd.pgrst.object" => Some(Wanted::OneRow),
        _ => None,
    });
    known.next().ok_or_else(|| Refusal::no_media_type(accept))
}

fn seen_through(view: &data::View, tables: &[Table]) -> Result<Table, Refusal> {
    let table = tables.iter().find(|table| table.name == view.table);
    let table = table.ok_or_else(|| Refusal::no_table(view.table))?;
    let filter = Query::parse(view.filter, table)?;
    let rows: Vec<&Row> = table.rows.iter().filter(|row| filter.admits(row)).collect();
    Ok(table.narrowed(view.name, view.columns, &rows))
}

fn read(table: &Table, query: &Query, asked: &Asked) -> Answer {
    let (rows, total) = query.page(table);
    if asked.counts && query.offset > total {
        return Err(Refusal::range_beyond(query.offset, total));
    }
    asked.wanted.check(rows.len())?;
    let shown = if asked.counts { total.to_string() } else { "*".to_owned() };
    let range = match rows.len() {
        0 => format!("*/{shown}"),
        count => format!("{}-{}/{shown}", query.offset, query.offset + count - 1),
    };
    let is_part = asked.counts && rows.len() < total;
    let status = if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok(response(status, written(table, &rows, query, asked), Some(&range)))
}

fn written(table: &Table, rows: &[&Row], query: &Query, asked: &Asked) -> Bytes {
    let objects: Vec<String> = rows.iter().map(|row| table.object(row, &query.selected)).collect();
    match asked.wanted {
        Wanted::Rows => format!("[{}]", objects.join(",\n ")).into(),
        Wanted::OneRow => objects.concat().into(),
    }
}

fn response(status: StatusCode, body: Bytes, range: Option<&str>) -> Response<Full<Bytes>> {
    let has_body = !body.is_empty();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    if has_body {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    if let Some(range) = range.and_then(|range| HeaderValue::from_str(range).ok()) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = response(refusal.status, refusal.body().into(), None);
    if let Ok(status) = HeaderValue::try_from(format!("PostgREST; error={}", refusal.code())) {
        response.headers_mut().insert(PROXY_STATUS, status);
    }
    response
}

fn preflight() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET,POST,PATCH,DELETE,OPTIONS,HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization,apikey,content-type,prefer,x-client-info"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::client::legacy::Client;
    use serde_json::Value;

    /// A request and what its answer must be: method, target, headers, body, status, beginning of the body.
    type Story = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
        u16,
        &'static str,
    );

    const STORIES: &[Story] = &[
        ("GET", "/", &[], "", 200, "This is the stand-in"),
        (
            "GET",
            "/rest/v1/amenities?select=label,id&limit=1&order=id",
            &[],
            "",
            200,
            r#"[{"label":"Wi-Fi","id":1}]"#,
        ),
        ("GET", "/rest/v1/amenities?id=eq.1", &[("accept", OBJECT)], "", 200, r#"{"id":1,"code":"wifi""#),
        ("GET", "/rest/v1/amenities", &[("accept", OBJECT)], "", 406, r#"{"code":"PGRST116""#),
        ("GET", "/rest/v1/amenities", &[("accept", "text/csv")], "", 406, r#"{"code":"PGRST107""#),
        ("GET", "/rest/v1/amenities?limit=2", &[("prefer", "count=exact")], "", 206, "[{"),
        (
            "GET",
            "/rest/v1/amenities?offset=99",
            &[("prefer", "count=exact")],
            "",
            416,
            r#"{"code":"PGRST103""#,
        ),
        ("GET", "/rest/v1/amenities", &[("range", "0-1")], "", 501, r#"{"code":"DEMO01""#),
        ("GET", "/rest/v1/amenities", &[("accept-profile", "other")], "", 406, r#"{"code":"PGRST106""#),
        ("GET", "/rest/v1/published_properties?id=eq.1", &[], "", 200, r#"[{"id":1,"title":"#),
        ("GET", "/rest/v1/published_properties?bedrooms=eq.1", &[], "", 400, r#"{"code":"42703""#),
        ("GET", "/rest/v1/nothing", &[], "", 404, r#"{"code":"PGRST205""#),
        ("POST", "/rest/v1/rpc/anything", &[], "{}", 404, r#"{"code":"PGRST202""#),
        ("GET", "/storage/v1/object/x", &[], "", 501, r#"{"code":"DEMO01""#),
        ("PUT", "/rest/v1/amenities?id=eq.1", &[], "{}", 501, r#"{"code":"DEMO01""#),
        (
            "POST",
            "/rest/v1/amenities",
            &[("prefer", "resolution=merge-duplicates")],
            "{}",
            501,
            r#"{"code":"DEMO01""#,
        ),
        ("POST", "/rest/v1/amenities", &[("content-type", "text/csv")], "a", 501, r#"{"code":"DEMO01""#),
        ("POST", "/rest/v1/amenities", &[], "nonsense", 400, r#"{"code":"PGRST102""#),
        ("DELETE", "/rest/v1/amenities", &[], "", 400, r#"{"code":"21000""#),
        ("PATCH", "/rest/v1/properties?id=eq.5", &[], r#"{"price":5}"#, 204, ""),
        (
            "PATCH",
            "/rest/v1/properties?id=eq.5&select=id,price",
            &[("prefer", "return=representation")],
            r#"{"price":7}"#,
            200,
            r#"[{"id":5,"price":7}]"#,
        ),
        (
            "POST",
            "/rest/v1/notifications?select=user_id,title",
            &[("prefer", "return=representation"), ("content-type", "application/json")],
            r#"{"user_id":1,"kind":"visit","title":"x"}"#,
            201,
            r#"[{"user_id":1,"title":"x"}]"#,
        ),
        ("OPTIONS", "/rest/v1/amenities", &[], "", 200, ""),
    ];

    #[tokio::test]
    async fn it_answers_like_postgrest_or_says_that_it_cannot() {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let address = start(&tasks, &stopping).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let mut asking = tokio::task::JoinSet::new();
        for (method, target, headers, body, status, beginning) in STORIES {
            let mut request = Request::builder().method(*method).uri(format!("http://{address}{target}"));
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let answer = client.request(request.body(Full::from(*body)).unwrap());
            asking.spawn(async move {
                let (head, body) = answer.await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                assert_eq!(head.status, *status, "{method} {target}: {body}");
                assert_eq!(head.headers[SERVER], "larder-demo", "{method} {target}");
                assert_eq!(head.headers.contains_key(PROXY_STATUS), *status >= 400, "{method} {target}");
                // one row of a table has its columns in their own order, whatever else it holds
                let is_as_told = body.starts_with(beginning) || error_code(&body) == error_code(beginning);
                assert!(is_as_told, "{method} {target}: {body}");
                assert!(!beginning.is_empty() || body.is_empty(), "{method} {target}: {body}");
            });
        }
        while let Some(done) = asking.join_next().await {
            done.unwrap();
        }
        drop(client);
        stopping.cancel();
        tasks.close();
        tasks.wait().await;
    }

    fn error_code(body: &str) -> Option<String> {
        let whole = if body.ends_with('}') { body.to_owned() } else { format!("{body}}}") };
        let error: Value = serde_json::from_str(&whole).ok()?;
        Some(error.get("code")?.as_str()?.to_owned()).filter(|_| error.get("id").is_none())
    }
}
