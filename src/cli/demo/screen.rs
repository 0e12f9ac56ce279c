//! What does the demo show? A table that is redrawn in place, or a line now and then.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::figures::{Counts, Figures, Spread};

/// How often a terminal is redrawn: often enough to look alive.
const REDRAW_EVERY: Duration = Duration::from_millis(500);

/// How often a line is printed where nothing can be redrawn: a log should stay readable.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Letters of the bar that shows the hit rate.
const BAR_WIDTH: usize = 40;

/// Where the demo listens.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) larder: String,
    pub(super) admin: String,
    pub(super) upstream: String,
    /// The file with its rules.
    pub(super) rules: String,
}

/// The terminal, or what stands in its place.
#[derive(Debug)]
pub(super) struct Screen {
    paint: Paint,
    redraws: bool,
    /// Lines of the table that stand on the screen.
    drawn: usize,
}

/// With colours, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paint {
    Ansi,
    Plain,
}

impl Paint {
    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

impl Screen {
    /// Looks at what standard output is. `NO_COLOR` with any text switches colours off.
    pub(super) fn new() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let redraws = io::stdout().is_terminal() && !is_dumb;
        let paint = if redraws && !is_set("NO_COLOR") { Paint::Ansi } else { Paint::Plain };
        Self { paint, redraws, drawn: 0 }
    }

    /// How often there is something to show.
    pub(super) fn every(&self) -> Duration {
        if self.redraws { REDRAW_EVERY } else { LINE_EVERY }
    }

    /// Says what runs where, and what to try.
    pub(super) fn welcome(&self, places: &Places) -> io::Result<()> {
        write(&welcome(self.paint, places))
    }

    /// Shows how things stand.
    pub(super) fn show(&mut self, figures: &Figures) -> io::Result<()> {
        if !self.redraws {
            return write(&line(figures));
        }
        let end = self.paint.dim("Ctrl-C ends the demo.");
        let table = format!("{}\n  {end}\n", table(self.paint, figures));
        let back = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
        self.drawn = table.lines().count();
        write(&format!("{back}{table}"))
    }

    /// Says what came of it.
    pub(super) fn farewell(&self, figures: &Figures) -> io::Result<()> {
        let table = if self.redraws { String::new() } else { table(self.paint, figures) };
        write(&format!("{table}{}", farewell(self.paint, figures)))
    }
}

#[allow(clippy::print_stdout, reason = "the one place where the demo talks to people")]
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn welcome(paint: Paint, places: &Places) -> String {
    let Places { larder, admin, upstream, rules } = places;
    let curl = format!("curl -i '{larder}/rest/v1/properties?id=eq.5'");
    format!(
        "
{title} a cache in front of a made-up Supabase, all on this machine.

  Larder      {larder}   {metrics}
  dashboard   {admin}/   {browser}
  \"Supabase\"  {upstream}   {slow}
  rules       {rules}   {live}

Try it in another terminal. Run this twice; Cache-Status says miss, then hit:
  {curl}
Change that row; the next read is a miss again and shows the new price:
  curl -i -X PATCH '{larder}/rest/v1/properties?id=eq.5' \\
    -H 'Content-Type: application/json' -d '{{\"price\": 123456}}'

",
        title = paint.bold("larder demo:"),
        browser = paint.dim("open it in a browser"),
        metrics = paint.dim(&format!("metrics: {admin}/metrics")),
        live = paint.dim("change them, they apply"),
        slow = paint.dim("made-up tables, 250 ms an answer"),
        curl = paint.bold(&curl),
    )
}

fn table(paint: Paint, figures: &Figures) -> String {
    let Figures { running, counts, latencies } = figures;
    let mut table = String::new();
    let seconds = running.as_secs();
    let clock = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    let titles = format!("  {clock:<20}{:>10}{:>9}{:>12}{:>12}", "requests", "share", "p50", "p99");
    let _infallible = writeln!(table, "{}", paint.dim(&titles));
    let all = counts.requests();
    for (name, count, spread) in [
        ("hits", counts.hits, latencies.hits),
        ("misses", counts.misses, latencies.misses),
        ("passed through", counts.passed, latencies.passed),
        ("writes", counts.writes, latencies.writes),
    ] {
        let row = row(name, Some(count), Some(share(count, all)), spread);
        let _infallible = writeln!(table, "{}", if name == "hits" { paint.green(&row) } else { row });
    }
    let control = row("without Larder", None, None, latencies.direct);
    let _infallible = writeln!(table, "{}  {}\n", control, paint.dim("(measured)"));
    for (name, text) in facts(paint, figures) {
        let _infallible = writeln!(table, "  {name:<20}{text}");
    }
    table
}

fn row(name: &str, count: Option<u64>, share: Option<String>, spread: Option<Spread>) -> String {
    let count = count.map(grouped).unwrap_or_default();
    let share = share.unwrap_or_default();
    let (p50, p99) = spread.map(|spread| (time(spread.p50), time(spread.p99))).unwrap_or_default();
    format!("  {name:<20}{count:>10}{share:>9}{p50:>12}{p99:>12}")
}

