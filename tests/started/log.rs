//! What does a started process say?

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeReader};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde_json::Value;

/// For a slow machine under load; a healthy one needs a few seconds.
const START_MAX: Duration = Duration::from_secs(120);

/// As much of a log as a failure shows.
const LOG_LINES_MAX: usize = 40;

/// The last lines that a process has written; a mutex because a thread reads them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    /// Those lines.
    pub(crate) fn last_lines(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Reads larder's log up to the line that says where it listens; what it said instead, if it does not.
pub(crate) fn bound_addresses(lines: &mpsc::Receiver<String>) -> Result<(String, String), String> {
    let mut seen = String::new();
    loop {
        let line = lines.recv_timeout(START_MAX).map_err(|_| format!("larder does not listen:\n{seen}"))?;
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let fields = event.get("fields").unwrap_or(&event);
        if let (Some(listen), Some(admin)) = (fields["listen"].as_str(), fields["admin"].as_str()) {
            return Ok((listen.to_owned(), admin.to_owned()));
        }
        seen = seen + &line + "\n";
    }
}

/// Lines as they are written, for as long as somebody wants them, and the last of them; never lets a
/// writer wait.
pub(crate) fn lines_of(output: PipeReader) -> (mpsc::Receiver<String>, Log) {
    let (sender, lines) = mpsc::channel();
    let log = Log::default();
    let kept = Arc::clone(&log.0);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == LOG_LINES_MAX {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            let _nobody_listens = sender.send(line);
        }
    });
    (lines, log)
}
