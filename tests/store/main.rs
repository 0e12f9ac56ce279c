//! Does the shared store keep its promises, over a real Redis?

#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]
#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[path = "../started/redis.rs"]
mod redis;

mod guards;
mod speaking;