fn facts(paint: Paint, figures: &Figures) -> Vec<(&'static str, String)> {
    let Figures { counts, latencies, .. } = figures;
    let mut facts = vec![
        ("hit rate", bar(paint, counts)),
        (
            "reached Supabase",
            format!("{} of {} requests", grouped(counts.upstream), grouped(counts.requests())),
        ),
        ("bytes kept off it", bytes(counts.saved_bytes)),
        ("held in memory", format!("{} answers, {}", grouped(counts.entries), bytes(counts.entry_bytes))),
        (
            "invalidations",
            format!("{}, naming {} tags", grouped(counts.invalidations), grouped(counts.invalidated_tags)),
        ),
    ];
    let fresh = format!("{} of {} right after the write", latencies.fresh, latencies.checked);
    let is_right = latencies.fresh == latencies.checked;
    facts.push(("new price was seen", if is_right { fresh } else { paint.yellow(&fresh) }));
    let clicks = format!(
        "{} of {} refused: each visit was booked once",
        latencies.refused_clicks, latencies.second_clicks
    );
    let is_right = latencies.refused_clicks == latencies.second_clicks;
    facts.push(("second clicks", if is_right { clicks } else { paint.yellow(&clicks) }));
    let refused = counts.refused.saturating_sub(counts.busy);
    let wrong = refused + latencies.failures;
    if wrong > 0 {
        let text = format!("{refused} refused or failed, {} unanswered", latencies.failures);
        facts.push(("trouble", paint.yellow(&text)));
    }
    facts
}

fn bar(paint: Paint, counts: &Counts) -> String {
    let Some(rate) = counts.hit_rate() else { return "no reads yet".to_owned() };
    // a share of a short bar: nothing is lost by cutting it
    let filled = (rate * BAR_WIDTH as f64) as usize;
    let (full, rest) = ("#".repeat(filled), ".".repeat(BAR_WIDTH - filled));
    format!("{:5.1} % {}{}", rate * 100.0, paint.green(&full), paint.dim(&rest))
}

fn line(figures: &Figures) -> String {
    let Figures { running, counts, latencies } = figures;
    let p50 = |spread: Option<Spread>| spread.map_or("-".to_owned(), |spread| time(spread.p50));
    format!(
        "{:>4}s requests={} hits={} misses={} writes={} invalidations={} hit_rate={:.1}% p50_hit={} p50_miss={} \
         upstream={} saved={}\n",
        running.as_secs(),
        counts.requests(),
        counts.hits,
        counts.misses,
        counts.writes,
        counts.invalidations,
        counts.hit_rate().unwrap_or_default() * 100.0,
        p50(latencies.hits).replace(' ', ""),
        p50(latencies.misses).replace(' ', ""),
        counts.upstream,
        bytes(counts.saved_bytes).replace(' ', ""),
    )
}

fn farewell(paint: Paint, figures: &Figures) -> String {
    let Figures { running, counts, latencies } = figures;
    let mut text = format!("\n{}\n", paint.bold(&format!("What came of it, after {} s", running.as_secs())));
    let titles = format!("  {:<20}{:>12}{:>12}{:>32}", "reads", "p50", "p99", "requests that reach Supabase");
    let _infallible = writeln!(text, "{}", paint.dim(&titles));
    for (name, spread, reached) in [
        ("without Larder", latencies.direct, counts.requests()),
        ("with Larder", latencies.reads, counts.upstream),
    ] {
        let (p50, p99) = spread.map(|spread| (time(spread.p50), time(spread.p99))).unwrap_or_default();
        let _infallible = writeln!(text, "  {name:<20}{p50:>12}{p99:>12}{:>32}", grouped(reached));
    }
    text.push_str(
        "\nThe first row was measured by a control group that asked the same things of the\n\
         made-up Supabase directly. Now the real thing:\n  \
         larder serve --upstream https://<project>.supabase.co\n",
    );
    text
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1} %", part as f64 / whole as f64 * 100.0) }
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}

fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        ..1e3 => format!("{count:.0} B"),
        ..1e6 => format!("{:.1} kB", count / 1e3),
        ..1e9 => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.2} GB", count / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::Latencies;
    use super::*;

    fn figures() -> Figures {
        let spread =
            |p50, p99| Some(Spread { p50: Duration::from_micros(p50), p99: Duration::from_micros(p99) });
        let counts = Counts {
            hits: 123_456_789,
            misses: 1_234_567,
            passed: 99,
            writes: 1,
            upstream: 1_234_667,
            saved_bytes: 999_999_999_999,
            refused: 3,
            ..Counts::default()
        };
        let latencies = Latencies {
            hits: spread(310, 1200),
            misses: spread(251_400, 9_999_000),
            direct: spread(250_000, 252_000),
            reads: spread(310, 251_000),
            failures: 2,
            ..Latencies::default()
        };
        Figures { running: Duration::from_secs(3605), counts, latencies }
    }

    #[test]
    fn everything_fits_eighty_columns() {
        let places = Places {
            larder: "http://127.0.0.1:65535".to_owned(),
            admin: "http://127.0.0.1:65535".to_owned(),
            upstream: "http://127.0.0.1:65535".to_owned(),
            rules: "/tmp/larder-demo-4194304.yaml".to_owned(),
        };
        for shown in [
            welcome(Paint::Plain, &places),
            table(Paint::Plain, &figures()),
            farewell(Paint::Plain, &figures()),
            table(Paint::Plain, &Figures { counts: Counts::default(), ..figures() }),
        ] {
            for line in shown.lines() {
                assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
            }
        }
    }

    #[test]
    fn numbers_are_readable_and_uncoloured_where_asked() {
        let shown = table(Paint::Plain, &figures());
        for part in ["123,456,789", "99.0 %", "0.31 ms", "251 ms", "1000.00 GB", "3 refused or failed"] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        assert!(!shown.contains('\x1b'));
        assert!(table(Paint::Ansi, &figures()).contains("\x1b[32m"));
        assert_eq!(line(&figures()).lines().count(), 1);
    }
}
