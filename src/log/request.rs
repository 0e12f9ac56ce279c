//! The line that every request writes.

use std::cell::RefCell;
use std::time::Duration;

use tracing::Level;

use super::{LOG, LogFormat};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// What is told of one request.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'r> {
    /// Its method.
    pub method: &'r str,
    /// Its path, without the query: that may hold a secret.
    pub path: &'r str,
    /// The status of its answer.
    pub status: u16,
    /// The rule that wanted its answer kept.
    pub rule: &'r str,
    /// What happened, in a word.
    pub outcome: &'static str,
    /// Why, where that word does not say.
    pub reason: &'static str,
    /// When, in microseconds since 1970.
    pub at_micros: u64,
    /// Until the head of the answer.
    pub took: Duration,
}

/// What each thread puts its lines together in.
#[derive(Default)]
struct Draft {
    line: Vec<u8>,
    /// The second, since 1970, that `until_second` was written in.
    second: Option<u64>,
    until_second: String,
}

thread_local! {
    static DRAFT: RefCell<Draft> = RefCell::default();
}

impl RequestLine<'_> {
    /// Writes it, if anybody wants to read it. `RUST_LOG=larder::request=off` says that nobody does.
    pub fn write(&self) {
        let Some(log) = LOG.get() else { return };
        if tracing::enabled!(target: "larder::request", Level::INFO) {
            DRAFT.with_borrow_mut(|draft| {
                draft.put(self, log.format);
                log.output.push(&draft.line);
            });
        }
    }
}

impl Draft {
    /// The same forms that `tracing` gives all other lines.
    fn put(&mut self, told: &RequestLine<'_>, format: LogFormat) {
        let micros = (told.at_micros % 1_000_000) as u32;
        self.tell_second(told.at_micros / 1_000_000);
        self.line.clear();
        match format {
            LogFormat::Text => self.put_text(told, micros),
            LogFormat::Json => self.put_json(told, micros),
        }
    }

    fn put_text(&mut self, told: &RequestLine<'_>, micros: u32) {
        self.put_time(micros);
        self.raw("  INFO larder::request: method=").ours(told.method);
        self.raw(" path=").quoted(told.path);
        self.raw(" status=").number(told.status.into());
        self.raw(" rule=").quoted(told.rule);
        self.raw(" outcome=").ours(told.outcome);
        self.raw(" reason=").ours(told.reason);
        self.raw(" ms=").millis(told.took).raw("\n");
    }

    fn put_json(&mut self, told: &RequestLine<'_>, micros: u32) {
        self.raw("{\"timestamp\":\"").put_time(micros);
        self.raw("\",\"level\":\"INFO\",\"method\":").ours(told.method);
        self.raw(",\"path\":").quoted(told.path);
        self.raw(",\"status\":").number(told.status.into());
        self.raw(",\"rule\":").quoted(told.rule);
        self.raw(",\"outcome\":").ours(told.outcome);
        self.raw(",\"reason\":").ours(told.reason);
        self.raw(",\"ms\":").millis(told.took).raw(",\"target\":\"larder::request\"}\n");
    }

    /// Dates change once a second, requests come more often.
    fn tell_second(&mut self, second: u64) {
        if self.second != Some(second) {
            self.until_second = until_second(second);
            self.second = Some(second);
        }
    }

    fn put_time(&mut self, micros: u32) {
        self.line.extend_from_slice(self.until_second.as_bytes());
        self.raw(".").padded(micros, 6).raw("Z");
    }

    fn raw(&mut self, text: &str) -> &mut Self {
        self.line.extend_from_slice(text.as_bytes());
        self
    }

    /// A word of our own, or of HTTP's: nothing in it needs escaping.
    fn ours(&mut self, word: &str) {
        self.raw("\"").raw(word).raw("\"");
    }

    /// As JSON writes a text: what a client chose can neither end it nor begin another line.
    fn quoted(&mut self, text: &str) {
        let is_odd = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\' || byte == 0x7f;
        // looked at to the end whatever comes, many bytes at a time
        if !text.bytes().fold(false, |any, byte| any | is_odd(byte)) {
            self.raw("\"").raw(text).raw("\"");
        } else {
            // a vector takes everything, and a text is always JSON
            let _infallible = serde_json::to_writer(&mut self.line, text);
        }
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.raw(itoa::Buffer::new().format(number))
    }

    fn padded(&mut self, number: u32, digits: usize) -> &mut Self {
        let mut text = itoa::Buffer::new();
        let text = text.format(number);
        self.raw(&"000000"[..digits.saturating_sub(text.len())]).raw(text)
    }

    fn millis(&mut self, took: Duration) -> &mut Self {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.number(micros / 1000).raw(".").padded((micros % 1000) as u32, 3)
    }
}

/// `2026-01-31T23:59:59`, of a second since 1970.
fn until_second(second: u64) -> String {
    let (year, month, day) = date(second / SECONDS_A_DAY);
    let (hour, minute) = (second % SECONDS_A_DAY / 3600, second % 3600 / 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60)
}

/// Year, month and day of a day since 1970. Years are taken to begin in March, so
/// that a leap day is the last of its year and months have lengths that a line fits.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468; // since the first of March of year 0
    let (era, day) = (day / 146_097, day % 146_097); // 400 years
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let is_next_year = u64::from(month >= 10);
    let name = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + is_next_year, name, day - (153 * month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: RequestLine<'static> = RequestLine {
        method: "GET",
        path: "/rest/v1/a\"b\\",
        status: 200,
        rule: "properties",
        outcome: "hit",
        reason: "",
        at_micros: 0,
        took: Duration::from_micros(12_034),
    };

    fn line(format: LogFormat) -> String {
        let mut draft = Draft::default();
        draft.put(&TOLD, format);
        String::from_utf8(draft.line).unwrap()
    }

    #[test]
    fn a_line_for_people() {
        let line = line(LogFormat::Text);
        let (time, rest) = line.split_once("  INFO ").unwrap();
        assert_eq!(time, "1970-01-01T00:00:00.000000Z");
        let told = r#"larder::request: method="GET" path="/rest/v1/a\"b\\" status=200 rule="properties""#;
        assert_eq!(rest, format!("{told} outcome=\"hit\" reason=\"\" ms=12.034\n"));
    }

    #[test]
    fn a_line_for_machines() {
        let line: serde_json::Value = serde_json::from_str(&line(LogFormat::Json)).unwrap();
        for (field, value) in [
            ("level", serde_json::json!("INFO")),
            ("target", serde_json::json!("larder::request")),
            ("path", serde_json::json!(TOLD.path)),
            ("status", serde_json::json!(200)),
            ("ms", serde_json::json!(12.034)),
        ] {
            assert_eq!(line[field], value, "{field}");
        }
        assert_eq!(line["timestamp"], "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn seconds_have_dates() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_709_164_800, "2024-02-29T00:00:00"),
            (1_767_225_599, "2025-12-31T23:59:59"),
            (1_767_225_600, "2026-01-01T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(until_second(second), text);
        }
    }

    #[test]
    fn the_second_is_written_anew_when_it_changes() {
        let mut draft = Draft::default();
        draft.tell_second(1);
        draft.until_second = "stays while the second does".into();
        draft.tell_second(1);
        assert_eq!(draft.until_second, "stays while the second does");
        draft.tell_second(2);
        assert_eq!(draft.until_second, "1970-01-01T00:00:02");
    }
}
