//! `larder serve`: answer clients until told to end.

use std::error::Error;

use crate::causes::in_full;
use crate::log::start_logging;
use crate::sabotage;
use crate::server::{Ended, Flags, Running, Server, Settings, StartError};

use super::check;
use super::exit::Exit;

/// Serves; what goes wrong before clients can be answered is told on standard error.
pub(super) fn run(flags: &Flags) -> Exit {
    let settings = match Settings::resolve(flags, &|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(mistakes) => {
            let lines = mistakes.iter().map(|mistake| format!("error: {mistake}\n"));
            return fail(&lines.collect::<String>(), Exit::Usage);
        }
    };
    let _logging = start_logging(settings.log);
    sabotage::announce();
    // Requests have threads of their own; this one is for everything beside them.
    let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match beside {
        Ok(runtime) => runtime,
        Err(error) => return fail(&chain(&error), Exit::Failure),
    };
    let exit = runtime.block_on(async {
        match Server::start(settings).await {
            Ok(running) => wait(running).await,
            Err(refused) => fail(&reason(&refused), exit_code(&refused)),
        }
    });
    // Whatever still runs on a thread of its own is not waited for: the grace period is over.
    runtime.shutdown_background();
    exit
}

async fn wait(running: Running) -> Exit {
    match running.wait().await {
        Ok(Ended::Finished) => Exit::Success,
        Ok(Ended::Late | Ended::Hurried) => Exit::Failure,
        Err(error) => fail(&chain(&error), Exit::Failure),
    }
}

fn exit_code(refused: &StartError) -> Exit {
    match refused {
        StartError::RulesRead { .. }
        | StartError::Rules { .. }
        | StartError::Canaries { .. }
        | StartError::NoEncryptionKeys { .. }
        | StartError::Tls(_) => Exit::Configuration,
        StartError::Bind { .. } | StartError::Workers(_) => Exit::Failure,
    }
}

fn reason(refused: &StartError) -> String {
    match refused {
        StartError::Rules { file, mistakes } | StartError::Canaries { file, mistakes } => {
            check::mistakes_text(&file.display().to_string(), mistakes)
        }
        StartError::RulesRead { .. }
        | StartError::NoEncryptionKeys { .. }
        | StartError::Tls(_)
        | StartError::Workers(_)
        | StartError::Bind { .. } => chain(refused),
    }
}

/// An error and its causes, as a line for people.
pub(super) fn chain(error: &dyn Error) -> String {
    format!("error: {}\n", in_full(error))
}

fn fail(text: &str, exit: Exit) -> Exit {
    super::exit::say(text);
    exit
}
