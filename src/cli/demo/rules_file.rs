//! Where do the demo's rules lie? In a file of their own, so that they can be changed while it runs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The rules of the repository, so that the demo runs anywhere.
const RULES: &str = include_str!("../../../rules.yaml");

/// A copy of the rules; gone when it is dropped.
#[derive(Debug)]
pub(super) struct RulesFile {
    path: PathBuf,
}

impl RulesFile {
    /// Writes the copy into the folder for such things.
    pub(super) fn write() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("larder-demo-{}.yaml", std::process::id()));
        // what somebody else put there under our name is neither used nor followed
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let written = Self { path };
        file.write_all(RULES.as_bytes())?;
        Ok(written)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RulesFile {
    fn drop(&mut self) {
        // a copy that stays behind in the temporary folder harms nobody
        let _left_behind = fs::remove_file(&self.path);
    }
}
