//! Does `larder schema` learn fast, tell when the database has moved on, and say clearly what is wrong?

#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]
#![allow(clippy::disallowed_methods, reason = "how long a command takes is what is tested")]

#[path = "../started/pull.rs"]
mod pull;
mod server;
#[path = "../started/mod.rs"]
mod started;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::NoTls;

use pull::Folder;
use server::{Certified, answering, error, old_server};
use started::{Larder, Upstream};

/// For a slow machine under load; a healthy one needs a few milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The largest database that is promised to be learned within five seconds.
const PULL_MAX: Duration = Duration::from_secs(5);

fn larder(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    for name in ["LARDER_DB", "SUPABASE_DB_URL", "LARDER_UPSTREAM", "SUPABASE_URL"] {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("larder runs")
}

/// What a command says, and its code.
fn said(output: &Output) -> (String, i32) {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    (String::from_utf8_lossy(&both).into_owned(), output.status.code().unwrap_or(-1))
}

fn database(upstream: &Upstream) -> String {
    let keys: Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
    keys["databases"][0].as_str().expect("a database").to_owned()
}

/// Runs statements in a database.
fn run_sql(database: &str, sql: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.expect("a connection");
        let done = async { client.batch_execute(sql).await };
        tokio::pin!(connection);
        tokio::select! {
            done = done => done.expect("statements that run"),
            ended = &mut connection => panic!("{ended:?}"),
        }
    });
}

#[test]
fn a_database_that_has_moved_on_is_told_line_by_line() {
    let upstream = Upstream::start(&["--servers", "0"]);
    let database = database(&upstream);
    let folder = Folder::new();
    let first = folder.pull(&database, "public");
    let second = folder.pull(&database, "public");
    let apart_from_time = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("pulled: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(apart_from_time(&first), apart_from_time(&second));
    let file = folder.path().join("schema.yaml").display().to_string();
    let diff = || said(&larder(&["schema", "diff", "--db", &database, "--file", &file]));
    assert_eq!(diff(), (format!("{file} is what the database says\n"), 0));

    run_sql(&database, "create view public.cheap as select id from public.properties where price < 100");
    let (told, code) = diff();
    assert_eq!(code, 1, "{told}");
    for line in ["views: public.cheap", "  + public.cheap: [public.properties]", "tables: public.cheap"] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    run_sql(&database, "drop view public.cheap; revoke select on public.amenities from anon");
    let (told, code) = diff();
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("a definition or a grant behind it has"), "{told}");
}

#[test]
fn a_running_proxy_notices_and_drops_what_a_migration_changes() {
    let upstream = Upstream::start(&["--servers", "1"]);
    let database = database(&upstream);
    let folder = Folder::new();
    folder.pull(&database, "public");
    let rules = "version: 1\nreads: [{ match: /rest/v1/*, ttl: 1h }]\nschema: { include: schema.yaml }\n";
    let variables = [
        ("LARDER_SCHEMA_DB", database.as_str()),
        ("LARDER_SCHEMA_INTERVAL", "50ms"),
        ("LARDER_SCHEMA_CHANGED", "drop"),
    ];
    let larder = Larder::start(&folder.file("rules.yaml", rules), &upstream.servers[0], &variables);
    let keys: Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
    let key = format!("apikey: {}\r\n", keys["publishableKey"].as_str().expect("a key"));
    let read = || ask(&larder.address, "/rest/v1/amenities", &key);
    let metric = |name: &str| {
        let text = ask(&larder.admin, "/metrics", "");
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < WAIT_MAX, "waited for {what}:\n{}", larder.last_lines());
            thread::yield_now();
        }
    };
    until("a first look", &|| metric("larder_schema_looks_total{result=\"same\"}") > 0.0);
    read();
    assert!(read().contains("cache-status: larder; hit"));
    assert!(metric("larder_schema_moved_on") < 0.5);

    run_sql(&database, "drop policy amenities_read on public.amenities");
    until("a look that finds the change", &|| metric("larder_schema_looks_total{result=\"changed\"}") > 0.0);
    until("the answer to go", &|| !read().contains("cache-status: larder; hit") || read().ends_with("[]"));
    assert!(read().ends_with("[]"), "what nobody may see any more: {}", read());
    assert!(metric("larder_schema_moved_on") > 0.5);

    folder.pull(&database, "public");
    until("the rules to be read again", &|| metric("larder_schema_moved_on") < 0.5);
    assert!(!larder.last_lines().contains(database.as_str()));
}

