//! Which pages are there, and with which methods are they asked?

use http::Method;

/// A page of the admin address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page<'p> {
    /// Is the process alive?
    Alive,
    /// Can clients be answered?
    Ready,
    /// Everything that is counted.
    Metrics,
    /// What would happen to a request?
    Explain,
    /// Locks; what follows names one.
    Locks(&'p str),
    /// Operations; what follows names one.
    Operations(&'p str),
    /// The limits of the rules in use.
    Limits,
}

impl<'p> Page<'p> {
    /// The page at a path.
    pub(super) fn at(path: &'p str) -> Option<Self> {
        let below =
            |folder: &str| path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            "/healthz" => Some(Self::Alive),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/api/explain" => Some(Self::Explain),
            "/api/limits" => Some(Self::Limits),
            _ => below("/api/locks")
                .map(Self::Locks)
                .or_else(|| below("/api/operations").map(Self::Operations)),
        }
    }

    /// The methods that it answers.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Alive | Self::Ready | Self::Metrics | Self::Limits => "GET, HEAD",
            Self::Explain => "GET, HEAD, POST",
            Self::Locks("" | "/") | Self::Operations("" | "/") => "GET, HEAD",
            Self::Locks(_) => "GET, HEAD, POST, PUT, DELETE",
            Self::Operations(_) => "DELETE",
        }
    }

    /// Whether it answers this one.
    pub(super) fn answers(self, method: &Method) -> bool {
        self.methods().split(", ").any(|known| method == known)
    }
}
