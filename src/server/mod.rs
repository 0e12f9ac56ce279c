//! A running process.

mod activity;
mod connection;
mod exchange;
mod limits;
mod listen;
mod ram;
mod settings;
mod shutdown;
mod socket;
mod streams;
mod tls;

pub use limits::Limits;
pub use listen::{Entrance, Peer, serve};
pub use settings::{Flags, LogFormat, SettingMistake, Settings, TlsFiles};
pub use shutdown::{Drained, Shutdown};
pub use tls::{Tls, TlsError};