/// Asks over a connection of its own and reads the whole answer.
fn ask(address: &str, path: &str, headers: &str) -> String {
    let address = address.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// 1,200 tables in 20 schemas, each with keys to three others, half of them with policies; 600 views in
/// chains; 600 functions.
const LARGE: &str = "do $$ declare s int; t int; begin
  for s in 1..20 loop
    execute format('create schema big_%s', s);
    for t in 1..60 loop
      execute format('create table big_%s.t_%s (id int primary key, a int, b int, c int, d text, e timestamptz)', s, t);
      if t > 3 then
        execute format('alter table big_%1$s.t_%2$s add foreign key (a) references big_%1$s.t_%3$s,
          add foreign key (b) references big_%1$s.t_%4$s on delete cascade,
          add foreign key (c) references big_%1$s.t_%5$s', s, t, t - 1, t - 2, t - 3);
      end if;
      if t % 2 = 0 then
        execute format('alter table big_%1$s.t_%2$s enable row level security', s, t);
        execute format('create policy p on big_%1$s.t_%2$s using (exists (select from big_%1$s.t_1 x
          where x.id = t_%2$s.id and x.d = auth.uid()::text))', s, t);
        execute format('create view big_%1$s.v_%2$s as select x.id, x.a, y.d from big_%1$s.t_%2$s x
          join big_%1$s.%3$s y on y.id = x.id', s, t, case when t > 2 then 'v_' || t - 2 else 't_1' end);
        execute format('create function big_%1$s.f_%2$s(n int) returns bigint language plpgsql as
          ''begin insert into big_%1$s.t_%2$s (id) values (n); return (select count(*) from big_%1$s.t_1); end''', s, t);
      end if;
    end loop;
  end loop;
end $$;";

#[test]
fn a_large_database_is_learned_within_five_seconds() {
    let upstream = Upstream::start(&["--servers", "0"]);
    let database = database(&upstream);
    run_sql(&database, LARGE);
    let schemas: Vec<String> = (1..=20).map(|schema| format!("big_{schema}")).collect();
    let folder = Folder::new();
    let begun = Instant::now();
    let learned = folder.pull(&database, &schemas.join(","));
    let took = begun.elapsed();
    println!("{} lines in {took:?}", learned.lines().count());
    assert!(learned.contains("big_20.v_60: [big_20.t_60, big_20.v_58]"), "the last view of a chain");
    assert!(took < PULL_MAX, "{took:?}");
    let rules = folder.file("rules.yaml", "version: 1\nschema: { include: schema.yaml }\n");
    let (told, code) = said(&larder(&["check", &rules]));
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_certificate_is_believed_as_far_as_the_url_says() {
    let folder = Folder::new();
    let certified = Certified::new();
    let authority = folder.file("authority.pem", &certified.pem);
    let elsewhere = folder.file("elsewhere.pem", &Certified::new().pem);
    let address = certified.answering(old_server());
    let is_asked = "is PostgreSQL 12.9";
    for (options, words) in [
        ("", is_asked),
        ("?sslmode=require", is_asked),
        (&*format!("?sslmode=verify-full&sslrootcert={authority}"), is_asked),
        (&format!("?sslmode=verify-full&sslrootcert={elsewhere}"), "no TLS with localhost"),
        ("?sslmode=verify-full", "no TLS with localhost"),
        (&format!("?sslmode=require&sslrootcert={elsewhere}"), "no TLS with localhost"),
    ] {
        let url = format!("postgres://u:hunter2@{address}/d{options}");
        let (told, code) = said(&larder(&["schema", "pull", "--db", &url, "--out", "-"]));
        assert!(told.contains(words) && !told.contains("hunter2"), "{options}: {told}");
        assert_eq!(code, 69, "{told}");
    }
}

#[test]
fn what_is_wrong_with_the_database_is_said_without_its_password() {
    let upstream = Upstream::start(&["--servers", "0"]);
    let good = database(&upstream);
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = nobody.local_addr().expect("an address");
    drop(nobody);
    let refusing = answering(vec![error("28P01", "password authentication failed for user \"u\"")]);
    let old = answering(old_server());
    let with = |address: &str| format!("postgres://u:hunter2@{address}/d");
    for (url, code, words) in [
        (with(&closed.to_string()), 69, "does not answer (hint: "),
        (with(&refusing), 69, "refuses this user and password (hint: "),
        (with(&old), 69, "is PostgreSQL 12.9; 13 or newer is needed"),
        (good.replace("/seeded", "/missing"), 69, "has no such database"),
        (good.replace("postgres@", "nobody:hunter2@"), 69, "refuses this user and password (hint: "),
        (format!("{good}?sslmode=require"), 69, "no TLS with "),
        (format!("{good}?sslmode=verify-full&sslrootcert=/no/such/file"), 69, "cannot read the authorities"),
        ("https://u:hunter2@example.com".to_owned(), 64, "not a URL as in postgres://"),
        (format!("{good}?sslmode=maybe"), 64, "`sslmode` is one of"),
    ] {
        let (told, exit) = said(&larder(&["schema", "pull", "--db", &url, "--out", "-"]));
        assert!(told.starts_with("error: ") && told.contains(words), "{words}\n{told}");
        assert_eq!(exit, code, "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let (told, exit) =
        said(&larder(&["schema", "pull", "--db", &good, "--schemas", "public,nowhere", "--out", "-"]));
    assert_eq!(exit, 64, "{told}");
    assert!(told.contains("the database has no schema `nowhere` (hint: "), "{told}");
    let (told, exit) = said(&larder(&["schema", "pull", "--out", "-"]));
    assert_eq!(exit, 64, "{told}");
    assert!(told.contains("--db is missing"), "{told}");
}

/// What PostgREST 13 says of two tables and a function.
const ROOT: &str = r#"{"swagger":"2.0","info":{"version":"13.0.5"},"paths":{"/":{},"/orders":{},"/rpc/search":{}},
"definitions":{"customers":{"properties":{"id":{"description":"Note:\nThis is a Primary Key.<pk/>","format":"integer"}}},
"orders":{"properties":{"id":{"description":"Note:\nThis is a Primary Key.<pk/>","format":"integer"},"customer_id":{
"description":"Note:\nThis is a Foreign Key to `customers.id`.<fk table='customers' column='id'/>","format":"integer"}}}}}"#;

#[test]
fn the_root_document_tells_what_it_can_and_the_rest_is_unsure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut asked = [0_u8; 4096];
        let length = stream.read(&mut asked).expect("a request");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/openapi+json\r\nconnection: close\r\n";
        stream
            .write_all(format!("{head}content-length: {}\r\n\r\n{ROOT}", ROOT.len()).as_bytes())
            .expect("an answer");
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let arguments =
        ["schema", "pull", "--openapi", "--upstream", &address, "--key", "sb_secret_x", "--out", "-"];
    let (told, code) = said(&larder(&arguments));
    assert_eq!(code, 0, "{told}");
    let asked = served.join().expect("a request");
    assert!(asked.starts_with("GET /rest/v1/ HTTP/1.1") && asked.contains("apikey: sb_secret_x"), "{asked}");
    for line in [
        "public.orders: { kind: table, columns: { customer_id: integer, id: integer } }",
        "- { to: public.customers, key: orders_customer_id_fkey, columns: [customer_id], references: [id] }",
        "public.orders: \"the root document does not tell policies",
        "public.search: \"the root document does not tell policies",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
}
