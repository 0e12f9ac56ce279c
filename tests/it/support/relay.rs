//! A stretch of wire that can hold back what speaks of something.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Stands before a server, as long as it is kept.
pub(crate) struct Relay {
    port: u16,
    held: Arc<Held>,
    _wires: JoinSet<()>,
}

#[derive(Default)]
struct Held {
    /// What is held back speaks of this.
    word: Mutex<Option<&'static [u8]>>,
    /// How many times something is or was held back.
    caught: watch::Sender<usize>,
}

impl Relay {
    /// Before the store at this address.
    pub(crate) async fn before(store: &str) -> Self {
        let port: u16 = store.trim_end_matches("/0").rsplit(':').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let held = Arc::new(Held::default());
        let (mut wires, holds) = (JoinSet::new(), Arc::clone(&held));
        wires.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
                let ((from, back), (answers, to)) = (client.into_split(), server.into_split());
                open.spawn(carry(from, to, Some(Arc::clone(&holds))));
                open.spawn(carry(answers, back, None));
            }
        });
        Self { port: own, held, _wires: wires }
    }

    /// The address of a store behind it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// From now on, a connection on which this word is sent stands still.
    pub(crate) fn hold(&self, word: &'static str) {
        *self.held.word.lock().unwrap() = Some(word.as_bytes());
    }

    /// Waits until something is held back.
    pub(crate) async fn caught(&self) {
        let mut caught = self.held.caught.subscribe();
        super::soon("something to hold back", caught.wait_for(|count| *count > 0)).await.unwrap();
    }

    /// Lets everything go on.
    pub(crate) fn release(&self) {
        *self.held.word.lock().unwrap() = None;
        self.held.caught.send_modify(|_| {});
    }
}

impl Held {
    fn is_about(&self, bytes: &[u8]) -> bool {
        self.word.lock().unwrap().is_some_and(|word| super::raw::find(bytes, word).is_some())
    }

    /// Waits with these bytes for as long as what they speak of is held back.
    async fn pass(&self, bytes: &[u8]) {
        if self.is_about(bytes) {
            let mut released = self.caught.subscribe();
            self.caught.send_modify(|count| *count += 1);
            let _sender_stays = released.wait_for(|_| !self.is_about(bytes)).await;
        }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, held: Option<Arc<Held>>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if let Some(held) = &held {
            held.pass(&bytes[..read]).await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
