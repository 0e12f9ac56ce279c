//! A running process: what it is told, what it is made of, how clients get in, how it ends.
//!
//! [`Server::start`] builds everything from [`Settings`] and gives a
//! [`Running`]. A connection is accepted in `listen`, bounded by `limits`, and
//! lives in `connection`: its bytes pass `socket`, its requests `exchange`, and
//! `activity` knows when it has been silent for too long. [`Shutdown`] owns
//! every task. `examine` looks at everything that the settings lead to.

mod activity;
mod advising;
mod callers;
mod canaries;
mod connection;
mod examine;
mod exchange;
mod files;
mod jwks;
mod limits;
mod listen;
mod network;
mod operators;
mod ram;
mod reload;
mod reloader;
mod rules_file;
mod running;
mod schema_watch;
mod secret;
mod settings;
mod shutdown;
mod socket;
mod spans;
mod start;
mod store;
mod streams;
mod tls;

pub use callers::{CallerFlags, Callers, IgnoredClaims, callers};
pub use canaries::{CanaryFlags, CanaryTokens};
pub use examine::{examine, unusable};
pub use jwks::{KeySource, KeySourceMistake};
pub use limits::Limits;
pub use listen::{Entrance, serve};
pub use network::{Network, NetworkFlags};
pub use rules_file::{RulesRefused, read_rules};
pub use running::{Ended, Running};
pub use schema_watch::{SchemaDb, SchemaFlags, WhenChanged};
pub use settings::{Flags, SettingMistake, Settings, TlsFiles};
pub use shutdown::{Drained, Shutdown};
pub use spans::{TraceFlags, TraceSettings};
pub use start::{Server, StartError};
pub use tls::{Tls, TlsError};

#[cfg(test)]
mod tests;
