//! Which of the servers that sentinels watch leads?

use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{Value, cmd};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::address::{Endpoint, Place, Sentinels};
use super::dial::{Unreached, open, plain};
use super::silence::Silence;

/// Longest wait for one sentinel, so that there is time left to connect to whom the others name.
const ANSWER_WAIT: Duration = Duration::from_millis(400);

/// Asks all sentinels at once and takes what more than half of them say: one that is gone costs
/// nothing, and one that is behind the others is outvoted.
pub(super) async fn leader(sentinels: &Sentinels, tasks: &TaskTracker) -> Result<Endpoint, Unreached> {
    let mut asked = JoinSet::new();
    for sentinel in &sentinels.asked {
        let (sentinel, service, tasks) = (sentinel.clone(), sentinels.service.clone(), tasks.clone());
        asked.spawn(async move {
            let answer = tokio::time::timeout(ANSWER_WAIT, named_by(&sentinel, &service, &tasks)).await;
            answer.unwrap_or_else(|_elapsed| Err(Silence::Late.into()))
        });
    }
    let mut last = Unreached::from(Silence::Away);
    let mut named = Vec::new();
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok(Ok(place)) => {
                named.push(place);
                if let Some(place) = agreed(&named, sentinels.asked.len()) {
                    return Ok(at(sentinels, place));
                }
            }
            Ok(Err(unreached)) => last = unreached,
            Err(_panicked) => {}
        }
    }
    // too few are left for a majority: better the one they name than none
    most(&named).map(|place| at(sentinels, place)).ok_or(last)
}

fn at(sentinels: &Sentinels, place: &Place) -> Endpoint {
    Endpoint { place: place.clone(), tls: sentinels.tls.clone(), login: sentinels.login.clone() }
}

/// The place that more than half of the sentinels name.
fn agreed(named: &[Place], sentinels: usize) -> Option<&Place> {
    most(named).filter(|most| named.iter().filter(|place| place == most).count() * 2 > sentinels)
}

fn most(named: &[Place]) -> Option<&Place> {
    named.iter().max_by_key(|one| named.iter().filter(|other| other == one).count())
}

async fn named_by(sentinel: &Endpoint, service: &str, tasks: &TaskTracker) -> Result<Place, Unreached> {
    let (mut connection, _open) = open(sentinel, plain(tasks)).await?;
    let mut asked = cmd("SENTINEL");
    asked.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let answer = connection.req_packed_command(&asked).await.and_then(Value::extract_error);
    let (host, port): (String, u16) = answer
        .and_then(|answer| ::redis::from_redis_value(answer).map_err(Into::into))
        .map_err(Silence::from)?;
    Ok(Place::Tcp(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_sentinels_say_counts() {
        let [old, new] = [1, 2].map(|port| Place::Tcp("h".to_owned(), port));
        assert!(agreed(std::slice::from_ref(&old), 3).is_none());
        assert!(agreed(&[old.clone(), new.clone()], 3).is_none());
        assert!(agreed(&[old.clone(), new.clone(), new.clone()], 3) == Some(&new));
        assert!(agreed(std::slice::from_ref(&new), 1) == Some(&new));
        assert!(most(&[]).is_none());
    }
}
