//! A wire that can be disturbed: bytes go through, late, one way, not at all; connections break; strangers answer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// As much as is moved at once: more than a request or an answer here.
const PIECE_BYTES: usize = 16 * 1024;
/// Neither HTTP nor RESP.
const GARBAGE: &[u8] = b"\x00\xff\x16\x03\x01garbage\r\n$-7\r\n\xde\xad\xbe\xef";

/// How bytes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// At once.
    Open,
    /// Each piece so much later.
    Late(Duration),
    /// Held until the passage is open again, both ways: what a partition without a reset looks like.
    Held,
    /// Only what answers is held.
    OneWay,
    /// Connections are refused, those there were are cut.
    Closed,
    /// Those there were are cut, and whoever connects reads something that makes no sense.
    Garbage,
}

/// A wire between two processes.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    /// A plain mutex: held to copy an address.
    target: Mutex<SocketAddr>,
    passage: watch::Sender<Passage>,
    /// Counts up when every connection is to break.
    cuts: watch::Sender<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Asking,
    Answering,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let wire = Arc::new(Wire {
            target: Mutex::new(target),
            passage: watch::Sender::new(Passage::Open),
            cuts: watch::Sender::new(0),
        });
        let own = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connect(Arc::clone(&own), stream));
            }
        });
        Ok(Self { address, wire })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whoever connects from now on comes out there.
    pub(crate) fn leads_to(&self, target: SocketAddr) {
        *self.wire.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.wire.passage.send_replace(passage);
        match passage {
            Passage::Closed | Passage::Garbage => self.cut(),
            Passage::Open | Passage::Late(_) | Passage::Held | Passage::OneWay => {}
        }
    }

    /// Breaks every connection; new ones are welcome.
    pub(crate) fn cut(&self) {
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn connect(wire: Arc<Wire>, mut here: TcpStream) {
    let mut cuts = wire.cuts.subscribe();
    let passage = *wire.passage.borrow();
    match passage {
        Passage::Closed => return,
        Passage::Garbage => {
            let _gone = here.write_all(GARBAGE).await;
            return;
        }
        Passage::Open | Passage::Late(_) | Passage::Held | Passage::OneWay => {}
    }
    let target = *wire.target.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(there) = TcpStream::connect(target).await else { return };
    let _without_delay = (here.set_nodelay(true), there.set_nodelay(true));
    let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
    tokio::select! {
        () = pump(from_here, to_there, wire.passage.subscribe(), Direction::Asking) => {}
        () = pump(from_there, to_here, wire.passage.subscribe(), Direction::Answering) => {}
        _ = cuts.changed() => {}
    }
}

/// Moves bytes one way until either end closes; then the connection is over both ways.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passage: watch::Receiver<Passage>,
    direction: Direction,
) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let Ok(length) = from.read(&mut piece).await else { return };
        let is_held = |passage: &Passage| match passage {
            Passage::Held => true,
            Passage::OneWay => direction == Direction::Answering,
            Passage::Open | Passage::Late(_) | Passage::Closed | Passage::Garbage => false,
        };
        let now = *passage.borrow();
        let now = match is_held(&now) {
            false => now,
            true => match passage.wait_for(|passage| !is_held(passage)).await {
                Ok(now) => *now,
                Err(_gone) => return,
            },
        };
        if let Passage::Late(by) = now {
            tokio::time::sleep(by).await;
        }
        if length == 0 || to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
