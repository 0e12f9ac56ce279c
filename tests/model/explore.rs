//! How is every possible course of events followed, and the shortest one found that breaks a promise?
//!
//! Breadth first: each state is visited once, over a shortest path, so the first
//! broken state found has the shortest story. Only the states themselves are
//! remembered; the story is told from the chain of steps that led to them.

use std::collections::{HashSet, VecDeque};
use std::fmt::{Display, Write as _};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A protocol among concurrent parties: where it begins, and what may happen next.
pub(crate) trait Model {
    /// Everything that decides what may happen next, and nothing else.
    type State: Copy + Eq + Hash;
    /// What happened, in words.
    type Step: Copy + Display;

    /// Before anything happened.
    fn start(&self) -> Self::State;

    /// Hands over each thing that may happen now, with the state it leads to.
    fn steps(&self, state: &Self::State, happens: &mut dyn FnMut(Self::Step, Self::State));

    /// Has a promise been broken?
    fn is_broken(&self, state: &Self::State) -> bool;
}

/// What following every course of events showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No reachable state breaks the promise.
    Holds {
        /// How many there are.
        states: usize,
    },
    /// The promise can be broken.
    Broken {
        /// How many states were looked at before this was found.
        states: usize,
        /// The shortest way there, one step a line.
        story: String,
    },
}

/// More states than this and a variant has become too large to be searched in a
/// test: more than twice the largest one today.
const STATES_MAX: usize = 4_000_000;

/// How a state was reached: the state before it, and the step between.
struct Arrival<Step> {
    from: usize,
    step: Option<Step>,
}

/// Follows every course of events.
pub(crate) fn explore<M: Model>(model: &M) -> Verdict {
    let start = model.start();
    let mut arrivals = vec![Arrival { from: 0, step: None }];
    let mut reached = HashSet::<_, BuildHasherDefault<Mixing>>::default();
    reached.insert(start);
    let mut waiting = VecDeque::from([(0, start)]);

    while let Some((at, state)) = waiting.pop_front() {
        if model.is_broken(&state) {
            return Verdict::Broken { states: reached.len(), story: tell(&arrivals, at) };
        }
        model.steps(&state, &mut |step, next| {
            if reached.insert(next) {
                arrivals.push(Arrival { from: at, step: Some(step) });
                waiting.push_back((arrivals.len() - 1, next));
            }
        });
        assert!(reached.len() <= STATES_MAX, "more than {STATES_MAX} states");
    }
    Verdict::Holds { states: reached.len() }
}

/// The steps that led to a state, from the first one on.
fn tell<Step: Copy + Display>(arrivals: &[Arrival<Step>], mut at: usize) -> String {
    let mut steps = Vec::new();
    while let Some(step) = arrivals[at].step {
        steps.push(step);
        at = arrivals[at].from;
    }
    let mut story = String::new();
    for step in steps.iter().rev() {
        writeln!(story, "    {step}").expect("a string takes any text");
    }
    story
}

/// A hash for states: nobody chooses them to collide, and the one of the standard
/// library takes half of the time of a build without optimisation.
#[derive(Default)]
struct Mixing(u64);

/// Odd, with its bits spread: 2⁶⁴ over the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for Mixing {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(SPREAD);
    }

    fn write_isize(&mut self, variant: isize) {
        self.0 = (self.0.rotate_left(5) ^ variant.cast_unsigned() as u64).wrapping_mul(SPREAD);
    }

    fn finish(&self) -> u64 {
        // the table takes its place from the lowest bits and its tag from the highest
        self.0 ^ (self.0 >> 32)
    }
}
