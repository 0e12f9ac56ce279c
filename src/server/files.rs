//! How many connections can this process hold? As many as it may open descriptors for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the upstream, the listeners, files and what libraries open: a request that
/// passes through needs one beside its client's, but only while it is being answered.
const SHARE_FOR_CLIENTS: (u64, u64) = (3, 4);

/// Raises the soft limit of descriptors to the hard one, and says for how many client connections that is enough.
///
/// The soft limit is commonly 1,024 for the sake of programs that use `select`; this one does not.
pub(super) fn connections_affordable() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    limit.map_or(usize::MAX, share_for_clients)
}

fn share_for_clients(descriptors: u64) -> usize {
    let (part, whole) = SHARE_FOR_CLIENTS;
    usize::try_from(descriptors / whole * part).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_descriptors_is_not_for_clients() {
        for (descriptors, connections) in [(256, 192), (1024, 768), (0, 1)] {
            assert_eq!(share_for_clients(descriptors), connections);
        }
        assert!(connections_affordable() > 0);
    }
}
