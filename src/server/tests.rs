//! Do real clients on real sockets get what the limits and the shutdown promise?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::proxy::Peer;
use crate::workers::Workers;

use super::*;

/// More than any wait of these tests, less than anybody's patience.
const LONG: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n";

/// A listener whose handler answers `/held` when told to, `/panic` never, `/large` with 8 MiB, all else at once.
struct Origin {
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    open: prometheus::IntGauge,
    panics: prometheus::IntCounter,
    release: Arc<Notify>,
    held: Arc<AtomicUsize>,
}

fn limits() -> Limits {
    Limits { farewell: Duration::from_millis(50), ..Limits::default() }
}

async fn start(limits: Limits, tls: Option<Tls>) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin {
        address: listener.local_addr().unwrap(),
        shutdown: Shutdown::default(),
        open: prometheus::IntGauge::new("open", "open").unwrap(),
        panics: prometheus::IntCounter::new("panics", "panics").unwrap(),
        release: Arc::default(),
        held: Arc::default(),
    };
    let (release, held) = (Arc::clone(&origin.release), Arc::clone(&origin.held));
    let handler = move |request: Request<Incoming>, peer: Peer| {
        let (release, held) = (Arc::clone(&release), Arc::clone(&held));
        async move { answer(request, peer, &release, &held).await }
    };
    let (open, panics) = (Some(origin.open.clone()), origin.panics.clone());
    let (workers, shutdown) = (Workers::here(), origin.shutdown.clone());
    let entrance = Entrance { limits, workers, tls, shutdown, open, panics, handler };
    origin.shutdown.tasks().spawn(serve(listener, entrance));
    origin
}

async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    release: &Notify,
    held: &AtomicUsize,
) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/held" => {
            let released = release.notified();
            held.fetch_add(1, Ordering::SeqCst);
            released.await;
        }
        "/panic" => panic!("on purpose"),
        "/large" => return Response::new(Full::from(vec![0; 8 << 20])),
        _ => {}
    }
    let version = request.version();
    Response::new(Full::from(format!("{version:?} tls={}", peer.is_tls)))
}

/// Waits for a condition that a task elsewhere brings about.
async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("the condition in time");
}

impl Origin {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads until something that was sent ends with these bytes.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) {
            let byte =
                stream.read_u8().await.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&text)));
            text.push(byte);
        }
    };
    tokio::time::timeout(LONG, reading).await.expect("an answer in time");
    String::from_utf8(text).unwrap()
}

/// Reads to the end of the connection.
async fn read_rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut text)).await.expect("closed in time");
    // A reset is an end as well; what came before it counts.
    let _reset = read;
    String::from_utf8_lossy(&text).into_owned()
}

async fn http2(io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static) -> Http2 {
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let closed = tokio_util::task::TaskTracker::new();
    closed.spawn(async move {
        let _cut = connection.await;
    });
    closed.close();
    Http2 { sender, closed }
}

struct Http2 {
    sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
    closed: tokio_util::task::TaskTracker,
}

impl Http2 {
    fn get(&mut self, path: &str) -> impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<> {
        let request = Request::get(format!("http://a{path}")).body(Full::default()).unwrap();
        self.sender.send_request(request)
    }

    async fn text(&mut self, path: &str) -> String {
        let body = self.get(path).await.unwrap().into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let origin = start(limits(), None).await;
    let mut client = origin.connect().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        read_until(&mut client, "HTTP/1.1 tls=false").await;
    }
    assert_eq!(origin.open.get(), 1);
    drop(client);
    until(|| origin.open.get() == 0).await;
}

