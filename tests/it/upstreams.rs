//! What becomes of answers from an upstream that lies, fails or dawdles?

use std::time::Duration;

use larder::server::Drained;

use crate::support::{Proxy, Scripted, Step, proxy, scripted, send};

const CACHED: &str = "reads: [{ name: k, match: /k, ttl: 60s, scope: public }]";

/// What the client must get.
#[derive(Clone, Debug)]
enum Told {
    /// A whole answer with this body.
    Whole(u16, &'static str),
    /// An answer that visibly breaks off, or a 502 where nothing had been sent yet.
    Cut,
    /// Our own 502.
    Refused,
}

/// What the upstream says to `GET /k`, and whether a rule may keep it.
struct Row {
    id: &'static str,
    steps: Vec<Step>,
    told: Told,
    is_kept: bool,
}

fn row(id: &'static str, says: impl AsRef<[u8]>, told: Told) -> Row {
    Row { id, steps: vec![send(says)], told, is_kept: false }
}

impl Row {
    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    async fn check(&self) {
        for rules in ["reads: []", CACHED] {
            let upstream = scripted().await;
            upstream.on("/k", self.steps.clone());
            let proxy = proxy(&upstream).rules(rules).start().await;
            for _ in 0..2 {
                self.check_once(&proxy).await;
            }
            let asked = upstream.seen_at("/k").len();
            let is_kept = self.is_kept && rules == CACHED;
            assert!(if is_kept { asked == 1 } else { asked >= 2 }, "{}: asked {asked} times", self.id);
        }
    }

