//! Where is a scan that goes on from call to call?
//!
//! Of one server its own cursor says so; of a cluster, also which leader's it is. What is there all
//! along is found once or more, as `SCAN` promises; a cluster that is changing may show some of it
//! twice, or not at all.

use std::fmt;
use std::str::FromStr;

use super::{Cmd, Means, Redis, ServerId, Silence, Value, cmd};

/// Where a scan goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanCursor {
    /// Which of the servers, in the order of their addresses.
    server: u16,
    /// Where on that server.
    at: u64,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCursor;

impl fmt::Display for ScanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.server, self.at)
    }
}

impl FromStr for ScanCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (server, at) = text.split_once('.').ok_or(NoCursor)?;
        Ok(Self { server: server.parse().map_err(|_| NoCursor)?, at: at.parse().map_err(|_| NoCursor)? })
    }
}

impl Redis {
    /// Looks at about so many names, and gives those that look like this, and where to go on.
    pub async fn scan(
        &self,
        cursor: ScanCursor,
        like: &str,
        count: usize,
    ) -> Result<(Vec<Vec<u8>>, Option<ScanCursor>), Silence> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor.at.to_string()).arg("MATCH").arg(like).arg("COUNT").arg(count.to_string());
        let Some((ServerId(_), said)) = self.one_of(cursor.server, &scan).await? else {
            return Ok((Vec::new(), None));
        };
        let Value::Array(mut said) = said else { return Err(Silence::Broken) };
        let names = match said.pop() {
            Some(Value::Array(names)) => names.into_iter().filter_map(bytes).collect(),
            _ => return Err(Silence::Broken),
        };
        let at = said.pop().and_then(bytes).and_then(|at| String::from_utf8(at).ok()?.parse().ok());
        let next = match at.ok_or(Silence::Broken)? {
            0 if self.servers() > cursor.server + 1 => Some(ScanCursor { server: cursor.server + 1, at: 0 }),
            0 => None,
            at => Some(ScanCursor { at, ..cursor }),
        };
        Ok((names, next))
    }

    /// Sends a command to one of the servers; nothing where there are not so many.
    async fn one_of(&self, server: u16, command: &Cmd) -> Result<Option<(ServerId, Value)>, Silence> {
        match &self.means {
            Means::Cluster(cluster) => cluster.one_of(usize::from(server), command).await,
            Means::Lines(_) | Means::Rest(_) if server > 0 => Ok(None),
            Means::Lines(_) | Means::Rest(_) => self.one(command).await.map(Some),
        }
    }

    fn servers(&self) -> u16 {
        match &self.means {
            Means::Cluster(cluster) => u16::try_from(cluster.leaders()).unwrap_or(u16::MAX),
            Means::Lines(_) | Means::Rest(_) => 1,
        }
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = ScanCursor { server: 2, at: 17_592_186_044_416 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "a.b", "70000.1", "1.-1", "1.2.3"] {
            assert_eq!(text.parse::<ScanCursor>(), Err(NoCursor), "{text}");
        }
    }
}
