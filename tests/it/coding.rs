//! In which form is an answer sent?

use std::io::Read;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client, absent};
use crate::support::origin::{Origin, text};
use crate::support::{Proxy, contains, origin, proxy, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const VARY: &str = "Accept, Accept-Profile, Prefer, Range, Authorization, apikey, Accept-Encoding";

fn rows() -> Value {
    (0..200).map(|id| json!({ "id": id, "city": "Dakar", "title": "A flat by the sea" })).collect()
}

async fn started(rules: &str) -> (Origin, Proxy) {
    let origin = origin().table("todos").route(READ, rows()).start().await;
    origin.now(READ, rows());
    let proxy = proxy(&origin).rules(rules).start().await;
    (origin, proxy)
}

fn taking(client: &Client, codings: &str) -> Client {
    client.with("accept-encoding", codings)
}

fn coding(answer: &Answer) -> &str {
    answer.headers.get("content-encoding").map_or("identity", |coding| coding.to_str().unwrap())
}

/// The body as the origin sent it.
fn body(answer: &Answer) -> Bytes {
    let mut plain = Vec::new();
    match coding(answer) {
        "gzip" => {
            flate2::read::GzDecoder::new(&*answer.body).read_to_end(&mut plain).unwrap();
        }
        "zstd" => plain = zstd::bulk::decompress(&answer.body, 1 << 20).unwrap(),
        _ => plain = answer.body.to_vec(),
    }
    plain.into()
}

/// Asks until an answer comes in this coding.
async fn until_coded(client: &Client, wanted: &str) -> Answer {
    let asking = async {
        loop {
            let answer = client.get(TARGET).await.expect_status(200);
            assert_eq!(body(&answer), rows().to_string(), "{}", coding(&answer));
            if coding(&answer) == wanted {
                return answer;
            }
        }
    };
    soon(wanted, asking).await
}

#[tokio::test]
async fn whoever_takes_less_is_soon_sent_less() {
    let (origin, proxy) = started(CACHED).await;
    let client = proxy.client();
    client.get(TARGET).await;
    let plain = client.get(TARGET).await.expect_header("vary", VARY);
    let mut etags = vec![plain.headers["etag"].clone()];
    for (codings, expected) in [("gzip, deflate, br", "gzip"), ("gzip, deflate, br, zstd", "zstd")] {
        let coded = until_coded(&taking(&client, codings), expected).await;
        let length = coded.body.len().to_string();
        let coded = coded
            .expect_header("content-length", &*length)
            .expect_header("vary", VARY)
            .expect_header("content-type", contains("application/json"))
            .expect_header("cache-status", contains("hit"));
        assert!(coded.body.len() * 100 < plain.body.len() * 15, "{length} of {}", plain.body.len());
        assert!(!etags.contains(&coded.headers["etag"]), "one for each form: {etags:?}");
        etags.push(coded.headers["etag"].clone());
    }
    // and nobody else is
    for codings in ["", "br", "identity", "gzip;q=0, zstd;q=0", "gzip;q=0.5, identity"] {
        let answer = taking(&client, codings).get(TARGET).await.expect_header("content-encoding", absent());
        assert_eq!((&answer.headers["etag"], &answer.body), (&etags[0], &plain.body), "{codings}");
    }
    client.get(TARGET).await.expect_header("content-encoding", absent());
    origin.saw("*").times(1);
    assert_eq!(origin.saw(READ).last().header("accept-encoding"), "identity");
    assert_eq!(proxy.counted("larder_forms", &[]).await, 2.0);
}

#[tokio::test]
async fn what_codings_spare_is_counted() {
    let (_origin, proxy) = started(CACHED).await;
    let client = taking(&proxy.client(), "gzip");
    let coded = until_coded(&client, "gzip").await;
    let spared = (rows().to_string().len() - coded.body.len()) as f64;
    assert_eq!(proxy.counted("larder_unsent_bytes_total", &["by=\"coding\""]).await, spared);
    client.get(TARGET).await;
    assert_eq!(proxy.counted("larder_unsent_bytes_total", &["by=\"coding\""]).await, 2.0 * spared);
}

/// The client has one form, and would be sent another: it has the answer all the same, if it takes that form.
#[tokio::test]
async fn a_client_that_has_any_form_that_it_takes_has_the_answer() {
    let (_origin, proxy) = started(CACHED).await;
    let client = proxy.client();
    let gzip = until_coded(&taking(&client, "gzip"), "gzip").await.headers["etag"].clone();
    let plain = client.get(TARGET).await.headers["etag"].clone();
    let (gzip, plain) = (gzip.to_str().unwrap(), plain.to_str().unwrap());
    for (codings, tags, expected) in [
        ("gzip", gzip.to_owned(), Some(gzip)),
        ("gzip", plain.to_owned(), Some(plain)),
        ("gzip, zstd", format!("\"x\", W/{gzip}"), Some(gzip)),
        ("gzip", "*".to_owned(), Some(gzip)),
        ("identity", "*".to_owned(), Some(plain)),
        // not what it takes
        ("identity", gzip.to_owned(), None),
        ("zstd", gzip.to_owned(), None),
        ("gzip, identity;q=0", plain.to_owned(), None),
    ] {
        let answer = taking(&client, codings).with("if-none-match", &tags).get(TARGET).await;
        let Some(etag) = expected else {
            answer.expect_status(200);
            continue;
        };
        let answer = answer.expect_status(304).expect_header("etag", etag).expect_header("vary", VARY);
        answer.expect_header("content-encoding", absent());
    }
    // a write later it is fetched anew, and is as it was
    client.patch("/rest/v1/todos?id=eq.1", json!({})).await.expect_status(204);
    let again = taking(&client, "gzip").with("if-none-match", gzip).get(TARGET).await;
    again.expect_status(304).expect_header("etag", gzip).expect_header("cache-status", contains("fwd=miss"));
}

/// `identity;q=0`: rather wait for it than be sent what one cannot take.
#[tokio::test]
async fn a_client_that_takes_codings_only_waits_for_one() {
    let (_origin, proxy) = started(CACHED).await;
    proxy.client().get(TARGET).await;
    for (codings, expected) in [("gzip, identity;q=0", "gzip"), ("zstd, *;q=0", "zstd")] {
        let answer = taking(&proxy.client(), codings).get(TARGET).await.expect_status(200);
        assert_eq!((coding(&answer), body(&answer)), (expected, rows().to_string().into()));
    }
    // nothing that it takes can be made: it is sent what there is
    let answer = taking(&proxy.client(), "br, *;q=0").get(TARGET).await.expect_status(200);
    assert_eq!(coding(&answer), "identity");
}

#[tokio::test]
async fn what_is_small_or_compressed_already_is_left_alone() {
    let small = text("x".repeat(1_000));
    let picture = text("x".repeat(10_000)).header("content-disposition", "inline");
    let noise = {
        let mut bytes = vec![0; 10_000];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        text(bytes)
    };
    let origin = origin().route("GET /small", small).route("GET /noise", noise);
    let png = picture.typed("image/png");
    let origin = origin.route("GET /png", png).start().await;
    let proxy = proxy(&origin).rules("reads: [{ match: /*, ttl: 60s, scope: public }]").start().await;
    let client = taking(&proxy.client(), "gzip, identity;q=0");
    for (target, forms) in [("/small", 0.0), ("/png", 0.0), ("/noise", 0.0)] {
        client.get(target).await;
        for _ in 0..2 {
            let answer = client.get(target).await.expect_header("cache-status", contains("hit"));
            answer.expect_header("content-encoding", absent());
        }
        assert_eq!(proxy.counted("larder_forms", &[]).await, forms, "{target}");
    }
}

/// Where a secret and what an attacker chooses stand in one answer, its size would tell.
#[tokio::test]
async fn a_rule_may_forbid_it() {
    let rules = "reads: [{ match: /rest/v1/todos, ttl: 60s, scope: public, compress: false }]";
    let (_origin, proxy) = started(rules).await;
    let client = taking(&proxy.client(), "gzip, identity;q=0");
    for _ in 0..3 {
        let answer = client.get(TARGET).await.expect_status(200);
        let answer = answer.expect_header("content-encoding", absent());
        answer.expect_header("vary", VARY.trim_end_matches(", Accept-Encoding"));
    }
    assert_eq!(proxy.counted("larder_forms", &[]).await, 0.0);
}
