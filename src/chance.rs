//! A number by chance, for sampling and spreading. Nothing that anybody may not guess hangs on it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Another number with every call; each thread has a row of its own, and 0 comes in none.
pub fn next() -> u32 {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static LAST: Cell<u32> = Cell::new(seed(THREADS.fetch_add(1, Ordering::Relaxed)));
    }
    LAST.with(|last| {
        last.set(shuffled(last.get()));
        last.get()
    })
}

fn seed(thread: u32) -> u32 {
    (thread + 1).wrapping_mul(0x9e37_79b9) | 1
}

/// Marsaglia's xorshift: every value but 0 comes in its turn.
fn shuffled(mut chance: u32) -> u32 {
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^ (chance << 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread() {
        let mut tenths = [0_u32; 10];
        for _ in 0..100_000 {
            tenths[((u64::from(next()) * 10) >> 32) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (9_000..11_000).contains(count)), "{tenths:?}");
    }
}
