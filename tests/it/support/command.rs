//! How is the program run beside a proxy, as an operator would?

use std::process::{Command, Output};

/// Runs the program beside the proxy, which this thread serves.
pub(crate) async fn larder(arguments: &'static [&'static str], admin: String) -> Output {
    let run = move || {
        let program = env!("CARGO_BIN_EXE_larder");
        Command::new(program).args(arguments).args(["--admin", &admin]).env_clear().output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}
