//! Standard output, written by a thread of its own.
//!
//! A full disk, a stopped terminal or a slow pipe holds up whoever writes: here
//! that is nobody who answers requests. Lines wait in memory for a moment, so
//! that many go out together; too many are dropped, counted, and owned up to.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::stripe::Striped;

/// Most bytes that wait to be written, of each thread.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long the first of some lines waits for others.
const GATHER: Duration = Duration::from_millis(5);

/// Longest wait for the last lines at the end of the process.
const FINISH: Duration = Duration::from_secs(1);

/// Lines dropped since the start.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many log lines were dropped since the start because standard output was too slow.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Lines on their way to standard output, of each thread in their order.
#[derive(Debug)]
pub(super) struct Output {
    waiting: Striped<Waiting>,
    work: Mutex<Work>,
    changed: Condvar,
}

/// Whole lines.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Dropped since the writer last said so.
    lost: u64,
}

/// What the writer has to do. Looked at for the first of many lines only.
#[derive(Debug, Default)]
struct Work {
    is_there: bool,
    is_under_way: bool,
}

impl Output {
    /// One for the rest of the process, with its thread.
    pub(super) fn start() -> &'static Output {
        Output::start_onto(io::stdout())
    }

    fn start_onto(to: impl Write + Send + 'static) -> &'static Output {
        let output = Output {
            waiting: Striped::new(Waiting::default),
            work: Mutex::default(),
            changed: Condvar::new(),
        };
        let output: &'static Output = Box::leak(Box::new(output));
        let writer = thread::Builder::new().name("log".into());
        // without a thread no lines: the buffers fill, and `lost` counts
        let _no_thread = writer.spawn(move || output.write_on(to));
        output
    }

    /// Hands over one whole line.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting.own();
        if waiting.bytes.len() + line.len() > WAITING_BYTES_MAX {
            waiting.lost += 1;
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.work().is_there = true;
            self.changed.notify_all();
        }
    }

    /// Waits until everything is written, but not for ever.
    pub(super) fn finish(&self) {
        let is_left = |work: &mut Work| work.is_there || work.is_under_way;
        let _late = self.changed.wait_timeout_while(self.work(), FINISH, is_left);
    }

    fn write_on(&self, mut to: impl Write) {
        let mut taken = Vec::new();
        loop {
            let is_idle = |work: &mut Work| !work.is_there;
            let waited = self.changed.wait_while(self.work(), is_idle);
            *waited.unwrap_or_else(PoisonError::into_inner) = Work { is_there: false, is_under_way: true };
            thread::sleep(GATHER);
            let mut lost = 0;
            for mut waiting in self.waiting.each() {
                taken.append(&mut waiting.bytes);
                lost += std::mem::take(&mut waiting.lost);
            }
            // standard output may be gone: that costs the lines, never the process
            let _gone = to.write_all(&taken).and_then(|()| to.flush());
            taken.clear();
            self.work().is_under_way = false;
            self.changed.notify_all();
            if lost > 0 {
                tracing::warn!(lines = lost, "standard output is too slow: log lines were dropped");
            }
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tracing` writes each line at once.
impl Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    /// Takes nothing until it is told to, then sends on what it takes.
    struct Stopped {
        go: mpsc::Receiver<()>,
        taken: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.taken.send(bytes.to_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "it measures how long calls take")]
    fn nobody_waits_for_an_output_that_takes_nothing() {
        let ((go, wait), (tell, taken)) = (mpsc::channel(), mpsc::channel());
        let output = Output::start_onto(Stopped { go: wait, taken: tell });
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let lines = 3 * WAITING_BYTES_MAX / line.len();
        let began = Instant::now();
        (0..lines).for_each(|_| output.push(&line));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let lost = usize::try_from(output.waiting.own().lost).unwrap();
        assert!(lost >= lines - 2 * WAITING_BYTES_MAX / line.len(), "{lost} lost of {lines}");

        // once it takes again, everything that was not dropped comes, in whole lines
        let mut written = 0;
        while written < lines - lost {
            go.send(()).unwrap();
            let bytes = taken.recv().unwrap();
            assert!(bytes.chunks(line.len()).all(|chunk| chunk == line));
            written += bytes.len() / line.len();
        }
        assert_eq!(written, lines - lost);
        output.finish();
        assert!(output.waiting.own().bytes.is_empty());
    }
}
