//! `larder schema`: what does the database know that no URL shows?
//!
//! [`ask`] reads the catalogue into [`Facts`], in one read-only transaction;
//! `derive` concludes from them what an answer depends on and a write changes,
//! and gives a [`Learned`](crate::rules::Learned); `file` writes that down, one line for each thing,
//! and `diff` says what two such files differ in. Facts are only read and
//! conclusions only drawn here: nothing judges without a fact, and what cannot
//! be concluded is said to be unsure, with the reason.

mod catalogue;
mod connect;
mod derive;
mod diff;
mod facts;
mod file;
mod fingerprint;
mod openapi;
mod text;
mod tls;
mod tree;

pub use connect::{ConnectError, DatabaseUrl, UrlMistake, ask, ask_fingerprint};
pub use derive::learned;
pub use diff::{Difference, differences};
pub use facts::Facts;
pub use file::written;
pub use fingerprint::Fingerprint;
pub use openapi::from_openapi;
