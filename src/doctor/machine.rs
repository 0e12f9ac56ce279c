//! Are ports, files and memory there?

use super::{Judged, fails, misconfigured, quoted, warns, works};

/// Entries beside connections, the system and neighbours: more than half is tight.
const MEMORY_SHARE: u64 = 2;

/// What a look at this machine found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// This process listens there.
    Listens { setting: &'static str, address: String },
    /// Nobody has it.
    PortFree { setting: &'static str, address: String },
    /// Somebody has it, or it is not ours to take.
    PortTaken { setting: &'static str, address: String, why: String },
    /// As many files as connections need.
    FilesEnough { files: u64, connections: u64 },
    /// Fewer.
    FilesFew { files: u64, connections: u64 },
    /// Entries take little enough of the memory.
    MemoryFits { entries: u64, of: u64 },
    /// They take much of it.
    MemoryTight { entries: u64, of: u64 },
    /// They take more than there is.
    MemoryLacks { entries: u64, of: u64 },
    /// The system does not say how much there is.
    MemoryUnknown,
    /// Clients speak TLS with a certificate that can be read.
    Certificate,
    /// It cannot be used.
    CertificateBad { why: String },
}

impl Machine {
    /// What the limit of open files means: each connection may need a second one, towards the upstream.
    pub fn of_files(files: u64, connections: u64) -> Self {
        if files / 2 >= connections {
            Self::FilesEnough { files, connections }
        } else {
            Self::FilesFew { files, connections }
        }
    }

    /// What the memory for entries means on this machine or in this container.
    pub fn of_memory(entries: u64, of: Option<u64>) -> Self {
        match of {
            None => Self::MemoryUnknown,
            Some(of) if entries >= of => Self::MemoryLacks { entries, of },
            Some(of) if entries > of / MEMORY_SHARE => Self::MemoryTight { entries, of },
            Some(of) => Self::MemoryFits { entries, of },
        }
    }

    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::Listens { setting, address } => {
                works("listens", format!("{setting} {address} is listened on"))
            }
            Self::PortFree { setting, address } => works("port-free", format!("{setting} {address} is free")),
            Self::PortTaken { setting, address, why } => fails(
                "port-taken",
                format!("{setting} {address} cannot be listened on: {}", quoted(why)),
                format!("another process may have it (ss -ltnp shows which); {setting} names another"),
            ),
            Self::FilesEnough { files, connections } => {
                works("files", format!("{files} files may be open, enough for {connections} connections"))
            }
            Self::FilesFew { files, connections } => warns(
                "files-few",
                format!(
                    "{files} files may be open: too few for {connections} connections, so fewer are accepted"
                ),
                "LimitNOFILE= in systemd, --ulimit nofile= in a container, or a smaller --max-connections",
            ),
            Self::MemoryFits { entries, of } => {
                works("memory", format!("entries take at most {} of {}", mebibytes(*entries), mebibytes(*of)))
            }
            Self::MemoryTight { entries, of } => warns(
                "memory-tight",
                format!("entries may take {} of {}", mebibytes(*entries), mebibytes(*of)),
                "connections and the system need the rest: at most half for --memory",
            ),
            Self::MemoryLacks { entries, of } => fails(
                "memory-lacks",
                format!("entries may take {}, and there are {}", mebibytes(*entries), mebibytes(*of)),
                "the system ends the process before that: a smaller --memory",
            ),
            Self::MemoryUnknown => warns(
                "memory-unknown",
                "the system does not say how much memory there is",
                "set --memory to what entries may take",
            ),
            Self::Certificate => works("certificate", "the certificate for clients and its key fit"),
            Self::CertificateBad { why } => misconfigured(
                "certificate-bad",
                format!("clients cannot speak TLS: {}", quoted(why)),
                "--tls-cert and --tls-key name a chain in PEM and the key of its first certificate",
            ),
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
