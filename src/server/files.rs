//! How many connections can this process hold? As many as it may open descriptors for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One descriptor in two is a client's: each may need another towards the upstream, if only to look up its name.
const DESCRIPTORS_PER_CLIENT: u64 = 2;

/// Raises the soft limit of descriptors to the hard one, and says for how many client connections that is enough.
///
/// The soft limit is commonly 1,024 for the sake of programs that use `select`; this one does not.
pub(super) fn connections_affordable() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    limit.map_or(usize::MAX, share_for_clients)
}

/// How many files may be open at most; none where nobody limits them.
pub(super) fn openable() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    maximum.or(current)
}

fn share_for_clients(descriptors: u64) -> usize {
    usize::try_from(descriptors / DESCRIPTORS_PER_CLIENT).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_descriptors_are_for_clients() {
        for (descriptors, connections) in [(256, 128), (1024, 512), (0, 1)] {
            assert_eq!(share_for_clients(descriptors), connections);
        }
        assert!(connections_affordable() > 0);
    }
}
