//! On which thread does a request live?
//!
//! On one, from its first byte to its last. Each worker is a thread with a runtime
//! of its own, and with its own connections to the upstream and to a shared store:
//! what answers a request is never woken from another thread, which would cost
//! more than most answers do. A new connection goes to the worker that has the
//! fewest, and stays.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

thread_local! {
    /// This thread's number; any other thread counts as the first worker's.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The threads that answer. Clones name the same ones.
#[derive(Clone, Debug)]
pub struct Workers(Arc<[Arc<Worker>]>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Connections that live there.
    connections: AtomicUsize,
}

/// Ends the threads when it is dropped, with whatever still runs there.
#[derive(Debug)]
pub struct End {
    _ending: DropGuard,
}

/// A connection's place with a worker, given back when it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Worker>);

impl Workers {
    /// No threads: everything lives on the runtime that calls.
    pub fn here() -> Self {
        Self::on([Handle::current()])
    }

    /// Starts so many threads, at least one.
    pub fn start(count: usize) -> io::Result<(Self, End)> {
        let ending = CancellationToken::new();
        let end = End { _ending: ending.clone().drop_guard() };
        let runtimes = (0..count.max(1)).map(|number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let ended = ending.clone().cancelled_owned();
            std::thread::Builder::new().name(format!("larder-{number}")).spawn(move || {
                NUMBER.set(number);
                runtime.block_on(ended);
                // Whatever still runs on a thread of its own is not waited for.
                runtime.shutdown_background();
            })?;
            Ok(handle)
        });
        let runtimes = runtimes.collect::<io::Result<Vec<_>>>()?;
        Ok((Self::on(runtimes), end))
    }

    fn on(runtimes: impl IntoIterator<Item = Handle>) -> Self {
        let worker = |runtime| Arc::new(Worker { runtime, connections: AtomicUsize::new(0) });
        Self(runtimes.into_iter().map(worker).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The runtime of a worker; numbers go round.
    pub fn runtime(&self, number: usize) -> &Handle {
        &self.0[number % self.0.len()].runtime
    }

    /// A place with the worker that has the fewest connections.
    pub fn seat(&self) -> Seat {
        let connections = |worker: &&Arc<Worker>| worker.connections.load(Ordering::Relaxed);
        let Some(worker) = self.0.iter().min_by_key(connections) else {
            unreachable!("there is one at least")
        };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(worker))
    }
}

impl Seat {
    /// Where the connection lives.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The number of the worker that calls.
pub fn this_worker() -> usize {
    NUMBER.get()
}

/// The same thing once for each worker.
#[derive(Debug)]
pub struct Each<T>(Box<[T]>);

impl<T> Each<T> {
    /// Makes each of them.
    pub fn new(workers: &Workers, make: impl FnMut() -> T) -> Self {
        Self(std::iter::repeat_with(make).take(workers.count()).collect())
    }

    /// That of the worker that calls.
    pub fn own(&self) -> &T {
        &self.0[this_worker() % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_spawned_with_a_worker_has_its_number_and_its_things() {
        let (workers, _end) = Workers::start(3).unwrap();
        let mut number = 0..;
        let each = Arc::new(Each::new(&workers, || number.next().unwrap()));
        assert_eq!((this_worker(), *each.own()), (0, 0), "elsewhere it is the first one's");
        for number in [0, 1, 2, 3, 4] {
            let each = Arc::clone(&each);
            let there = workers.runtime(number).spawn(async move { (this_worker(), *each.own()) });
            assert_eq!(there.await.unwrap(), (number % 3, number % 3));
        }
    }

    #[tokio::test]
    async fn connections_go_where_the_fewest_are() {
        let (workers, _end) = Workers::start(2).unwrap();
        let id = |seat: &Seat| seat.runtime().id();
        let (first, second) = (workers.seat(), workers.seat());
        assert_ne!(id(&first), id(&second));
        let third = workers.seat();
        let left = id(&second);
        drop((second, third));
        assert_eq!(id(&workers.seat()), left, "whose clients have left");
    }

    #[tokio::test]
    async fn the_threads_end_with_their_guard_and_what_runs_there_too() {
        let (workers, end) = Workers::start(1).unwrap();
        let running = workers.runtime(0).spawn(std::future::pending::<()>());
        drop(end);
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
    }
}
