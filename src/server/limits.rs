//! How much may one client connection ask for, and how long may it take?

use std::time::Duration;

/// The bounds of every connection; tests shorten the times.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// TLS handshakes at a time: each costs about a millisecond of a core, and established clients go first.
    pub handshakes: usize,
    /// From accepting to the end of the TLS handshake.
    pub handshake: Duration,
    /// From accepting to the first complete request, and from a later request's first byte to its last header.
    pub head: Duration,
    /// How long a connection may do nothing between requests.
    pub idle: Duration,
    /// How long a client may take nothing of what is being sent to it.
    pub stall: Duration,
    /// How long idle HTTP/1 connections are kept when draining begins, so that
    /// a request already on its way is answered instead of reset.
    pub farewell: Duration,
    /// How long bytes that nobody wants any more are read away, so that the
    /// last answer reaches a client that is still sending.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10_000,
            handshakes: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            // Longer than the 60 s after which common load balancers give a connection up:
            // whoever closes first must be the one who knows that no request is on its way.
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            farewell: Duration::from_millis(500),
            linger: Duration::from_secs(1),
        }
    }
}

/// Header bytes of an HTTP/1 request, request line included: Envoy's and AWS's order of
/// magnitude, several times the largest token seen in practice.
pub(super) const HTTP1_HEAD_BYTES_MAX: usize = 32 * 1024;
/// What hyper may buffer of one HTTP/1 connection in one direction; 400 KiB, its default,
/// would let 10,000 half-sent requests take 4 GB.
pub(super) const HTTP1_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Streams that one HTTP/2 connection may have open: what browsers ask for.
pub(super) const HTTP2_STREAMS_MAX: u32 = 100;
/// The decoded header list of an HTTP/2 request: as much as HTTP/1 may send.
pub(super) const HTTP2_HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Body bytes that one stream may send ahead of being read.
pub(super) const HTTP2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Body bytes that one connection may send ahead of being read.
pub(super) const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Answer bytes buffered for one stream: four frames keep the wire busy.
pub(super) const HTTP2_SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How often a silent HTTP/2 peer is asked whether it still lives.
pub(super) const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take to say so.
pub(super) const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

const _: () = assert!(HTTP1_HEAD_BYTES_MAX <= HTTP1_BUFFER_BYTES_MAX);
const _: () = assert!(HTTP2_STREAM_WINDOW_BYTES <= HTTP2_CONNECTION_WINDOW_BYTES);