#[tokio::test]
async fn http2_is_understood_without_negotiation_even_in_pieces() {
    let origin = start(limits(), None).await;
    let mut client = http2(TokioIo::new(origin.connect().await)).await;
    assert_eq!(client.text("/quick").await, "HTTP/2.0 tls=false");

    let mut raw = origin.connect().await;
    raw.set_nodelay(true).unwrap();
    for piece in ["P", "U", "T /quick HTTP/1.1\r\nho", "st: a\r\ncontent-length: 0\r\n\r\n"] {
        raw.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    read_until(&mut raw, "HTTP/1.1 tls=false").await;
}

#[tokio::test]
async fn tls_negotiates_the_protocol() {
    let folder = Folder::new("alpn");
    let origin = start(limits(), Some(Tls::load(&folder.certificate("localhost")).unwrap())).await;
    for (offered, version) in [(&b"h2"[..], "HTTP/2.0"), (b"http/1.1", "HTTP/1.1")] {
        let stream = folder.connect_tls(origin.address, offered).await;
        if offered == b"h2" {
            assert_eq!(http2(TokioIo::new(stream)).await.text("/quick").await, format!("{version} tls=true"));
        } else {
            let mut stream = stream;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert!(text.ends_with("HTTP/1.1 tls=true"), "{text}");
        }
    }
}

#[tokio::test]
async fn whoever_does_not_finish_a_head_is_cut_and_idle_clients_are_not() {
    let head = Duration::from_millis(200);
    let folder = Folder::new("slow");
    let tls = Tls::load(&folder.certificate("localhost")).unwrap();
    let plain = start(Limits { head, ..limits() }, None).await;
    let encrypted = start(Limits { handshake: head, ..limits() }, Some(tls)).await;

    let mut idle = plain.connect().await;
    idle.write_all(GET).await.unwrap();
    read_until(&mut idle, "tls=false").await;

    let rows: [(&Origin, &[&[u8]]); 6] = [
        (&plain, &[b""]),
        (&plain, &[b"P"]),
        (&plain, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
        (&plain, &[b"GET / HTTP/1.1\r\nhost: a\r\n"]),
        (&encrypted, &[b""]),
        (&encrypted, &[b"\x16\x03\x01"]),
    ];
    for (origin, pieces) in rows {
        let mut client = origin.connect().await;
        let begun = Instant::now();
        for piece in pieces {
            client.write_all(piece).await.unwrap();
        }
        let said = read_rest(&mut client).await;
        assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
        assert!(begun.elapsed() >= head && begun.elapsed() < LONG, "{pieces:?}: {:?}", begun.elapsed());
    }
    // The second head of a connection is timed as the first was, its silence before is not.
    idle.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(read_rest(&mut idle).await, "");
}

#[tokio::test]
async fn an_idle_client_is_asked_to_leave_in_the_end() {
    let origin = start(Limits { idle: Duration::from_millis(100), ..limits() }, None).await;
    let mut first = origin.connect().await;
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "tls=false").await;
    assert_eq!(read_rest(&mut first).await, "");

    let mut second = http2(TokioIo::new(origin.connect().await)).await;
    second.text("/quick").await;
    tokio::time::timeout(LONG, second.closed.wait()).await.unwrap();
}

#[tokio::test]
async fn a_head_of_33_kib_or_of_101_headers_is_refused() {
    let origin = start(limits(), None).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(33 << 10));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(100));
    for head in [long, many] {
        let mut client = origin.connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        assert!(read_rest(&mut client).await.starts_with("HTTP/1.1 431 "));
    }
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let origin = start(limits(), None).await;
    let client = origin.connect().await;
    let (mut reading, mut writing) = client.into_split();
    let head = b"POST /quick HTTP/1.1\r\nhost: a\r\ncontent-length: 4194304\r\n\r\n";
    writing.write_all(head).await.unwrap();
    let sending = async {
        // Cut off at some point: that nobody reads all of it is the point.
        let _cut = writing.write_all(&vec![0; 4 << 20]).await;
    };
    let mut text = Vec::new();
    let (read, ()) = tokio::join!(reading.read_to_end(&mut text), sending);
    read.unwrap();
    assert!(text.ends_with(b"HTTP/1.1 tls=false"));
}

#[tokio::test]
async fn more_connections_than_allowed_wait_outside() {
    let origin = start(Limits { connections: 1, ..limits() }, None).await;
    let mut first = origin.connect().await;
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "tls=false").await;

    let mut second = origin.connect().await;
    second.write_all(GET).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(early.is_err(), "answered though there was no place");
    assert_eq!(origin.open.get(), 1);
    drop(first);
    read_until(&mut second, "tls=false").await;
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_on_both_protocols() {
    let origin = start(Limits { stall: Duration::from_millis(200), ..limits() }, None).await;
    let mut stopped = origin.connect().await;
    stopped.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(|| origin.open.get() == 1).await;
    until(|| origin.open.get() == 0).await;

    // The stream is reset; the connection and its other streams go on.
    let mut client = http2(TokioIo::new(origin.connect().await)).await;
    let unread = client.get("/large").await.unwrap();
    // What is left is the accepting task and the connection.
    until(|| origin.shutdown.tasks().len() == 2).await;
    assert!(unread.into_body().collect().await.is_err());
    assert_eq!(client.text("/quick").await, "HTTP/2.0 tls=false");
}

