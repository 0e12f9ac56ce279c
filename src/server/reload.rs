//! Has a file changed, and can what it says now be used?
//!
//! Files are looked at once a second instead of being watched: that also sees a
//! swapped symlink (how Kubernetes updates a mounted file), a network drive and
//! a file that is replaced while it is being written. What counts is the content.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::rules::SCHEMA_FILE_BYTES_MAX;

/// Soon enough for whoever saves a file and looks; `stat` once a second costs nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// More of a file is not looked at: a schema.yaml may be as large, rules and certificates are far smaller.
pub(super) const FILE_BYTES_MAX: u64 = SCHEMA_FILE_BYTES_MAX as u64;

/// A hash of what each of some files holds.
pub(super) type Contents = Vec<Option<blake3::Hash>>;

/// Files that belong together and what to do when they change.
pub(super) struct Watched<F, L> {
    /// Which files these are: one may come to name another.
    list: L,
    /// What the files held when that was last applied or refused.
    contents: Contents,
    apply: F,
}

impl<F, L> Watched<F, L>
where
    F: FnMut() + Send + 'static,
    L: FnMut() -> Vec<PathBuf> + Send + 'static,
{
    /// `apply` is called after each change; it says itself whether that went well.
    pub(super) fn new(mut list: L, apply: F) -> Self {
        let contents = contents(&list());
        Watched { list, contents, apply }
    }

    /// What the files held when it was applied first, should they have changed meanwhile.
    pub(super) fn since(self, contents: Contents) -> Self {
        Watched { contents, ..self }
    }

    /// Looks once a second and whenever `asked` changes, until draining begins.
    pub(super) async fn watch(
        mut self,
        mut asked: watch::Receiver<()>,
        tasks: TaskTracker,
        draining: CancellationToken,
    ) {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let is_asked = tokio::select! {
                biased;
                () = draining.cancelled() => return,
                changed = asked.changed() => changed.is_ok(),
                _ = interval.tick() => false,
            };
            // On a thread of its own: a drive that hangs must not stop requests.
            let looked = tasks.spawn_blocking(move || {
                self.look(is_asked);
                self
            });
            self = match looked.await {
                Ok(watched) => watched,
                Err(error) => {
                    warn!(%error, "files are not watched any more");
                    return;
                }
            };
        }
    }

    fn look(&mut self, is_asked: bool) {
        let contents = contents(&(self.list)());
        // What cannot be told now is looked at again a second later.
        let is_known = contents.iter().all(Option::is_some);
        if is_asked || (is_known && contents != self.contents) {
            self.contents = contents;
            (self.apply)();
        }
    }
}

/// What files hold now.
pub(super) fn contents(files: &[PathBuf]) -> Contents {
    files.iter().map(|file| content(file)).collect()
}

/// A hash of what a file holds, that of nothing for a file that is gone or not ours to read;
/// none where only this process is in trouble, such as out of descriptors.
fn content(file: &Path) -> Option<blake3::Hash> {
    match read_bounded(file) {
        Ok(bytes) => Some(blake3::hash(&bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Some(blake3::hash(b""))
        }
        Err(_) => None,
    }
}

/// Reads a file, at most a byte more than its bound.
pub(super) fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
