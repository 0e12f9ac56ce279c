//! What does an answer say about its keeping: `Cache-Control`, and `CDN-Cache-Control` before it?

use std::time::Duration;

use http::HeaderValue;
use http::header::CACHE_CONTROL;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{CDN_CACHE_CONTROL, Lines};

/// Times are whole seconds; what is longer than this is this long (RFC 9111 1.2.2).
const SECONDS_MAX: u64 = 1 << 31;

/// The directives that mean something to a shared cache; all others are ignored, as they must be. Of one that
/// comes twice the stricter counts, and what cannot be read means the strictest that it could.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Not to be kept, by whoever does not understand better.
    pub no_store: bool,
    /// To be asked about before each use. With names of fields, too: none is taken out of an answer here.
    pub no_cache: bool,
    /// For one reader alone.
    pub private: bool,
    /// For anybody, even where it was asked for with credentials.
    pub public: bool,
    /// Never to be used past its time.
    pub must_revalidate: bool,
    /// The same, for caches that are shared.
    pub proxy_revalidate: bool,
    /// Whoever understands the status may keep it, whatever `no-store` says.
    pub must_understand: bool,
    /// To be sent as it came.
    pub no_transform: bool,
    /// How long it is fresh.
    pub max_age: Option<Duration>,
    /// How long in a cache that is shared.
    pub s_maxage: Option<Duration>,
    /// How long past its time it may be used while it is fetched again (RFC 5861).
    pub while_revalidate: Duration,
    /// How long where there is no other answer.
    pub if_error: Duration,
    /// It was said to caches like this one, so that what is said to all others counts no more.
    pub is_targeted: bool,
}

/// What a directive is worth.
#[derive(Clone, Copy)]
enum Worth {
    /// So many seconds.
    Seconds(u64),
    /// Nothing that could be read as a time.
    Nothing,
}

impl Control {
    /// What these lines say.
    pub fn of<L: Lines + ?Sized>(lines: &L) -> Self {
        targeted(lines).unwrap_or_else(|| everybodys(lines))
    }

    /// Whether it may be used past its time at all.
    pub fn allows_stale(&self) -> bool {
        // `s-maxage` says `proxy-revalidate`, too (RFC 9111 5.2.2.10)
        !(self.no_cache || self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some())
    }

    fn note(&mut self, name: &str, worth: Worth) {
        let seconds = || match worth {
            Worth::Seconds(seconds) => Duration::from_secs(seconds.min(SECONDS_MAX)),
            Worth::Nothing => Duration::ZERO,
        };
        let shorter = |known: Option<Duration>| Some(known.map_or(seconds(), |known| known.min(seconds())));
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "no-transform" => self.no_transform = true,
            "max-age" => self.max_age = shorter(self.max_age),
            "s-maxage" => self.s_maxage = shorter(self.s_maxage),
            _ => {}
        }
    }

    /// `stale-while-revalidate` and `stale-if-error`, which permit: said twice, the shorter counts.
    fn note_stale(known: &mut Option<u64>, worth: Worth) {
        let seconds = match worth {
            Worth::Seconds(seconds) => seconds.min(SECONDS_MAX),
            Worth::Nothing => 0,
        };
        *known = Some(known.map_or(seconds, |known| known.min(seconds)));
    }

    fn of_directives<'d>(directives: impl Iterator<Item = (String, Worth)> + 'd) -> Self {
        let mut control = Self::default();
        let (mut while_revalidate, mut if_error) = (None, None);
        for (name, worth) in directives {
            match name.as_str() {
                "stale-while-revalidate" => Self::note_stale(&mut while_revalidate, worth),
                "stale-if-error" => Self::note_stale(&mut if_error, worth),
                name => control.note(name, worth),
            }
        }
        control.while_revalidate = Duration::from_secs(while_revalidate.unwrap_or_default());
        control.if_error = Duration::from_secs(if_error.unwrap_or_default());
        control
    }
}

/// `CDN-Cache-Control`, if it says anything that can be read: else it is as if it were not there.
fn targeted<L: Lines + ?Sized>(lines: &L) -> Option<Control> {
    let mut whole = Vec::new();
    for line in lines.all(&CDN_CACHE_CONTROL) {
        if !whole.is_empty() {
            whole.extend_from_slice(b", ");
        }
        whole.extend_from_slice(line.as_bytes());
    }
    let directives = Parser::new(&whole).parse::<Dictionary>().ok().filter(|all| !all.is_empty())?;
    let said = directives.iter().filter_map(|(name, member)| {
        let worth = match member {
            ListEntry::Item(item) => match &item.bare_item {
                // said not to be so
                BareItem::Boolean(false) => return None,
                BareItem::Integer(number) => {
                    u64::try_from(i64::from(*number)).map_or(Worth::Nothing, Worth::Seconds)
                }
                _ => Worth::Nothing,
            },
            ListEntry::InnerList(_) => Worth::Nothing,
        };
        Some((name.as_str().to_owned(), worth))
    });
    Some(Control { is_targeted: true, ..Control::of_directives(said) })
}

fn everybodys<L: Lines + ?Sized>(lines: &L) -> Control {
    let mut said = Vec::new();
    for line in lines.all(&CACHE_CONTROL) {
        let Some(directives) = directives(line) else {
            // it may say anything
            return Control { no_store: true, private: true, ..Control::default() };
        };
        said.extend(directives);
    }
    Control::of_directives(said.into_iter())
}

/// The directives of one line, in lower case; `None` where it cannot be read.
fn directives(line: &HeaderValue) -> Option<Vec<(String, Worth)>> {
    let mut rest = line.to_str().ok()?;
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(all);
        }
        let (name, behind) = rest.split_at(rest.find(['=', ',', ' ', '\t', '"']).unwrap_or(rest.len()));
        let behind = behind.trim_start_matches([' ', '\t']);
        let (worth, behind) = match behind.strip_prefix('=') {
            Some(value) => argument(value.trim_start_matches([' ', '\t']))?,
            None => (Worth::Nothing, behind),
        };
        rest = behind.trim_start_matches([' ', '\t']);
        // between two directives stands a comma
        if name.is_empty() || !(rest.is_empty() || rest.starts_with(',')) {
            return None;
        }
        all.push((name.to_ascii_lowercase(), worth));
    }
}

/// The argument at the beginning of a text, and what is behind it. A quoted one means what it says in quotes.
fn argument(text: &str) -> Option<(Worth, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, behind) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (!token.contains('"')).then(|| (worth(token), behind));
    };
    let mut is_escaped = false;
    let end = quoted.find(|c: char| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some((worth(&quoted[..end]), &quoted[end + 1..]))
}

/// Digits alone are a time; a number too large to hold is a very long one.
fn worth(text: &str) -> Worth {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Worth::Nothing;
    }
    Worth::Seconds(text.parse().unwrap_or(SECONDS_MAX))
}