#[tokio::test]
async fn a_large_answer_arrives_whole_on_both_protocols() {
    let origin = start(limits(), None).await;
    let mut client = http2(TokioIo::new(origin.connect().await)).await;
    assert_eq!(client.text("/large").await.len(), 8 << 20);
    let mut client = origin.connect().await;
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let text = read_rest(&mut client).await;
    assert!(text.contains("content-length: 8388608\r\n"));
    assert_eq!(text.split_once("\r\n\r\n").unwrap().1.len(), 8 << 20);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_process_lives() {
    let origin = start(limits(), None).await;
    let mut client = origin.connect().await;
    client.write_all(b"GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let said = read_rest(&mut client).await;
    assert!(said.starts_with("HTTP/1.1 500 ") && said.contains("connection: close\r\n"), "{said}");
    assert!(said.contains("LARDER500"), "{said}");
    let mut client = http2(TokioIo::new(origin.connect().await)).await;
    assert_eq!(client.get("/panic").await.unwrap().status(), 500);
    assert_eq!(client.text("/quick").await, "HTTP/2.0 tls=false");
    assert_eq!(origin.panics.get(), 2);
}

#[tokio::test]
async fn draining_finishes_what_has_begun_and_takes_nothing_new() {
    let origin = start(limits(), None).await;
    let mut idle = origin.connect().await;
    idle.write_all(GET).await.unwrap();
    read_until(&mut idle, "tls=false").await;
    let mut held = origin.connect().await;
    held.write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut streams = http2(TokioIo::new(origin.connect().await)).await;
    let held_stream = streams.get("/held");
    let held_stream = async { held_stream.await.unwrap().into_body().collect().await.unwrap().to_bytes() };
    let asked = async { until(|| origin.held.load(Ordering::SeqCst) == 2).await };
    let ((), held_text, stream_text, drained) = tokio::join!(
        async {
            asked.await;
            origin.shutdown.begin();
            // An idle client's next request is answered, and is its last.
            idle.write_all(GET).await.unwrap();
            let last = read_rest(&mut idle).await;
            assert!(last.contains("connection: close\r\n") && last.ends_with("tls=false"), "{last}");
            let refused = async { while TcpStream::connect(origin.address).await.is_ok() {} };
            tokio::time::timeout(LONG, refused).await.expect("nobody listens any more");
            origin.release.notify_waiters();
        },
        async { read_rest(&mut held).await },
        held_stream,
        async {
            origin.shutdown.draining().cancelled().await;
            origin.shutdown.drain(LONG).await
        },
    );
    assert!(held_text.contains("connection: close\r\n") && held_text.ends_with("tls=false"), "{held_text}");
    assert_eq!(stream_text, "HTTP/2.0 tls=false");
    assert_eq!(drained, Drained::Everything);
    tokio::time::timeout(LONG, streams.closed.wait()).await.unwrap();
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_cut() {
    let origin = start(limits(), None).await;
    let mut held = origin.connect().await;
    held.write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(|| origin.held.load(Ordering::SeqCst) == 1).await;
    assert_eq!(origin.shutdown.drain(Duration::from_millis(100)).await, Drained::Cut(1));
    assert_eq!(read_rest(&mut held).await, "");
    tokio::time::timeout(LONG, origin.shutdown.tasks().wait()).await.unwrap();
}

/// A folder of this test alone, removed at its end.
struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("larder-server-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    fn certificate(&self, name: &str) -> TlsFiles {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let files = TlsFiles { cert: self.path.join("cert.pem"), key: self.path.join("key.pem") };
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    /// Speaks TLS, trusting the certificate that lies here now.
    async fn connect_tls(
        &self,
        address: std::net::SocketAddr,
        protocol: &[u8],
    ) -> tokio_rustls::client::TlsStream<TcpStream> {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_file(self.path.join("cert.pem")).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(address).await.unwrap();
        connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.path);
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
    let folder = Folder::new("renewal");
    let files = folder.certificate("localhost");
    let tls = Tls::load(&files).unwrap();
    let origin = start(limits(), Some(tls.clone())).await;
    folder.connect_tls(origin.address, b"h2").await;

    folder.certificate("localhost");
    tls.reload(&files).unwrap();
    folder.connect_tls(origin.address, b"h2").await;

    let key = std::fs::read(&files.key).unwrap();
    for (broken, expected) in [("", "holds no private key"), ("-----BEGIN PRIVATE KEY-----\nx", "is not PEM")]
    {
        std::fs::write(&files.key, broken).unwrap();
        let said = tls.reload(&files).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
    std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
    assert!(tls.reload(&files).unwrap_err().to_string().contains("cannot be used together"));
    std::fs::write(&files.key, key).unwrap();
    folder.connect_tls(origin.address, b"http/1.1").await;
}
