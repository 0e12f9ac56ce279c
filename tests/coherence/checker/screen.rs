//! What does whoever waits see? One line that is redrawn on a terminal; a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::judge::Figures;

/// Where nothing can be redrawn, a log should stay readable.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Writes to standard error; the report alone goes to standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    began: Instant,
    to: Option<io::Stderr>,
    redraws: bool,
    last: Instant,
    reads: u64,
}

impl Screen {
    /// `None`: for tests, whose output is theirs.
    pub(crate) fn new(to: Option<io::Stderr>) -> Self {
        let now = Instant::now();
        let redraws = to.as_ref().is_some_and(IsTerminal::is_terminal);
        Self { began: now, to, redraws, last: now, reads: 0 }
    }

    pub(crate) fn say(&mut self, words: &str) {
        let end = if self.redraws { "\x1b[K\r" } else { "\n" };
        self.write(&format!("{words} …{end}"));
    }

    pub(crate) fn show(&mut self, seed: u64, figures: &Figures) {
        let since = self.last.elapsed();
        if self.to.is_none() || (!self.redraws && since < LINE_EVERY) {
            return;
        }
        let rate = figures.reads.saturating_sub(self.reads) as f64 / since.as_secs_f64().max(0.001);
        (self.last, self.reads) = (Instant::now(), figures.reads);
        let (reads, hits) = (figures.reads, figures.hits * 100 / figures.reads.max(1));
        let (writes, violations) = (figures.acknowledged, figures.violations());
        let line = format!(
            "{:4} s  seed {seed}  {reads} reads checked ({rate:.0}/s, {hits} % hits)  {writes} writes  {violations} violations",
            self.began.elapsed().as_secs(),
        );
        self.write(&if self.redraws { format!("{line}\x1b[K\r") } else { line + "\n" });
    }

    /// Leaves the line for what comes next.
    pub(crate) fn done(&self) {
        if self.redraws {
            self.write("\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let Some(mut out) = self.to.as_ref().map(io::Stderr::lock) else { return };
        let _nobody_looks = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
