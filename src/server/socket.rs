//! Is the client still taking and giving? A TCP stream that gives up on one that is not.
//!
//! Sits beneath TLS, so that progress is what the kernel accepted. It lives as
//! long as the connection does, also after an upgrade, and holds its place.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use super::limits::Limits;
use super::listen::Place;

/// How an HTTP/2 connection begins when nothing was negotiated.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is read away at once while lingering.
const LINGER_BYTES: usize = 4 * 1024;

/// A client's TCP stream.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// Read already, to find out which protocol this is.
    sniffed: Bytes,
    activity: Arc<Activity>,
    limits: Limits,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while bytes that nobody wants are read away.
    lingering: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, limits: Limits, place: Place) -> Socket {
        let sniffed = Bytes::new();
        Socket { stream, sniffed, activity, limits, stalled: None, lingering: None, _place: place }
    }

    /// Finds out whether the client begins with HTTP/2; what was read is read again by the next reader.
    pub(super) async fn sniff_http2(&mut self) -> io::Result<bool> {
        let mut begin = [0; HTTP2_PREFACE.len()];
        let mut filled = 0;
        while filled < begin.len() && begin[..filled] == HTTP2_PREFACE[..filled] {
            match self.stream.read(&mut begin[filled..]).await? {
                0 => break,
                read => filled += read,
            }
        }
        self.sniffed = Bytes::copy_from_slice(&begin[..filled]);
        Ok(begin == HTTP2_PREFACE)
    }

    /// Turns a write that waits into an error once it has waited too long.
    fn progress<T>(&mut self, context: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.stalled = None;
            return write;
        }
        let stall = self.limits.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stopped reading")))
    }

    /// Reads away what a client still sends, until it has seen our end or the time is over.
    ///
    /// Closing a socket that holds unread bytes resets the connection, and the
    /// reset can overtake the answer that said why nobody wanted them.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.limits.linger;
        let timer = self.lingering.get_or_insert_with(|| Box::pin(sleep(linger)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let mut waste = [0; LINGER_BYTES];
            let mut buffer = ReadBuf::new(&mut waste);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sniffed.has_remaining() {
            let count = self.sniffed.len().min(buffer.remaining());
            buffer.put_slice(&self.sniffed.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if self.activity.last_had_body() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