    async fn check_once(&self, proxy: &Proxy) {
        let id = self.id;
        let mut client = proxy.raw().await;
        client.send("GET /k HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let answer = client.answer("GET").await;
        match (&self.told, &answer) {
            (Told::Whole(status, body), Some(answer)) => {
                assert!(answer.is_complete, "{id}: {}", answer.head);
                assert_eq!((answer.status, answer.body.as_slice()), (*status, body.as_bytes()), "{id}");
                assert_eq!(answer.header("set-cookie"), [""; 0], "{id}");
            }
            (Told::Cut, None) => {}
            (Told::Cut, Some(answer)) => {
                assert!(answer.status == 502 || !answer.is_complete, "{id}: {}", answer.head);
            }
            (Told::Refused, Some(answer)) => {
                assert_eq!(answer.status, 502, "{id}: {}", answer.head);
                assert!(answer.head.contains("application/json"), "{id}: {}", answer.head);
            }
            (Told::Whole(..) | Told::Refused, None) => panic!("{id}: no answer"),
        }
        // Whatever was left on connections to the upstream must not be anybody's answer.
        for _ in 0..3 {
            proxy.client().get("/next").await.expect_status(200).expect_body("clean");
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

#[tokio::test]
async fn answers_that_break_off() {
    for row in [
        row("K1", format!("{OK}Content-Length: 10\r\n\r\nok"), Told::Cut).then(Step::Close),
        row("K6", format!("{OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), Told::Cut).then(Step::Close),
        row("K6 in a chunk", format!("{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nok"), Told::Cut)
            .then(Step::Close),
        row("K1 reset", format!("{OK}Content-Length: 10\r\n\r\nok"), Told::Cut).then(Step::Reset),
        row("half a head", "HTTP/1.1 200 OK\r\nContent-Le", Told::Refused).then(Step::Close),
    ] {
        row.check().await;
    }
}

#[tokio::test]
async fn answers_with_more_than_one_end() {
    let chunked = "2\r\nok\r\n0\r\n\r\n";
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for row in [
        row("whole", format!("{OK}Content-Length: 2\r\n\r\nok"), Told::Whole(200, "ok")).kept(),
        row("chunked", format!("{OK}Transfer-Encoding: chunked\r\n\r\n{chunked}"), Told::Whole(200, "ok")).kept(),
        row("K2", format!("{OK}Content-Length: 2\r\n\r\nok{more}"), Told::Whole(200, "ok")).kept(),
        row(
            "K3 both",
            format!("{OK}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
            Told::Whole(200, "ok"),
        )
        .kept(),
        row("K3 equal", format!("{OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"), Told::Whole(200, "ok"))
            .kept(),
        row("K3 differing", format!("{OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk"), Told::Refused),
        row("K3 bad", format!("{OK}Content-Length: two\r\n\r\nok"), Told::Refused),
        row("K4", format!("{OK}Transfer-Encoding: gzip\r\n\r\nok"), Told::Refused).then(Step::Close),
        row(
            "K12",
            format!("{OK}Transfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: a=1\r\n\r\n"),
            Told::Whole(200, "ok"),
        )
        .kept(),
    ] {
        row.check().await;
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_passed_and_not_kept() {
    for row in [
        row("K5", format!("{OK}\r\nok"), Told::Whole(200, "ok")).then(Step::Close),
        row("K5 1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nok", Told::Whole(200, "ok"))
            .then(Step::Close),
    ] {
        row.check().await;
    }
}

#[tokio::test]
async fn answers_with_odd_heads() {
    let headers = |count: usize| (0..count).map(|at| format!("X-{at}: 1\r\n")).collect::<String>();
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(20);
    for row in [
        row("K7", format!("{interim}{OK}Content-Length: 2\r\n\r\nok"), Told::Whole(200, "ok")).kept(),
        row(
            "K7 unasked",
            format!("HTTP/1.1 100 Continue\r\n\r\n{OK}Content-Length: 2\r\n\r\nok"),
            Told::Whole(200, "ok"),
        )
        .kept(),
        row(
            "K8",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nevil",
            Told::Refused,
        ),
        row("K10 99", "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", Told::Refused),
        row("K10 600", "HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n", Told::Refused),
        row("K10 999", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", Told::Refused),
        row("K11 many", format!("{OK}{}Content-Length: 0\r\n\r\n", headers(101)), Told::Refused),
        row(
            "K11 large",
            format!("{OK}X-A: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(600_000)),
            Told::Refused,
        ),
        row("K11 fold", format!("{OK}X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"), Told::Refused),
        row("K11 CR", format!("{OK}X-A: 1\r2\r\nContent-Length: 0\r\n\r\n"), Told::Refused),
        row("garbage", "what?\r\n\r\n", Told::Refused),
    ] {
        row.check().await;
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let upstream = scripted().await;
    let evil = "evil";
    upstream
        .on("/204", [send(format!("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n{evil}"))])
        .on("/304", [send(format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n{evil}"))])
        .on("/head", [send(format!("{OK}Content-Length: 4\r\n\r\n{evil}"))]);
    let proxy = proxy(&upstream).start().await;
    for (method, target, status, length) in
        [("GET", "/204", 204, None), ("GET", "/304", 304, None), ("HEAD", "/head", 200, Some("4"))]
    {
        let mut client = proxy.raw().await;
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        let answer = client.answer(method).await.unwrap();
        assert_eq!(answer.status, status, "K9 {target}");
        assert_eq!(answer.header("content-length").first().copied(), length, "K9 {target}: {}", answer.head);
        client.send("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(client.answer("GET").await.unwrap().body, b"clean", "K9 {target}");
    }
}

/// Sends a request with a body and says which status came, and how often the upstream was asked.
async fn post(upstream: &Scripted, proxy: &Proxy) -> (u16, usize) {
    let mut client = proxy.raw().await;
    client.send("POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").await;
    let status = client.answer("POST").await.unwrap().status;
    proxy.client().get("/next").await.expect_status(200).expect_body("clean");
    (status, upstream.seen_at("/w").len())
}

#[tokio::test]
async fn trap_98_a_write_is_sent_once_whatever_happens() {
    for (id, steps, status) in [
        ("K17 reset", vec![Step::Reset], 502),
        ("K17 close", vec![Step::Close], 502),
        ("K23", vec![send("HTTP/1.1 201 Crea"), Step::Close], 502),
        ("K10 999", vec![send("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n")], 502),
    ] {
        let upstream = scripted().await;
        upstream.on("/w", steps);
        let proxy = proxy(&upstream).start().await;
        assert_eq!(post(&upstream, &proxy).await, (status, 1), "{id}");
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_is_delivered_and_its_connection_dropped() {
    let upstream = scripted().await;
    let early = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig";
    upstream.on_head("/w", [send(early), Step::Linger]);
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    client.send("POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhi").await;
    let answer = client.answer("POST").await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (413, &b"big"[..]), "K14");
    let next = proxy.client().get("/next").await;
    next.expect_status(200).expect_body("clean");
    let connections: Vec<_> = upstream.seen().iter().map(|one| one.connection).collect();
    assert_eq!(connections.len(), 2);
    assert_ne!(connections[0], connections[1], "K14: the connection was used again");
}

#[tokio::test]
async fn a_read_whose_connection_dies_is_asked_once_more() {
    let upstream = scripted().await;
    upstream.on("/k", [Step::Reset]).on("/k", [send(format!("{OK}Content-Length: 2\r\n\r\nok"))]);
    let proxy = proxy(&upstream).rules(CACHED).start().await;
    proxy.client().get("/k").await.expect_status(200).expect_body("ok");
    assert_eq!(upstream.seen_at("/k").len(), 2, "K17");

    let dead = scripted().await;
    dead.on("/k", [Step::Reset]);
    let proxy = self::proxy(&dead).rules(CACHED).start().await;
    proxy.client().get("/k").await.expect_status(502);
    assert_eq!(dead.seen_at("/k").len(), 2, "K17: asked once more and no more");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_is_not_used_again() {
    let upstream = scripted().await;
    let last = format!("{OK}Content-Length: 2\r\n\r\nok");
    upstream.on("/k", [send(last), Step::Close]);
    let proxy = proxy(&upstream).start().await;
    let client = proxy.client();
    for _ in 0..5 {
        client.get("/k").await.expect_status(200).expect_body("ok");
    }
    assert_eq!(upstream.seen_at("/k").len(), 5, "K18");
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_a_504() {
    let upstream = scripted().await;
    upstream.on("/k", [Step::Linger]).on("/w", [Step::Linger]);
    let proxy = proxy(&upstream).rules(CACHED).answer_within(Duration::from_millis(100)).start().await;
    proxy.client().get("/k").await.expect_status(504);
    assert_eq!(post(&upstream, &proxy).await, (504, 1), "K15");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_502() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let proxy = proxy(&nobody).rules(CACHED).start().await;
    for _ in 0..2 {
        let answer = proxy.client().get("/k").await.expect_status(502);
        assert_eq!(answer.json()["code"], "LARDER502", "K16");
    }
    proxy.client().post("/w", serde_json::json!({})).await.expect_status(502);
    assert_eq!(proxy.shutdown().await, Drained::Everything);
}

/// J4. The grace is that of the product, so this takes as long.
#[tokio::test]
async fn a_body_that_comes_too_slowly_lets_go_of_the_upstream() {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).answer_within(Duration::from_secs(2)).start().await;
    let begun = "HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhi";
    let begin = async |target: &str| {
        let mut client = proxy.raw().await;
        client.send(format!("POST {target} {begun}")).await;
        client
    };
    // an upload takes its time, as long as it comes; a function may always take it
    let (mut slow, mut upload) = (begin("/storage/v1/slow").await, begin("/storage/v1/w").await);
    let mut streaming = begin("/functions/v1/w").await;
    // what may take entries away has to be over in time: once it is, so would those that began before
    let mut write = begin("/rest/v1/w").await;
    assert_eq!(write.answer("POST").await.unwrap().status, 504);
    upload.send(vec![b'x'; 998]).await;
    assert_eq!(upload.answer("POST").await.unwrap().status, 200);
    let answer = slow.answer("POST").await.unwrap();
    assert_eq!(answer.status, 408, "{}", answer.head);
    assert!(String::from_utf8_lossy(&answer.body).contains("LARDER408"));
    streaming.send(vec![b'x'; 998]).await;
    assert_eq!(streaming.answer("POST").await.unwrap().status, 200);
    proxy.client().get("/next").await.expect_status(200).expect_body("clean");
}
