//! One row of a table: bytes to the proxy, what must come back, what the upstream must have seen.

use tokio::task::JoinSet;

use super::client::contains;
use super::scripted::{Arrival, Forwarded};
use super::{Proxy, Raw, Scripted, proxy, scripted};

/// What becomes of the connection after the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The proxy closes it without another byte.
    Closed,
    /// It serves another request.
    Open,
}

/// Which answers must come.
#[derive(Clone, Debug)]
enum Answers {
    /// Exactly these, in order.
    Exactly(Vec<u16>),
    /// One of these.
    OneOf(Vec<u16>),
    /// One refusal, or none at all.
    RefusalOrNothing,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    id: &'static str,
    bytes: Vec<u8>,
    ends: bool,
    rules: &'static str,
    answers: Answers,
    then: Then,
    forwarded: Vec<(String, Vec<u8>)>,
    with: Vec<(&'static str, Vec<&'static str>)>,
}

/// Sends these bytes; unless said otherwise they must be refused with 400, the connection closed, and
/// nothing forwarded.
pub(crate) fn case(id: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    Case {
        id,
        bytes: bytes.as_ref().to_vec(),
        ends: false,
        rules: "",
        answers: Answers::Exactly(vec![400]),
        then: Then::Closed,
        forwarded: Vec::new(),
        with: Vec::new(),
    }
}

impl Case {
    /// These answers must come, and the connection must go on.
    pub(crate) fn answered(mut self, statuses: impl Into<Vec<u16>>) -> Self {
        self.answers = Answers::Exactly(statuses.into());
        self.then = Then::Open;
        self
    }

    /// One answer with one of these statuses must come, and the connection must be closed.
    pub(crate) fn refused(mut self, statuses: impl Into<Vec<u16>>) -> Self {
        self.answers = Answers::OneOf(statuses.into());
        self.then = Then::Closed;
        self
    }

    /// At most a refusal may come, and the connection must be closed.
    pub(crate) fn broken_off(mut self) -> Self {
        self.answers = Answers::RefusalOrNothing;
        self.then = Then::Closed;
        self
    }

    /// And the connection must be closed.
    pub(crate) fn closed(mut self) -> Self {
        self.then = Then::Closed;
        self
    }

    /// The client sends nothing more after the bytes.
    pub(crate) fn ends(mut self) -> Self {
        self.ends = true;
        self
    }

    /// The proxy has these rules.
    pub(crate) fn rules(mut self, yaml: &'static str) -> Self {
        self.rules = yaml;
        self
    }

    /// This request must arrive upstream whole. Nothing else may.
    pub(crate) fn forwards(mut self, line: &str, body: impl AsRef<[u8]>) -> Self {
        self.forwarded.push((format!("{line} HTTP/1.1"), body.as_ref().to_vec()));
        self
    }

    /// The forwarded requests must all have exactly these values of a header; none means its absence.
    pub(crate) fn with(mut self, name: &'static str, values: impl Into<Vec<&'static str>>) -> Self {
        self.with.push((name, values.into()));
        self
    }

    /// Runs the row against a proxy and an upstream of its own.
    pub(crate) async fn check(self) {
        let upstream = scripted().await;
        let mut builder = proxy(&upstream);
        if !self.rules.is_empty() {
            builder = builder.rules(self.rules);
        }
        let proxy = builder.start().await;
        self.check_with(&proxy, &upstream).await;
    }

    async fn check_with(self, proxy: &Proxy, upstream: &Scripted) {
        let id = self.id;
        let mut client = proxy.raw().await;
        client.send(&self.bytes).await;
        if self.ends {
            client.shut().await;
        }
        self.check_answers(&mut client).await;
        match self.then {
            Then::Closed => {
                let more = String::from_utf8_lossy(&client.rest().await).into_owned();
                assert_eq!(more, "", "{id}: bytes after the last answer");
            }
            Then::Open => {
                client.send("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n").await;
                let probe = client.answer("GET").await;
                let probe = probe.unwrap_or_else(|| panic!("{id}: the connection was closed"));
                assert_eq!(
                    (probe.status, probe.body.as_slice()),
                    (200, &b"clean"[..]),
                    "{id}: {}",
                    probe.head
                );
            }
        }
        upstream.settled().await;
        self.check_forwarded(&upstream.seen());

        let clean = proxy.client().get("/clean").await;
        clean.expect_status(200).expect_body("clean").expect_header("cache-status", contains("larder"));
        upstream.settled().await;
        self.check_forwarded(&upstream.seen());
    }

    async fn check_answers(&self, client: &mut Raw) {
        let id = self.id;
        match &self.answers {
            Answers::Exactly(statuses) => {
                for &status in statuses {
                    let answer = client.answer("GET").await;
                    let answer = answer.unwrap_or_else(|| panic!("{id}: closed without {status}"));
                    assert_eq!(answer.status, status, "{id}: {}", answer.head);
                    assert!(answer.is_complete, "{id}: cut off: {}", answer.head);
                }
            }
            Answers::OneOf(statuses) => {
                let answer =
                    client.answer("GET").await.unwrap_or_else(|| panic!("{id}: closed without a word"));
                assert!(statuses.contains(&answer.status), "{id}: {}", answer.head);
            }
            Answers::RefusalOrNothing => {
                if let Some(answer) = client.answer("GET").await {
                    assert!(answer.status >= 400, "{id}: {}", answer.head);
                }
            }
        }
    }

    fn check_forwarded(&self, seen: &[Forwarded]) {
        let ours = seen.iter().filter(|one| !matches!(one.target(), "/probe" | "/clean"));
        let whole: Vec<&Forwarded> = ours.filter(|one| one.state == Arrival::Whole).collect();
        let lines: Vec<_> = whole.iter().map(|one| (one.line().to_owned(), one.body.clone())).collect();
        assert_eq!(lines, self.forwarded, "{}: forwarded {:#?}", self.id, seen);
        for (name, values) in &self.with {
            for one in &whole {
                assert_eq!(one.header(name), *values, "{}: {name} in {}", self.id, one.head);
            }
        }
    }
}

/// Runs the rows side by side, and tells every one that failed.
pub(crate) async fn check_all(cases: Vec<Case>) {
    let mut failed = Vec::new();
    let mut running = JoinSet::new();
    for case in cases {
        let id = case.id;
        running.spawn(async move {
            let mut one = JoinSet::new();
            one.spawn(case.check());
            let ended = one.join_next().await.expect("one row");
            ended.err().map(|error| (id, error.into_panic()))
        });
    }
    while let Some(ended) = running.join_next().await {
        if let Some((id, panic)) = ended.expect("a row") {
            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("{id}: {words}"));
        }
    }
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}
