//! What does larder call itself to those whom it asks?

use http::HeaderValue;

/// Its name and version. Fills go upstream under it, so that no answer depends on a browser's.
pub const AGENT: HeaderValue = HeaderValue::from_static(concat!("larder/", env!("CARGO_PKG_VERSION")));
