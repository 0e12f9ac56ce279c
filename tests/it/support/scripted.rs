//! An upstream that records exact bytes and answers with exact bytes.
//!
//! It reads requests by the letter of RFC 9112 and holds anything that two
//! servers could read in two ways against the proxy, so that every test that
//! uses it also checks what is forwarded.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::raw::{READ_BYTES, find, header_values};
use super::soon;

/// What is answered where nothing else was said.
pub(crate) const CLEAN: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nclean";

/// One thing that a scripted upstream does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits until the test says [`Scripted::release`].
    Hold,
    /// Closes the connection.
    Close,
    /// Closes it with a reset.
    Reset,
    /// Reads until the proxy closes, and answers nothing.
    Linger,
    /// Sends back whatever comes, until the proxy closes.
    Echo,
}

/// Sends these bytes.
pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    pub(crate) state: Arrival,
}

/// How much of a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The head; the body may follow.
    Head,
    /// All of it.
    Whole,
    /// The connection ended in the middle.
    Aborted,
}

impl Forwarded {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        header_values(&self.head, name)
    }
}

/// What to do about one target.
#[derive(Clone, Debug)]
struct Script {
    before_body: bool,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct State {
    /// By target; the last script of a target repeats. Guarded because connections run side by side.
    scripts: Mutex<HashMap<String, Vec<Script>>>,
    seen: Mutex<Vec<Forwarded>>,
    news: Notify,
    held: Semaphore,
    /// What was wrong with something that was forwarded.
    wrongs: Mutex<Vec<String>>,
}

/// A running scripted upstream; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

/// Starts an upstream that answers [`CLEAN`] to everything.
pub(crate) async fn scripted() -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State {
        scripts: Mutex::default(),
        seen: Mutex::default(),
        news: Notify::new(),
        held: Semaphore::new(0),
        wrongs: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, Arc::clone(&state)));
    Scripted { address, state, _tasks: tasks }
}

impl Scripted {
    /// Does these steps when a request to this target has come whole. Said again, it is for the next request.
    pub(crate) fn on(&self, target: &str, steps: impl Into<Vec<Step>>) -> &Self {
        self.script(target, Script { before_body: false, steps: steps.into() })
    }

    /// Does these steps as soon as the head has come.
    pub(crate) fn on_head(&self, target: &str, steps: impl Into<Vec<Step>>) -> &Self {
        self.script(target, Script { before_body: true, steps: steps.into() })
    }

    fn script(&self, target: &str, script: Script) -> &Self {
        self.state.scripts.lock().unwrap().entry(target.to_owned()).or_default().push(script);
        self
    }

    /// Lets one [`Step::Hold`] go on.
    pub(crate) fn release(&self) {
        self.state.held.add_permits(1);
    }

    /// All requests so far. Fails if anything that was forwarded could be read in two ways.
    pub(crate) fn seen(&self) -> Vec<Forwarded> {
        let wrongs = self.state.wrongs.lock().unwrap();
        assert!(wrongs.is_empty(), "forwarded: {wrongs:#?}");
        drop(wrongs);
        self.state.seen.lock().unwrap().clone()
    }

    /// The requests to one target so far.
    pub(crate) fn seen_at(&self, target: &str) -> Vec<Forwarded> {
        self.seen().into_iter().filter(|request| request.target() == target).collect()
    }

    /// Waits until the requests so far satisfy a condition.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&[Forwarded]) -> bool) {
        soon(what, async {
            loop {
                let news = self.state.news.notified();
                let mut news = std::pin::pin!(news);
                news.as_mut().enable();
                if is_so(&self.state.seen.lock().unwrap()) {
                    return;
                }
                news.await;
            }
        })
        .await;
    }

    /// Waits until every request that began has come whole or was given up.
    pub(crate) async fn settled(&self) {
        self.until("requests upstream to end", |seen| {
            seen.iter().all(|request| request.state != Arrival::Head)
        })
        .await;
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let conversation = Conversation { number, stream, read: Vec::new(), state: Arc::clone(&state) };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let mut one = JoinSet::new();
            one.spawn(conversation.run());
            if let Some(Err(broken)) = one.join_next().await
                && let Ok(panic) = broken.try_into_panic()
            {
                let words = panic.downcast_ref::<String>().cloned();
                state.wrongs.lock().unwrap().push(words.unwrap_or_else(|| "a panic".to_owned()));
                state.news.notify_waiters();
            }
        });
    }
}

/// One connection from the proxy.
struct Conversation {
    number: usize,
    stream: TcpStream,
    read: Vec<u8>,
    state: Arc<State>,
}

impl Conversation {
    async fn run(mut self) {
        while let Some(head) = self.head().await {
            check_head(&head);
            let index = self.record(&head);
            let target = head.split(' ').nth(1).unwrap().to_owned();
            let script = self.next_script(&target);
            if script.before_body && !self.perform(&script.steps).await {
                return self.mark(index, Arrival::Aborted);
            }
            let arrived = self.body(index, &head).await;
            self.mark(index, if arrived { Arrival::Whole } else { Arrival::Aborted });
            if !arrived || (!script.before_body && !self.perform(&script.steps).await) {
                return;
            }
        }
    }

