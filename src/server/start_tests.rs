//! Does a whole process start, answer operators, take new rules, and say why it does not start?

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream::Origin;

use super::super::callers::{CallerFlags, callers};
use super::super::shutdown::Drained;
use super::*;

const RULES: &str = "version: 1\nreads:\n  - name: all\n    match: /rest/v1/properties\n    ttl: 1m\n";
const LONG: std::time::Duration = std::time::Duration::from_secs(20);

/// A rules file of one test, removed at its end.
struct Rules {
    file: PathBuf,
}

impl Rules {
    fn new(name: &str, text: &str) -> Rules {
        let file = std::env::temp_dir().join(format!("larder-start-{}-{name}.yaml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        Rules { file }
    }

    /// Replaces the file as an editor or Kubernetes does: another one takes its name.
    fn replace(&self, text: &str) {
        let other = self.file.with_extension("new");
        std::fs::write(&other, text).unwrap();
        std::fs::rename(&other, &self.file).unwrap();
    }

    fn settings(&self) -> Settings {
        settings(&self.file, &[])
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.file);
    }
}

fn settings(rules: &Path, variables: &[(&str, &str)]) -> Settings {
    let flags = super::super::settings::Flags {
        rules: rules.display().to_string(),
        // Port 1: nobody answers there.
        upstream: Some("http://127.0.0.1:1".to_owned()),
        listen: "127.0.0.1:0".to_owned(),
        admin: "127.0.0.1:0".to_owned(),
        ..Default::default()
    };
    let environment = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::resolve(&flags, &environment).unwrap()
}

/// An upstream that answers everything with an empty list and its keys where they are asked for, until dropped.
struct Upstream {
    origin: Origin,
    shutdown: Shutdown,
}

impl Upstream {
    async fn start() -> Upstream {
        Upstream::publishing(r#"{"keys":[]}"#.to_owned()).await
    }

    async fn publishing(keys: String) -> Upstream {
        Upstream::answering(move |path| {
            if path == "/auth/v1/.well-known/jwks.json" { keys.clone() } else { "[]".to_owned() }
        })
        .await
    }

    async fn answering(body: impl Fn(&str) -> String + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let shutdown = Shutdown::default();
        let entrance = Entrance {
            limits: Limits::default(),
            workers: Workers::here(),
            tls: None,
            shutdown: shutdown.clone(),
            open: None,
            panics: Metrics::new().panics,
            handler: move |request: Request<Incoming>, _peer: Peer| {
                let mut response = http::Response::new(Full::from(body(request.uri().path())));
                let json = http::HeaderValue::from_static("application/json; charset=utf-8");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                std::future::ready(response)
            },
        };
        shutdown.tasks().spawn(serve(listener, entrance));
        Upstream { origin, shutdown }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shutdown.abandon();
    }
}

/// Asks once and reads the whole answer.
async fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn operators_are_answered_on_their_own_address() {
    let rules = Rules::new("operators", RULES);
    let running = Server::start(rules.settings()).await.unwrap();
    let admin = running.admin.unwrap();
    let rows = [
        ("GET /healthz", "host: localhost\r\n", "HTTP/1.1 200 ", r#"{"status":"alive"}"#),
        ("GET /readyz", "host: 127.0.0.1:8081\r\n", "HTTP/1.1 200 ", r#""status":"ready""#),
        ("GET /metrics", "host: [::1]\r\n", "HTTP/1.1 200 ", "larder_entry_bytes_max "),
        (
            "GET /api/explain?target=/rest/v1/properties",
            "host: localhost\r\n",
            "HTTP/1.1 200 ",
            r#""outcome": "read""#,
        ),
        ("GET /shutdown", "host: localhost\r\n", "HTTP/1.1 404 ", "LARDER404"),
        ("POST /readyz", "host: localhost\r\n", "HTTP/1.1 405 ", "allow: GET, HEAD\r\n"),
        ("GET /metrics", "host: evil.example\r\n", "HTTP/1.1 403 ", "LARDER403"),
    ];
    for (line, headers, status, within) in rows {
        let answer = ask(admin, line, headers).await;
        assert!(answer.starts_with(status) && answer.contains(within), "{line}: {answer}");
    }
    for path in ["/metrics", "/%6detrics", "//metrics", "/readyz", "/api/explain?target=/"] {
        let answer = ask(running.address, &format!("GET {path}"), "host: localhost\r\n").await;
        assert!(
            !answer.starts_with("HTTP/1.1 200 ")
                && !answer.contains("larder_entries")
                && !answer.contains("outcome"),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_was_set() {
    let rules = Rules::new("token", RULES);
    let settings = settings(&rules.file, &[("LARDER_ADMIN_TOKEN", "correct horse battery")]);
    let running = Server::start(settings).await.unwrap();
    let admin = running.admin.unwrap();
    let refused = ask(admin, "GET /metrics", "host: localhost\r\n").await;
    assert!(
        refused.starts_with("HTTP/1.1 401 ") && refused.contains("www-authenticate: Bearer"),
        "{refused}"
    );
    let known = "host: any.name\r\nauthorization: Bearer correct horse battery\r\n";
    assert!(ask(admin, "GET /metrics", known).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_self_hosted_project_s_tokens_count_once_its_issuer_is_named() {
    let signer = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(); // for tests only: its seed is public
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let keys = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{}"}}]}}"#,
        part(signer.public_key().as_ref())
    );
    let claims =
        br#"{"iss":"https://api.example/auth/v1","role":"authenticated","sub":"ann","exp":4102444800}"#;
    let signed = format!("{}.{}", part(br#"{"alg":"EdDSA","kid":"1"}"#), part(claims));
    let token = format!("{signed}.{}", part(signer.sign(signed.as_bytes()).as_ref()));
    let headers = format!("host: a\r\nauthorization: Bearer {token}\r\n");
    let rules = Rules::new("issuer", RULES);
    let upstream = Upstream::publishing(keys).await;
    for (issuer, expected) in [
        ("https://api.example/auth/v1", ["larder; fwd=miss; stored", "larder; hit"]),
        ("https://other.example/auth/v1", ["larder; fwd=bypass; detail=issuer"; 2]),
    ] {
        let flags = CallerFlags { issuer: Some(issuer.to_owned()), ..CallerFlags::default() };
        let callers = callers(&flags, |_| None).unwrap();
        let settings = Settings { upstream: upstream.origin.clone(), callers, ..rules.settings() };
        let running = Server::start(settings).await.unwrap();
        let admin = running.admin.unwrap();
        let fetched = async {
            while !ask(admin, "GET /metrics", "host: localhost\r\n").await.contains("larder_token_keys 1") {}
        };
        tokio::time::timeout(LONG, fetched).await.expect("the keys come");
        for status in expected {
            let answer = ask(running.address, "GET /rest/v1/properties", &headers).await;
            assert!(answer.contains(&format!("cache-status: {status}")), "{issuer}: {answer}");
        }
        let metrics = ask(admin, "GET /metrics", "host: localhost\r\n").await;
        let refused = r#"larder_unverified_callers_total{reason="issuer"} 2"#;
        assert_eq!(metrics.contains(refused), expected[1].contains("bypass"), "{metrics}");
    }
}

#[tokio::test]
async fn broken_rules_leave_the_old_ones_in_use_and_say_so() {
    let rules = Rules::new("reload", RULES);
    let upstream = Upstream::start().await;
    let settings = Settings { upstream: upstream.origin.clone(), ..rules.settings() };
    let running = Server::start(settings).await.unwrap();
    let admin = running.admin.unwrap();
    let until = async |page: &str, within: &str| {
        let asking = async {
            while !ask(admin, &format!("GET {page}"), "host: localhost\r\n").await.contains(within) {}
        };
        tokio::time::timeout(LONG, asking).await.unwrap_or_else(|_| panic!("{page} never said {within}"));
    };
    let uses_the_rule = async || {
        let answer = ask(running.address, "GET /rest/v1/properties", "host: a\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer.contains("cache-status: larder; fwd=miss") || answer.contains("cache-status: larder; hit")
    };
    assert!(uses_the_rule().await);

    // By being asked: a changed file would be seen as well, a second later.
    rules.replace("version: 1\nreads: [{ name: all }]\n");
    running.reload();
    until("/readyz", r#""rules":"refused, older rules in use""#).await;
    until("/metrics", r#"larder_rules_reloads_total{result="failed"}"#).await;
    assert!(uses_the_rule().await, "the old rule is gone");

    // By being looked at, without being asked.
    rules.replace("version: 1\nreads: []\n");
    until("/readyz", r#""rules":"in use""#).await;
    assert!(!uses_the_rule().await, "the old rule is still there");
}

#[tokio::test]
async fn rules_that_change_while_their_canaries_are_asked_are_not_missed() {
    let rules =
        Rules::new("meanwhile", &RULES.replace("ttl: 1m", "ttl: 1m\n    canary: /rest/v1/properties"));
    let file = rules.file.clone();
    let upstream = Upstream::answering(move |_| {
        std::fs::write(&file, "version: 1\nreads: []\n").unwrap();
        "[]".to_owned()
    })
    .await;
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let token = |user: &str| {
        let claims = format!(r#"{{"sub":"{user}","role":"authenticated","exp":4102444800}}"#);
        format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(&claims), part("signed by nobody"))
    };
    let tokens = format!("{}\n{}", token("ann"), token("bo"));
    let settings = Settings {
        upstream: upstream.origin.clone(),
        ..settings(&rules.file, &[("LARDER_CANARY_TOKENS", &tokens)])
    };
    let running = Server::start(settings).await.unwrap();
    let admin = running.admin.unwrap();
    let reloaded = r#"larder_rules_reloads_total{result="ok"}"#;
    let seen = async { while !ask(admin, "GET /metrics", "host: localhost\r\n").await.contains(reloaded) {} };
    tokio::time::timeout(LONG, seen).await.expect("the newer rules come");
}

#[tokio::test]
async fn what_prevents_a_start_is_one_clear_value() {
    let missing = settings(Path::new("/nowhere/rules.yaml"), &[]);
    let error = Server::start(missing).await.unwrap_err();
    assert!(matches!(error, StartError::RulesRead { .. }), "{error}");

    let rules = Rules::new("mistakes", "version: 1\nreads: [{ nam: x }, { name: y, ttl: 5 }]\n");
    let error = Server::start(rules.settings()).await.unwrap_err();
    assert!(matches!(&error, StartError::Rules { mistakes, .. } if mistakes.len() > 1), "{error}");

    let rules = Rules::new("taken", RULES);
    let first = Server::start(rules.settings()).await.unwrap();
    for is_admin in [false, true] {
        let mut second = rules.settings();
        if is_admin {
            second.admin = Some(first.address)
        } else {
            second.listen = first.address
        }
        let error = Server::start(second).await.unwrap_err();
        let expected = if is_admin { "--admin" } else { "--listen" };
        assert!(matches!(error, StartError::Bind { setting, .. } if setting == expected), "{error}");
    }
}

#[tokio::test]
async fn a_process_that_drains_says_so_and_ends() {
    let rules = Rules::new("drain", RULES);
    let running = Server::start(rules.settings()).await.unwrap();
    let (address, admin, health) = (running.address, running.admin.unwrap(), running.health.clone());
    let stuck = TcpStream::connect(address).await.unwrap();
    let (drained, ()) = tokio::join!(running.shutdown(), async {
        while health.phase() != Phase::Draining {
            tokio::task::yield_now().await;
        }
        let answer = ask(admin, "GET /readyz", "host: localhost\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""status":"draining""#), "{answer}");
    });
    assert_eq!(drained, Drained::Everything);
    assert!(TcpStream::connect(address).await.is_err() && TcpStream::connect(admin).await.is_err());
    drop(stuck);
}
