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

/// A share of all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// No case.
    pub const NONE: Self = Self(0);
    /// Every case.
    pub const ALL: Self = Self(u32::MAX);

    /// From 0, no case, to 1, every case.
    pub fn of(number: f64) -> Option<Self> {
        let is_some = number > 0.0;
        // the cast rounds down, and what is not nothing stays so
        (0.0..=1.0)
            .contains(&number)
            .then(|| Self((number * f64::from(u32::MAX)) as u32 | u32::from(is_some)))
    }

    /// Does chance pick this case?
    pub fn picks(self) -> bool {
        match self {
            Self::NONE => false,
            Self::ALL => true,
            Self(up_to) => next() <= up_to,
        }
    }
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
        assert!(Share::of(-0.1).is_none() && Share::of(1.1).is_none() && Share::of(f64::NAN).is_none());
        assert_eq!((Share::of(0.0), Share::of(1.0)), (Some(Share::NONE), Some(Share::ALL)));
        let tenth = Share::of(0.1).unwrap();
        let picked = (0..100_000).filter(|_| tenth.picks()).count();
        assert!((9_000..11_000).contains(&picked), "{picked}");
        assert!(tenths.iter().all(|count| (9_000..11_000).contains(count)), "{tenths:?}");
    }
}
