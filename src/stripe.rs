//! One place a thread, where all would wait for each other in one place.
//!
//! Processors that write to the same cache line take turns. What every request
//! adds to is therefore kept in stripes, of which each thread uses its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More than there are threads on most machines; threads that share a stripe take turns.
const STRIPES: usize = 16;

/// The same thing once for each thread.
#[derive(Debug)]
pub struct Striped<T> {
    stripes: Vec<Stripe<T>>,
}

/// Nothing else lies on its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe<T>(Mutex<T>);

impl<T> Striped<T> {
    /// Makes each of them.
    pub fn new(make: impl Fn() -> T) -> Self {
        Self { stripes: (0..STRIPES).map(|_| Stripe(Mutex::new(make()))).collect() }
    }

    /// This thread's. A plain mutex: hold it for a few instructions only.
    pub fn own(&self) -> MutexGuard<'_, T> {
        lock(&self.stripes[of_this_thread()])
    }

    /// All of them, one after the other.
    pub fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.stripes.iter().map(lock)
    }
}

/// Whoever panicked was adding to a few numbers or appending a line: what is there stays usable.
fn lock<T>(stripe: &Stripe<T>) -> MutexGuard<'_, T> {
    stripe.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    STRIPE.with(|stripe| *stripe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_threads_add_is_there() {
        let striped = Striped::new(|| 0);
        std::thread::scope(|scope| {
            for _ in 0..3 * STRIPES {
                scope.spawn(|| *striped.own() += 1);
            }
        });
        assert_eq!(striped.each().map(|stripe| *stripe).sum::<usize>(), 3 * STRIPES);
    }
}
