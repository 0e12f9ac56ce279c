//! Each once: what was answered to an operation that somebody asks for again?

mod memory;

pub use memory::MemoryOperations;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::key::OperationName;

use super::token::Token;
use super::{Doing, StoreDown};

/// Nothing is answered after this time: Supabase's own limits end every write within two minutes.
/// An operation without an outcome by then has none that anybody will hear of.
const DOUBT_AFTER: Duration = Duration::from_secs(130);

/// An answer that can be repeated.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, in order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body; `None` if it was too large to be kept, or broke off.
    pub body: Option<Bytes>,
}

/// What is known about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// It began so long ago, and nobody has said yet how it ended.
    Begun(Duration),
    /// It began, and whoever carried it out could not find out how it ended.
    Doubtful,
    /// It was answered.
    Answered(StoredAnswer),
}

/// What became of an attempt to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Nobody did before.
    First,
    /// Somebody did, and asked for this.
    Known {
        /// A digest over everything that was asked.
        asked: [u8; 32],
        /// How far it came.
        state: OperationState,
    },
    /// Nobody knows.
    Unknown,
}

/// An operation that is kept, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOperation {
    /// What it is called, with the digest behind it.
    pub name: String,
    /// The status of its answer, if it has one.
    pub status: Option<u16>,
    /// Until it is forgotten.
    pub left: Duration,
}

/// A place where operations are remembered. Every method is one round trip.
pub trait OperationStore: Send + Sync + fmt::Debug {
    /// Begins an operation that nobody began.
    fn begin<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        asked: &'a [u8; 32],
        keep: Duration,
    ) -> Doing<'a, Beginning>;

    /// Keeps the answer of the operation that this token began.
    fn finish<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        answer: &'a StoredAnswer,
    ) -> Doing<'a, Result<(), StoreDown>>;

    /// Remembers that the outcome of the operation that this token began is not known.
    fn doubt<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>>;

    /// Forgets the operation that this token began.
    fn withdraw<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>>;

    /// Operations that are kept, at most so many; those without an outcome first.
    fn list(&self, max: usize) -> Doing<'_, Result<Vec<KeptOperation>, StoreDown>>;

    /// Forgets every operation that a client called so; says how many there were.
    fn remove<'a>(&'a self, key: &'a str) -> Doing<'a, Result<usize, StoreDown>>;
}

/// What asking to begin came to.
#[derive(Debug)]
pub enum Begun {
    /// Do it, and say how it ended.
    First(Running),
    /// It was done, and answered with this.
    Repeat(StoredAnswer),
    /// It is being done.
    InProgress,
    /// It began, and how it ended is not known.
    Doubtful,
    /// Under this name something else was asked for.
    Other,
    /// The store could not be asked.
    Unknown,
}

/// An operation that has begun. Dropping it leaves its outcome unknown until it is forgotten or an
/// operator says so: it may have been done.
#[derive(Debug)]
#[must_use = "an operation whose end is not told stays unknown"]
pub struct Running {
    name: OperationName,
    token: Token,
    store: Arc<dyn OperationStore>,
}

impl Running {
    /// It was answered.
    pub async fn finish(self, answer: &StoredAnswer) -> Result<(), StoreDown> {
        self.store.finish(&self.name, &self.token, answer).await
    }

    /// Whether it was done is not known.
    pub async fn doubt(self) -> Result<(), StoreDown> {
        self.store.doubt(&self.name, &self.token).await
    }

    /// It is certain that nothing was done.
    pub async fn withdraw(self) -> Result<(), StoreDown> {
        self.store.withdraw(&self.name, &self.token).await
    }
}

/// All operations.
#[derive(Debug)]
pub struct Operations {
    store: Arc<dyn OperationStore>,
}

impl Operations {
    /// Operations in a store.
    pub fn new(store: Arc<dyn OperationStore>) -> Self {
        Self { store }
    }

    /// Begins an operation, or says what is known about it.
    pub async fn begin(&self, name: &OperationName, asked: &[u8; 32], keep: Duration) -> Begun {
        let Some(token) = Token::random() else { return Begun::Unknown };
        match self.store.begin(name, &token, asked, keep).await {
            Beginning::First => {
                Begun::First(Running { name: name.clone(), token, store: Arc::clone(&self.store) })
            }
            Beginning::Known { asked: before, .. } if before != *asked => Begun::Other,
            Beginning::Known { state: OperationState::Answered(answer), .. } => Begun::Repeat(answer),
            Beginning::Known { state: OperationState::Begun(ago), .. } if ago < DOUBT_AFTER => {
                Begun::InProgress
            }
            Beginning::Known { state: OperationState::Begun(_) | OperationState::Doubtful, .. } => {
                Begun::Doubtful
            }
            Beginning::Unknown => Begun::Unknown,
        }
    }

    /// Operations that are kept, at most so many; those without an outcome first.
    pub async fn list(&self, max: usize) -> Result<Vec<KeptOperation>, StoreDown> {
        self.store.list(max).await
    }

    /// Forgets every operation that a client called so; says how many there were.
    pub async fn remove(&self, key: &str) -> Result<usize, StoreDown> {
        self.store.remove(key).await
    }
}

/// Status and size only: the rest is somebody's.
impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.body.as_ref().map(Bytes::len);
        f.debug_struct("StoredAnswer").field("status", &self.status).field("bytes", &bytes).finish()
    }
}
