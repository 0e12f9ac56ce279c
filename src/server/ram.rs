//! How much memory may entries take when nobody said so?

use std::fs;

use crate::units::ByteSize;

/// Entries are a guest on the machine: a quarter leaves room for connections and for neighbours.
const SHARE_OF_MEMORY: u64 = 4;
/// More is a decision that a person should take.
const MEMORY_MAX: ByteSize = ByteSize(256 << 20);
/// Taken where the system does not tell: small enough for the smallest machine that runs this.
const MEMORY_UNKNOWN: ByteSize = ByteSize(64 << 20);

/// Where a container's limit is written, in version 2 and in version 1 of control groups.
const CONTAINER_LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// A quarter of the memory of the machine or of the container, at most 256 MiB.
pub(super) fn default_memory() -> ByteSize {
    share_of(memory())
}

/// The memory of the machine or of the container, whichever is less.
pub(super) fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of_meminfo(&text));
    let containers = CONTAINER_LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok());
    let limits = containers.filter_map(|text| text.trim().parse().ok());
    limits.chain(machine).min()
}

fn share_of(memory: Option<u64>) -> ByteSize {
    match memory {
        Some(bytes) => ByteSize(bytes / SHARE_OF_MEMORY).min(MEMORY_MAX),
        None => MEMORY_UNKNOWN,
    }
}

/// The first line of `/proc/meminfo` is `MemTotal:  24576000 kB`.
fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_memory_at_most_256_mib() {
        let rows = [
            (Some(24 << 30), ByteSize(256 << 20)),
            (Some(512 << 20), ByteSize(128 << 20)),
            (None, ByteSize(64 << 20)),
        ];
        for (memory, share) in rows {
            assert_eq!(share_of(memory), share, "{memory:?}");
        }
    }

    #[test]
    fn the_kernel_says_how_much_there_is() {
        assert_eq!(total_of_meminfo("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_of_meminfo("MemFree: 1 kB\n"), None);
    }
}
