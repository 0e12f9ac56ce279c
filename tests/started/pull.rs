//! What does `larder schema pull` learn from a test's database, and the files that Larder then runs with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder for as long as its files are needed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("larder-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
        Self(folder)
    }

    /// Writes a file; gives back its name.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path.display().to_string()
    }

    /// Learns everything into `schema.yaml`; gives back what was written.
    pub(crate) fn pull(&self, database: &str, schemas: &str) -> String {
        let file = self.path().join("schema.yaml");
        let pulled = Command::new(env!("CARGO_BIN_EXE_larder"))
            .args(["schema", "pull", "--db", database, "--schemas", schemas, "--out"])
            .arg(&file)
            .output()
            .expect("larder runs");
        assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
        std::fs::read_to_string(file).expect("what was learned")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
