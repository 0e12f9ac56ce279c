//! How much may a server say in one reply?
//!
//! The client library keeps a reply until it is whole, however large its head claims it to
//! be. So heads are read as they pass, and a connection that claims too much breaks before
//! what it claims arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest reply, in bytes: many times the largest entry that is worth a round trip.
const REPLY_BYTES_MAX: u64 = 64 << 20;

/// Longest line: errors and numbers are lines. Servers send some hundred bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What one element of a list costs while it is read, whatever it holds.
const ITEM_BYTES: u64 = 64;

/// A kind and a number: as much of a line as has to be understood.
const HEAD_BYTES: usize = 24;

/// A connection over which no reply is larger than it may be.
pub(super) struct Bounded<S> {
    stream: S,
    replies: Replies,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, replies: Replies::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        Poll::Ready(this.replies.pass(&buffer.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where in a reply the connection is.
#[derive(Debug, Default)]
struct Replies {
    /// Bytes of a string that are still to come, with the line break behind them.
    rest: u64,
    /// How a line begins that has not ended.
    head: [u8; HEAD_BYTES],
    line_bytes: usize,
    /// Elements still to come before the reply is whole, the next one not counted.
    items: u64,
    /// What the reply has claimed so far.
    claimed: u64,
}

impl Replies {
    fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let passed = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            let end = memchr::memchr(b'\n', bytes);
            self.extend(&bytes[..end.unwrap_or(bytes.len())])?;
            bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
            if end.is_some() {
                self.line()?;
            }
        }
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) -> io::Result<()> {
        for (place, byte) in self.head.iter_mut().skip(self.line_bytes).zip(bytes) {
            *place = *byte;
        }
        self.line_bytes += bytes.len();
        if self.line_bytes > LINE_BYTES_MAX { Err(too_much()) } else { Ok(()) }
    }

    /// A line has ended: what does it announce?
    fn line(&mut self) -> io::Result<()> {
        let head = self.head[..self.line_bytes.min(HEAD_BYTES)].trim_ascii_end();
        let number = || str::from_utf8(head.get(1..)?).ok()?.parse::<i64>().ok();
        // none at all is written as -1
        let count = || number().map(|count| u64::try_from(count).unwrap_or(0));
        let (items, claimed) = match head.first() {
            Some(b'$' | b'!' | b'=') => {
                let length = count().ok_or_else(too_much)?;
                let is_none = number() == Some(-1);
                self.rest = if is_none { 0 } else { length.saturating_add(2) };
                (0, length)
            }
            Some(kind @ (b'*' | b'~' | b'>' | b'%' | b'|')) => {
                let count = count().ok_or_else(too_much)?;
                let items = match kind {
                    b'%' => count.saturating_mul(2),
                    b'|' => count.saturating_mul(2).saturating_add(1),
                    _ => count,
                };
                (items, items.saturating_mul(ITEM_BYTES))
            }
            _ => (0, self.line_bytes as u64),
        };
        self.line_bytes = 0;
        self.claimed = self.claimed.saturating_add(claimed);
        self.items = self.items.saturating_add(items);
        if self.claimed > REPLY_BYTES_MAX {
            return Err(too_much());
        }
        match self.items.checked_sub(1) {
            Some(items) => self.items = items,
            None => self.claimed = 0, // that was the last one
        }
        Ok(())
    }
}

fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a reply of the store is larger than any it was asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &[u8]) -> io::Result<Replies> {
        let whole = {
            let mut replies = Replies::default();
            replies.pass(text).map(|()| replies)
        };
        let mut bytewise = Replies::default();
        let passed = text.chunks(1).try_for_each(|byte| bytewise.pass(byte));
        assert_eq!(passed.is_ok(), whole.is_ok(), "the same in pieces");
        whole
    }

    #[test]
    fn replies_are_counted_each_for_itself() {
        let texts: &[&[u8]] = &[
            b"+OK\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"$0\r\n\r\n",
            b"$5\r\n*9\r\n1\r\n",
            b"*3\r\n:1\r\n$2\r\n\n\n\r\n*1\r\n+a\r\n",
            b"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
            b"|1\r\n+a\r\n+b\r\n:5\r\n",
            b">3\r\n+message\r\n+a\r\n$1\r\nx\r\n",
            b"-ERR no\r\n",
        ];
        for text in texts {
            let replies = pass(text).unwrap();
            assert_eq!((replies.rest, replies.items, replies.claimed), (0, 0, 0), "{text:?}");
        }
        let all = texts.concat().repeat(3);
        assert_eq!(pass(&all).unwrap().items, 0);
        assert_eq!(pass(b"*2\r\n:1\r\n").unwrap().items, 0, "the next one is not counted");
        assert_eq!(pass(b"*3\r\n:1\r\n").unwrap().items, 1);
    }

    #[test]
    fn whoever_claims_too_much_is_cut_off() {
        for text in [
            &b"$1073741824\r\n"[..],
            b"$99999999999999999999\r\n",
            b"$nonsense\r\n",
            b"*1000000000\r\n",
            b"%9223372036854775807\r\n",
            b"*3\r\n$40000000\r\n",
        ] {
            let begun = text == b"*3\r\n$40000000\r\n";
            assert_eq!(pass(text).is_ok(), begun, "{text:?}");
        }
        // two of 40 MB in one reply are too much, in two replies they are not
        let mut replies = Replies::default();
        replies.pass(b"*2\r\n$40000000\r\n").unwrap();
        replies.rest = 0;
        assert!(replies.pass(b"$40000000\r\n").is_err());
        let mut replies = Replies::default();
        replies.pass(b"$40000000\r\n").unwrap();
        replies.rest = 0;
        assert!(replies.pass(b"$40000000\r\n").is_ok());
        assert!(pass(&[b'+'; LINE_BYTES_MAX + 1]).is_err(), "a line without an end");
    }
}
