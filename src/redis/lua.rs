//! A script that the store runs as one step.

use std::sync::LazyLock;

use ::redis::{Cmd, Script, cmd};

/// A script and the name that servers know it by.
#[derive(Debug)]
pub struct Lua {
    text: &'static str,
    name: LazyLock<String, Box<dyn FnOnce() -> String + Send>>,
}

impl Lua {
    /// A script, named when it is first used.
    pub fn new(text: &'static str) -> Self {
        Self { text, name: LazyLock::new(Box::new(|| Script::new(text).get_hash().to_owned())) }
    }

    /// For a server that has run it before.
    pub(super) fn by_name(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(self.name.as_str());
        with(command, keys, args)
    }

    /// For a server that has not, or has forgotten it.
    pub(super) fn whole(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.text);
        with(command, keys, args)
    }
}

fn with(mut command: Cmd, keys: &[&str], args: &[&[u8]]) -> Cmd {
    command.arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for arg in args {
        command.arg(arg);
    }
    command
}
