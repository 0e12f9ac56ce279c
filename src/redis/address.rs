//! Where is the store, and how does one get in?

use std::fmt;

use ::redis::{ConnectionInfo, IntoConnectionInfo};

/// A store's address. Shown without its password.
#[derive(Clone)]
pub struct Address {
    pub(super) info: ConnectionInfo,
    shown: String,
}

/// Why an address was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address of a store.
    #[error("not the address of a store: {0} (hint: redis://user:password@host:6379/0)")]
    Unreadable(String),
}

impl Address {
    /// Reads an address such as `redis://user:password@host:6379/0`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let info =
            text.into_connection_info().map_err(|error| AddressError::Unreadable(error.to_string()))?;
        let shown = info.addr().to_string();
        Ok(Self { info, shown })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Without its password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
