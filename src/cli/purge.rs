//! `larder purge`: what should disappear from the cache of a running proxy, and of all that share its store?

use clap::Args;
use serde_json::{Value, json};

use super::exit::{Exit, print, say};
use super::running::RunningProxy;
use super::serve::chain;

/// What should disappear.
#[derive(Args, Debug)]
#[command(after_help = "Entries disappear from every proxy that shares the store, as after a write.\n\
    A pattern is `namespace:*`, `*`, or one that a write rule names.")]
pub(super) struct Flags {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    running: RunningProxy,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// Keys as Cache-Status shows them, as in properties:detail:5, or one pattern, as in 'properties:*'
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Whatever depends on this, as `larder get KEY` shows it: 'table:public.properties.id=5'; several by several --tag
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Whatever reads this table: properties, or public.properties
    #[arg(long)]
    table: Option<String>,
    /// Every entry of this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Every entry there is
    #[arg(long)]
    all: bool,
}

impl What {
    fn order(&self) -> Value {
        if !self.tags.is_empty() {
            return json!({ "tags": self.tags });
        }
        match (&self.keys[..], &self.table, &self.namespace) {
            ([], Some(table), _) => json!({ "table": table }),
            ([], None, Some(namespace)) => json!({ "namespace": namespace }),
            ([], None, None) => json!({ "all": true }),
            ([pattern], ..) => json!({ "pattern": pattern }),
            (keys, ..) => json!({ "keys": keys }),
        }
    }
}

/// Asks for it.
pub(super) fn run(flags: &Flags) -> Exit {
    let text = match flags.running.post("/api/cache/clear", &flags.what.order()) {
        Ok(text) => text,
        Err(error) => {
            say(&chain(&error));
            return error.exit();
        }
    };
    if flags.json {
        print(&text);
        return Exit::Success;
    }
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    for warning in told["warnings"].as_array().into_iter().flatten() {
        say(&format!("warning: {}\n", warning.as_str().unwrap_or_default()));
    }
    let tags = &told["cleared"]["tags"];
    print(&format!("cleared; what depends on {tags} tags is fetched again\n"));
    Exit::Success
}
