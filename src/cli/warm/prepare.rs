//! From flags, files and the environment to what is asked, and by whom.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::explain::header_line;
use crate::upstream::{Origin, OriginMistake};

use super::Flags;
use super::asking::Asker;
use super::list::{Mistake, Wanted, from_list, from_log};

/// Most bytes of a list: a million targets.
const LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Variables with a public API key, as `larder serve` reads them.
const API_KEY_VARIABLES: [&str; 2] = ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"];

/// Why nothing is asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("cannot read `{file}`", file = .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error("`{file}`: {1}", file = .0.display())]
    List(PathBuf, Mistake),
    #[error("--to")]
    To(#[from] OriginMistake),
    #[error("`{0}` is no header, as in 'accept-profile: private'")]
    Header(String),
    #[error("what --as gives cannot be sent in a header")]
    Caller,
    #[error("cannot begin")]
    Runtime(#[source] std::io::Error),
}

/// Reads everything that is needed.
pub(super) fn prepare(flags: &Flags) -> Result<(Asker, Vec<Wanted>), Unusable> {
    let mut wanted = read(flags)?;
    wanted.truncate(flags.limit.unwrap_or(usize::MAX));
    let origin = Origin::parse(&flags.to)?;
    let headers = headers(flags)?;
    Ok((Asker::new(origin, headers, Duration::from_secs(flags.timeout.max(1))), wanted))
}

fn read(flags: &Flags) -> Result<Vec<Wanted>, Unusable> {
    let (file, is_log) = match (&flags.from_log, &flags.file) {
        (Some(log), _) => (log.as_path(), true),
        (None, Some(file)) => (file.as_path(), false),
        (None, None) => (Path::new("-"), false),
    };
    let text = read_text(file).map_err(|error| Unusable::Read(file.to_owned(), error))?;
    let wanted = if is_log { from_log(&text) } else { from_list(&text) };
    wanted.map_err(|mistake| Unusable::List(file.to_owned(), mistake))
}

fn read_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(LIST_BYTES_MAX + 1).read_to_string(&mut text)?
    } else {
        std::fs::File::open(file)?.take(LIST_BYTES_MAX + 1).read_to_string(&mut text)?
    };
    if read as u64 > LIST_BYTES_MAX {
        return Err(std::io::Error::other(
            "it is larger than 256 MiB (hint: --limit takes the first of a shorter list)",
        ));
    }
    Ok(text)
}

/// What every request says: who asks, and what was given.
fn headers(flags: &Flags) -> Result<HeaderMap, Unusable> {
    let mut headers = HeaderMap::new();
    let named = |name: &&str| std::env::var(name).ok().filter(|key| !key.is_empty());
    if let Some(key) = API_KEY_VARIABLES.iter().find_map(named) {
        headers.insert("apikey", secret(&key)?);
    }
    let token = match flags.caller.as_str() {
        "anon" => None,
        caller => Some(match caller.strip_prefix('@') {
            Some(file) => {
                let file = PathBuf::from(file);
                let text = std::fs::read_to_string(&file).map_err(|error| Unusable::Read(file, error))?;
                text.trim().to_owned()
            }
            None => caller.to_owned(),
        }),
    };
    if let Some(token) = token {
        headers.insert(http::header::AUTHORIZATION, secret(&format!("Bearer {token}"))?);
    }
    for line in &flags.headers {
        let (name, value) = header_line(line).map_err(|_| Unusable::Header(line.clone()))?;
        let name: HeaderName = name.parse().map_err(|_| Unusable::Header(line.clone()))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| Unusable::Header(line.clone()))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn secret(text: &str) -> Result<HeaderValue, Unusable> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Unusable::Caller)?;
    value.set_sensitive(true);
    Ok(value)
}