    fn next_script(&self, target: &str) -> Script {
        let mut scripts = self.state.scripts.lock().unwrap();
        match scripts.get_mut(target) {
            Some(queue) if queue.len() > 1 => queue.remove(0),
            Some(queue) => queue[0].clone(),
            None => Script { before_body: false, steps: vec![send(CLEAN)] },
        }
    }

    /// Does the steps; says whether the connection goes on.
    async fn perform(&mut self, steps: &[Step]) -> bool {
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if self.stream.write_all(bytes).await.is_err() {
                        return false;
                    }
                }
                Step::Hold => self.state.held.acquire().await.unwrap().forget(),
                Step::Close => {
                    let _gone = self.stream.shutdown().await;
                    return false;
                }
                Step::Reset => {
                    let _gone = self.stream.set_zero_linger();
                    return false;
                }
                Step::Linger => {
                    while self.fill().await {}
                    return false;
                }
                Step::Echo => {
                    self.echo().await;
                    return false;
                }
            }
        }
        true
    }

    async fn echo(&mut self) {
        loop {
            let some = std::mem::take(&mut self.read);
            if self.stream.write_all(&some).await.is_err() || !self.fill().await {
                return;
            }
        }
    }

    fn record(&self, head: &str) -> usize {
        let mut seen = self.state.seen.lock().unwrap();
        let (head, body) = (head.to_owned(), Vec::new());
        seen.push(Forwarded { connection: self.number, head, body, state: Arrival::Head });
        self.state.news.notify_waiters();
        seen.len() - 1
    }

    fn mark(&self, index: usize, state: Arrival) {
        self.state.seen.lock().unwrap()[index].state = state;
        self.state.news.notify_waiters();
    }

    async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..at + 4).collect();
                return Some(head.iter().map(|&byte| char::from(byte)).collect());
            }
            if !self.fill().await {
                assert!(self.read.is_empty(), "half a head upstream: {:?}", self.read);
                return None;
            }
        }
    }

    /// Reads a body by its framing; says whether it came to its end.
    async fn body(&mut self, index: usize, head: &str) -> bool {
        if !header_values(head, "transfer-encoding").is_empty() {
            return self.chunks(index).await;
        }
        let length =
            header_values(head, "content-length").first().map_or(0, |length| length.parse().unwrap());
        self.exactly(index, length).await
    }

    async fn exactly(&mut self, index: usize, length: usize) -> bool {
        let mut missing = length;
        while missing > 0 {
            if self.read.is_empty() && !self.fill().await {
                return false;
            }
            let part: Vec<u8> = self.read.drain(..missing.min(self.read.len())).collect();
            missing -= part.len();
            self.state.seen.lock().unwrap()[index].body.extend_from_slice(&part);
            self.state.news.notify_waiters();
        }
        true
    }

    async fn chunks(&mut self, index: usize) -> bool {
        loop {
            let Some(end) = find(&self.read, b"\r\n") else {
                if self.fill().await {
                    continue;
                }
                return false;
            };
            let line = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
            let size = line.trim_end_matches("\r\n");
            assert!(size.bytes().all(|digit| digit.is_ascii_hexdigit()), "chunk size upstream: {line:?}");
            let size = usize::from_str_radix(size, 16).unwrap();
            if !self.exactly(index, size).await {
                return false;
            }
            while self.read.len() < 2 && self.fill().await {}
            if self.read.len() < 2 {
                return false;
            }
            let end: Vec<u8> = self.read.drain(..2).collect();
            assert_eq!(end, b"\r\n", "after a chunk upstream; trailers are not forwarded");
            if size == 0 {
                return true;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        self.read.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.read).await.unwrap_or(0) > 0
    }
}

/// What must hold of everything that is forwarded.
fn check_head(head: &str) {
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "line ends upstream: {head:?}");
    assert_eq!(lines[0].split(' ').count(), 3, "request line upstream: {head:?}");
    assert!(lines[0].ends_with(" HTTP/1.1"), "version upstream: {head:?}");
    assert_eq!(header_values(head, "host").len(), 1, "hosts upstream: {head:?}");
    let lengths = header_values(head, "content-length");
    let codings = header_values(head, "transfer-encoding");
    assert!(lengths.len() + codings.len() <= 1, "framings upstream: {head:?}");
    assert!(codings.iter().all(|coding| *coding == "chunked"), "coding upstream: {head:?}");
    for name in ["te", "trailer", "keep-alive", "proxy-connection", "proxy-authorization", "http2-settings"] {
        assert!(header_values(head, name).is_empty(), "{name} upstream: {head:?}");
    }
    assert!(header_values(head, "expect").is_empty(), "expect upstream: {head:?}");
}
