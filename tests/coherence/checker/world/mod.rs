//! Everything that a run takes place in: processes, wires, a folder; all of it ends with the value that stands for it.

mod larder;
#[path = "../../../started/log.rs"]
mod log;
mod postgres;
mod process;
mod redis;
mod relay;
#[cfg(test)]
mod tests;

pub(crate) use larder::{Larder, Launch};
pub(crate) use postgres::Postgres;
pub(crate) use process::{Signal, Trouble};
pub(crate) use redis::{Redis, Restart};
pub(crate) use relay::{Passage, Relay};
