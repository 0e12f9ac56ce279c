//! `/api/live`: how is it going, second by second? Server-sent events.
//!
//! `hello` comes first, with the seconds of the last minutes; `tick` once a second. A listener who
//! cannot keep up holds nothing up: `late` tells it that it missed some and begins again.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::lately::{Happened, Met};

use super::super::reply::{Answer, answer, refused_with};
use super::super::sources::Sources;
use super::super::{fleet, stats};
use super::frame::{GROUPS, Look, Looks};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Seconds remembered: a plot of ten minutes, a hundred kilobytes.
const FRAMES_MAX: usize = 600;

/// Looks after which names are forgotten that were not met since the last time.
const LOOKS_PER_TURN: u64 = 60;

/// Listeners at a time: a few people with a few windows. Each takes a connection of those that operators have.
const LISTENERS_MAX: usize = 16;

/// Ticks that a listener may be late by.
const TICKS_LATE_MAX: usize = 4;

/// Names of one list: as many as fit on a screen.
const NAMES_MAX: usize = 20;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// What happened in the last minutes, and who listens to how it goes on.
#[derive(Debug)]
pub(in super::super) struct Live {
    began: Instant,
    past: Mutex<Past>,
    ticks: Sender<Bytes>,
    places: Arc<Semaphore>,
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct Past {
    looks: Looks,
    frames: VecDeque<Value>,
    count: u64,
    /// The last change that was told to whoever listens.
    told: u64,
}

/// Somebody who listens.
struct Listener {
    hello: Option<Bytes>,
    ticks: Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// Nobody listens yet.
    pub(in super::super) fn new(began: Instant) -> Self {
        Self {
            began,
            past: Mutex::default(),
            ticks: broadcast::channel(TICKS_LATE_MAX).0,
            places: Arc::new(Semaphore::new(LISTENERS_MAX)),
            ended: CancellationToken::new(),
        }
    }

    /// Looks once a second until the process ends; then whoever listens is let go.
    pub(in super::super) async fn look(&self, sources: &Sources, ending: &CancellationToken) {
        let _let_go = self.ended.clone().drop_guard();
        let mut seconds = tokio::time::interval(LOOK_EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while ending.run_until_cancelled(seconds.tick()).await.is_some() {
            self.look_once(sources);
        }
    }

    fn look_once(&self, sources: &Sources) {
        let Sources { metrics, clock, .. } = sources;
        let look = Look::at(metrics, &metrics.counted(), clock.now(), clock.unix_millis());
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.count += 1;
        if past.count.is_multiple_of(LOOKS_PER_TURN) {
            metrics.lately.turn();
        }
        let Some(frame) = past.looks.add(look) else { return };
        if past.frames.len() == FRAMES_MAX {
            past.frames.pop_front();
        }
        past.frames.push_back(frame.clone());
        if self.ticks.receiver_count() == 0 {
            return;
        }
        let changes = metrics.lately.changes_after(past.told);
        past.told = changes.last().map_or(past.told, |last| last.number);
        drop(past);
        let mut told = self.state(sources, &changes);
        told["frame"] = frame;
        // everybody may have left by now
        let _nobody = self.ticks.send(event("tick", &told));
    }

    /// Answers one who wants to listen.
    pub(in super::super) fn listen(self: &Arc<Self>, sources: &Sources) -> Answer {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let hint = "close a window of the dashboard";
            let message = format!("{LISTENERS_MAX} listen already");
            let mut full = refused_with(StatusCode::SERVICE_UNAVAILABLE, &message, Some(hint));
            full.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return full;
        };
        let ticks = self.ticks.subscribe();
        let listener = Listener { hello: Some(self.hello(sources)), ticks, _place: place };
        let (live, ended) = (Arc::clone(self), self.ended.clone());
        let stream = unfold(listener, move |mut listener| {
            let (live, ended) = (Arc::clone(&live), ended.clone());
            async move {
                let text = match listener.hello.take() {
                    Some(hello) => hello,
                    None => ended.run_until_cancelled(live.next(&mut listener)).await??,
                };
                Some((Ok::<_, Infallible>(Frame::data(text)), listener))
            }
        });
        let mut response = answer(StatusCode::OK, EVENT_STREAM, String::new());
        // what stands between may neither wait for more nor compress it
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        Response::from_parts(response.into_parts().0, StreamBody::new(stream).boxed_unsync())
    }

    /// The next tick. One who is late has missed some, and is told so.
    async fn next(&self, listener: &mut Listener) -> Option<Bytes> {
        match listener.ticks.recv().await {
            Ok(tick) => Some(tick),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                Some(Bytes::from_static(b"event: late\ndata: {}\n\n"))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Everything until now.
    fn hello(&self, sources: &Sources) -> Bytes {
        let mut told = self.state(sources, &sources.metrics.lately.changes_after(0));
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        told["frames"] = past.frames.iter().cloned().collect();
        told["groups"] = json!(GROUPS);
        event("hello", &told)
    }

    /// How things stand.
    fn state(&self, sources: &Sources, changes: &[Happened]) -> Value {
        let Sources { health, clock, cache, metrics, .. } = sources;
        let (usage, timestamp) = (cache.usage(), clock.timestamp());
        let lately = &metrics.lately;
        let waited: BTreeMap<String, f64> = metrics.waited_by_rule().into_iter().collect();
        let guarded = metrics.guarded().into_iter().map(|(what, result, times)| json!([what, result, times]));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "up_s": clock.now().saturating_duration_since(self.began).as_secs(),
            "ready": fleet::ready(health, &usage).1,
            "fleet": fleet::fleet(&usage, cache.fleet(), &timestamp),
            "stats": stats::stats(cache, &metrics.counted(), &(sources.rules)(), &timestamp)["stats"],
            "waited_s": waited,
            "hot": lately.hottest(NAMES_MAX).iter().map(named).collect::<Vec<_>>(),
            "missed": lately.most_missed(NAMES_MAX).iter().map(named).collect::<Vec<_>>(),
            "guarded": guarded.collect::<Vec<_>>(),
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn named((name, met): &(String, Met)) -> Value {
    json!({ "key": name, "times": met.times, "reasons": met.reasons })
}

fn change(happened: &Happened) -> Value {
    json!({
        "n": happened.number,
        "t": happened.at_millis,
        "why": happened.why.as_str(),
        "tags": happened.tags,
        "named": happened.named,
        "took_us": u64::try_from(happened.took.as_micros()).unwrap_or(u64::MAX),
    })
}

/// JSON has no line breaks of its own, so a line is enough.
fn event(name: &str, told: &Value) -> Bytes {
    format!("event: {name}\ndata: {told}\n\n").into()
}
