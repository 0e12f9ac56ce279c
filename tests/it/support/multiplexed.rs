//! An HTTP/2 client that sends header lists no library would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// What a GOAWAY says to a client that asks for too much, as RFC 9113 numbers it.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// Frames by which a client costs a server more than itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flood<'a> {
    /// Requests that are taken back at once.
    Resets(&'a [(&'a str, &'a str)]),
    /// A list of headers that goes on and on.
    Continuations(&'a [(&'a str, &'a str)]),
    /// A body of nothing, in very many pieces.
    EmptyData(&'a [(&'a str, &'a str)]),
    /// Questions that must be answered.
    Pings,
    /// Settings that must be confirmed.
    Settings,
}

impl Flood<'_> {
    /// The frames that come first, and those that come again and again.
    fn frames(self, round: u32) -> Vec<u8> {
        let stream = 2 * round + 1;
        match self {
            Self::Resets(headers) => {
                let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, &list(headers));
                [asked, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            }
            Self::Continuations(headers) if round == 0 => frame(HEADERS, END_STREAM, 1, &list(headers)),
            Self::Continuations(_) => frame(CONTINUATION, 0, 1, &list(&[("x-more", "of the same")])),
            Self::EmptyData(headers) if round == 0 => frame(HEADERS, END_HEADERS, 1, &list(headers)),
            Self::EmptyData(_) => frame(DATA, 0, 1, &[]),
            Self::Pings => frame(PING, 0, 0, &u64::from(round).to_be_bytes()),
            Self::Settings => frame(SETTINGS, 0, 0, &[]),
        }
    }
}

/// Sends so many rounds of a flood on one connection, as fast as they are taken, and tells with which code the proxy
/// ended that, if it did.
pub(crate) async fn flood(address: SocketAddr, flood: Flood<'_>, rounds: u32) -> Option<u32> {
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let sending = async {
        let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        for round in 0..rounds {
            bytes.extend(flood.frames(round));
            if bytes.len() > 16 * 1024 || round + 1 == rounds {
                if to.write_all(&bytes).await.is_err() {
                    return; // it has been ended
                }
                bytes.clear();
            }
        }
        let _ended = to.shutdown().await;
    };
    let hearing = async {
        let mut said = None;
        let mut head = [0; 9];
        while from.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if from.read_exact(&mut payload).await.is_err() {
                break;
            }
            if head[3] == GOAWAY {
                said = payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
            }
        }
        said
    };
    let ((), said) = soon("the end of a flood", async { tokio::join!(sending, hearing) }).await;
    said
}

/// How a request on HTTP/2 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an answer of this status, which ended whole.
    Answered(u16),
    /// The stream or the connection was ended without a whole answer.
    Refused,
}

/// A request, as a list of names and values and what follows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream<'a> {
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) trailers: Vec<(&'a str, &'a str)>,
}

/// Sends one request on a connection of its own, and tells how it ended.
pub(crate) async fn ask(address: SocketAddr, stream: &Stream<'_>) -> Ending {
    let mut socket = soon("connecting", TcpStream::connect(address)).await.unwrap();
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let has_trailers = !stream.trailers.is_empty();
    let ends = |is_last: bool| if is_last { END_STREAM } else { 0 };
    let first = END_HEADERS | ends(stream.data.is_none() && !has_trailers);
    bytes.extend(frame(HEADERS, first, 1, &list(&stream.headers)));
    if let Some(data) = stream.data {
        bytes.extend(frame(DATA, ends(!has_trailers), 1, data));
    }
    if has_trailers {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &list(&stream.trailers)));
    }
    // The proxy may refuse before it has read all of it.
    let _refused_early = socket.write_all(&bytes).await;
    soon("an end of the stream", ending(&mut socket)).await
}

async fn ending(socket: &mut TcpStream) -> Ending {
    let mut status = None;
    loop {
        let mut head = [0; 9];
        if socket.read_exact(&mut head).await.is_err() {
            return Ending::Refused;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if socket.read_exact(&mut payload).await.is_err() {
            return Ending::Refused;
        }
        let (kind, flags) = (head[3], head[4]);
        match kind {
            SETTINGS if flags & ACK == 0 => {
                let _closed = socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await;
            }
            RST_STREAM | GOAWAY => return Ending::Refused,
            HEADERS => status = status.or_else(|| Some(status_of(&payload))),
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Ending::Answered(status.expect("headers before data"));
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Literals without indexing and without Huffman codes, so that forbidden bytes arrive as they are.
fn list(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (name, value) in headers {
        list.push(0);
        for text in [name, value] {
            list.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text"));
            list.extend_from_slice(text.as_bytes());
        }
    }
    list
}

/// Reads `:status`, which comes first: indexed, or a literal of three digits.
fn status_of(list: &[u8]) -> u16 {
    // A change of the table's size may come before it.
    let list = if list[0] & 0xe0 == 0x20 { &list[1..] } else { list };
    match list[0] {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ if list[1] & 0x80 == 0 => String::from_utf8_lossy(&list[2..5]).parse().unwrap(),
        _ => digits(&list[2..]),
    }
}

/// Three digits in HPACK's Huffman code: 0 to 2 have five bits, 3 to 9 six.
fn digits(coded: &[u8]) -> u16 {
    let mut bits = coded.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut take = |count: usize| bits.by_ref().take(count).fold(0, |sum, bit| sum << 1 | bit);
    (0..3).fold(0, |number, _| {
        let five = take(5);
        let digit = if five < 3 { five } else { (five << 1 | take(1)) - 0b01_1001 + 3 };
        number * 10 + digit
    })
}
