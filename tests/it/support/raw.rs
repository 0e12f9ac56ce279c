//! A client that sends bytes, and reads answers without trusting anybody's parser.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// How much is read at once.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// One connection to the proxy, byte by byte.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// One answer as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to the end that its own framing announced.
    pub(crate) is_complete: bool,
}

impl RawAnswer {
    /// All values of one header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        header_values(&self.head, name)
    }
}

/// All values of one header in a head.
pub(crate) fn header_values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes. The proxy may have closed already: what matters is what it answered.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _already_closed = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn shut(&mut self) {
        let _already_closed = self.stream.shutdown().await;
    }

    /// Reads one answer to a method; `None` if the connection ended before one began.
    /// Interim answers count as answers.
    pub(crate) async fn answer(&mut self, method: &str) -> Option<RawAnswer> {
        let end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                assert!(self.read.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.read));
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        let status: u16 = head.get(9..12).and_then(|code| code.parse().ok()).expect("a status line");
        let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
        let lengths = header_values(&head, "content-length");
        let codings = header_values(&head, "transfer-encoding");
        assert!(lengths.len() + codings.len() <= 1, "two framings downstream: {head}");
        let (body, is_complete) = if bodiless {
            (Vec::new(), true)
        } else if let Some(length) = lengths.first() {
            self.take(length.parse().expect("a length")).await
        } else if codings.is_empty() {
            (self.rest().await, true)
        } else {
            self.chunks().await
        };
        Some(RawAnswer { status, head, body, is_complete })
    }

    /// Reads until the other end closes, and returns what came.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Reads bytes until these have come, whatever is around them.
    pub(crate) async fn until(&mut self, part: &[u8]) {
        while find(&self.read, part).is_none() {
            assert!(self.fill().await, "closed before {:?}", String::from_utf8_lossy(part));
        }
    }

    /// Reads so many bytes.
    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let (bytes, is_complete) = self.take(length).await;
        assert!(is_complete, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes
    }

    async fn take(&mut self, length: usize) -> (Vec<u8>, bool) {
        while self.read.len() < length {
            if !self.fill().await {
                return (std::mem::take(&mut self.read), false);
            }
        }
        (self.read.drain(..length).collect(), true)
    }

    async fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let Some(end) = find(&self.read, b"\r\n") else {
                if self.fill().await {
                    continue;
                }
                return (body, false);
            };
            let line = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a chunk size");
            let (chunk, is_complete) = self.take(size + 2).await;
            body.extend_from_slice(&chunk[..chunk.len().min(size)]);
            if size == 0 || !is_complete {
                assert!(!is_complete || chunk == b"\r\n", "trailers downstream");
                return (body, is_complete);
            }
        }
    }

    /// Reads once more; says whether the connection is still open.
    async fn fill(&mut self) -> bool {
        self.read.reserve(READ_BYTES);
        // A reset is one way of closing.
        soon("an answer or the end", self.stream.read_buf(&mut self.read)).await.unwrap_or(0) > 0
    }
}

pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
