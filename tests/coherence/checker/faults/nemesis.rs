//! Who disturbs the run? A schedule that a seed decides: one fault or two, for a while, then calm again.

use std::time::{Duration, Instant};

use larder::sabotage::Death;

use super::super::chance::Chance;
use super::super::judge::Judge;
use super::super::upstream::Temper;
use super::super::world::{Larder, Passage, Redis, Relay, Restart, Signal, Trouble};
use super::Fault;

/// Between two faults, in milliseconds: long enough that caches fill again.
const CALM_MILLIS: (i64, i64) = (500, 2_500);
/// How long a fault lasts: shorter and longer than every lease and deadline.
const FAULT_MILLIS: (i64, i64) = (50, 3_000);
/// A second fault comes beside the first in so many of 100 cases.
const TWO_PERCENT: u64 = 25;
/// A proxy that is to end itself in a write gets this long to come to it.
const DEATH_MAX: Duration = Duration::from_secs(8);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(10);
/// Far away, but not lost.
const LATE: Duration = Duration::from_millis(200);
/// So many of 100 writes.
const UNANSWERED_PERCENT: u64 = 30;
/// Hardly more than an empty Redis needs for itself.
const FULL: &str = "CONFIG SET maxmemory 1200000";

/// One proxy and the wires to it and from it.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) larder: Larder,
    pub(crate) clients: Relay,
    pub(crate) store: Option<Relay>,
    pub(crate) upstream: Relay,
}

/// What faults can be done to.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) proxies: Vec<Placed>,
    pub(crate) redis: Option<Redis>,
}

/// Does them.
#[derive(Debug)]
pub(crate) struct Nemesis<'r> {
    pub(crate) stage: &'r mut Stage,
    pub(crate) judge: &'r Judge,
    pub(crate) temper: &'r Temper,
    pub(crate) chance: Chance,
    /// What was done, for the report.
    pub(crate) done: Vec<Fault>,
    /// Proxies that ended by themselves.
    pub(crate) deaths: u64,
}

impl Nemesis<'_> {
    /// Disturbs until the time is over; then everything is healed.
    pub(crate) async fn disturb(&mut self, faults: &[Fault], until: Instant) -> Result<(), Trouble> {
        while !faults.is_empty() {
            self.pause(CALM_MILLIS, until).await;
            if Instant::now() >= until {
                break;
            }
            let mut struck = vec![(self.chance.pick(faults), self.chance.index(self.stage.proxies.len()))];
            let other = (self.chance.pick(faults), self.chance.index(self.stage.proxies.len()));
            if self.chance.percent(TWO_PERCENT) && is_apart(struck[0].0, other.0) {
                struck.push(other);
            }
            for (fault, proxy) in &struck {
                self.done.push(*fault);
                self.strike(*fault, *proxy)?;
            }
            self.pause(FAULT_MILLIS, until).await;
            for (_, proxy) in struck.iter().filter(|(fault, _)| matches!(fault, Fault::Dies(_))) {
                self.deaths += u64::from(self.dies(*proxy).await);
            }
            for (fault, proxy) in &struck {
                self.heal(*fault, *proxy)?;
            }
        }
        Ok(())
    }

    async fn pause(&mut self, (least, most): (i64, i64), until: Instant) {
        let pause = Duration::from_millis(self.chance.between(least, most).unsigned_abs());
        tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
    }

    /// Waits for a proxy that is to end by itself.
    async fn dies(&mut self, proxy: usize) -> bool {
        let late = Instant::now() + DEATH_MAX;
        while self.stage.proxies[proxy].larder.is_running() {
            if Instant::now() > late {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// Whom it concerns: one proxy, or all of them.
    fn concerns(fault: Fault, proxy: usize) -> Option<usize> {
        match fault {
            Fault::ProxyKill
            | Fault::ProxyStop
            | Fault::ClientsCut
            | Fault::ClientsLate
            | Fault::ClientsOneWay
            | Fault::StoreHeld
            | Fault::StoreLate
            | Fault::StoreCut
            | Fault::StoreOneWay
            | Fault::StoreGarbage
            | Fault::UpstreamCut
            | Fault::UpstreamLate
            | Fault::UpstreamHeld
            | Fault::Dies(_) => Some(proxy),
            Fault::ProxyRoll
            | Fault::RulesReload
            | Fault::RedisEmpty
            | Fault::RedisAof
            | Fault::RedisOld
            | Fault::RedisStop
            | Fault::RedisFlush
            | Fault::RedisScripts
            | Fault::RedisClients
            | Fault::RedisFull
            | Fault::RedisEvict
            | Fault::Unanswered
            | Fault::GivenUp => None,
        }
    }

    fn begin(&self, fault: Fault, proxy: usize) {
        for part in fault.parts() {
            self.judge.begin(*part, Self::concerns(fault, proxy));
        }
    }

    fn strike(&mut self, fault: Fault, proxy: usize) -> Result<(), Trouble> {
        if !fault.is_sudden() {
            self.begin(fault, proxy);
        }
        let placed = &mut self.stage.proxies[proxy];
        let redis = self.stage.redis.as_ref();
        match fault {
            Fault::ProxyKill => placed.larder.signal(Signal::Kill),
            Fault::ProxyStop => placed.larder.signal(Signal::Stop),
            Fault::Dies(death) => {
                placed.larder.signal(Signal::Kill);
                placed.restart(Some(death))?;
            }
            Fault::ProxyRoll => {} // takes its time in `heal`
            Fault::RulesReload => placed.larder.reload()?,
            Fault::ClientsCut => placed.clients.cut(),
            Fault::ClientsLate => placed.clients.set(Passage::Late(LATE)),
            Fault::ClientsOneWay => placed.clients.set(Passage::OneWay),
            Fault::StoreHeld => set(placed.store.as_ref(), Passage::Held),
            Fault::StoreLate => set(placed.store.as_ref(), Passage::Late(LATE)),
            Fault::StoreCut => set(placed.store.as_ref(), Passage::Closed),
            Fault::StoreOneWay => set(placed.store.as_ref(), Passage::OneWay),
            Fault::StoreGarbage => set(placed.store.as_ref(), Passage::Garbage),
            Fault::RedisEmpty | Fault::RedisAof => signal(redis, Signal::Kill),
            Fault::RedisOld => redis.map_or(Ok(()), Redis::copy)?,
            Fault::RedisStop => signal(redis, Signal::Stop),
            Fault::RedisFlush => command(redis, &["FLUSHALL"])?,
            Fault::RedisScripts => command(redis, &["SCRIPT FLUSH"])?,
            Fault::RedisClients => command(redis, &["CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub"])?,
            Fault::RedisFull => command(redis, &["CONFIG SET maxmemory-policy noeviction", FULL])?,
            Fault::RedisEvict => command(redis, &["CONFIG SET maxmemory-policy allkeys-lru", FULL])?,
            Fault::UpstreamCut => placed.upstream.cut(),
            Fault::UpstreamLate => placed.upstream.set(Passage::Late(LATE)),
            Fault::UpstreamHeld => placed.upstream.set(Passage::Held),
            Fault::Unanswered => self.temper.cut(UNANSWERED_PERCENT),
            Fault::GivenUp => self.temper.give_up(UNANSWERED_PERCENT),
        }
        Ok(())
    }

    fn heal(&mut self, fault: Fault, proxy: usize) -> Result<(), Trouble> {
        if fault.is_sudden() {
            self.begin(fault, proxy);
        }
        let placed = &mut self.stage.proxies[proxy];
        let redis = self.stage.redis.as_ref();
        match fault {
            Fault::ProxyKill => placed.restart(None)?,
            Fault::Dies(_) => {
                placed.larder.signal(Signal::Kill); // one that has not come to its end
                placed.restart(None)?;
            }
            Fault::ProxyStop => placed.larder.signal(Signal::Continue),
            Fault::ProxyRoll => {
                let mut order: Vec<&mut Placed> = self.stage.proxies.iter_mut().collect();
                self.chance.shuffle(&mut order);
                for placed in order {
                    placed.larder.signal(Signal::Terminate);
                    placed.restart(None)?;
                }
            }
            Fault::ClientsLate | Fault::ClientsOneWay => placed.clients.set(Passage::Open),
            Fault::StoreHeld
            | Fault::StoreLate
            | Fault::StoreCut
            | Fault::StoreOneWay
            | Fault::StoreGarbage => {
                set(placed.store.as_ref(), Passage::Open);
            }
            Fault::RedisEmpty => restart(self.stage.redis.as_mut(), Restart::Empty)?,
            Fault::RedisAof => restart(self.stage.redis.as_mut(), Restart::Remembering)?,
            Fault::RedisOld => {
                signal(redis, Signal::Kill);
                restart(self.stage.redis.as_mut(), Restart::AsCopied)?;
            }
            Fault::RedisStop => signal(redis, Signal::Continue),
            Fault::RedisFull | Fault::RedisEvict => {
                command(redis, &["CONFIG SET maxmemory 0", "CONFIG SET maxmemory-policy noeviction"])?;
            }
            Fault::UpstreamLate | Fault::UpstreamHeld => placed.upstream.set(Passage::Open),
            Fault::Unanswered => self.temper.cut(0),
            Fault::GivenUp => self.temper.give_up(0),
            Fault::RulesReload
            | Fault::ClientsCut
            | Fault::RedisFlush
            | Fault::RedisScripts
            | Fault::RedisClients
            | Fault::UpstreamCut => {} // a moment, nothing that lasts
        }
        for part in fault.parts() {
            self.judge.end(*part, Self::concerns(fault, proxy));
        }
        Ok(())
    }
}

impl Placed {
    /// Starts the proxy again, perhaps to end by itself, and leads its clients there.
    fn restart(&mut self, death: Option<Death>) -> Result<(), Trouble> {
        self.larder.restart(death)?;
        self.clients.leads_to(self.larder.address());
        self.clients.cut();
        Ok(())
    }
}

/// Can both be done at the same time, and can what they excuse be told apart?
fn is_apart(one: Fault, other: Fault) -> bool {
    let shared = one.parts().iter().any(|part| other.parts().contains(part));
    let both_store = one.is_of_store() && other.is_of_store();
    !shared && !both_store && !one.parts().is_empty() && !other.parts().is_empty()
}

fn set(relay: Option<&Relay>, passage: Passage) {
    if let Some(relay) = relay {
        relay.set(passage);
    }
}

fn signal(redis: Option<&Redis>, signal: Signal) {
    if let Some(redis) = redis {
        redis.signal(signal);
    }
}

fn command(redis: Option<&Redis>, commands: &[&str]) -> Result<(), Trouble> {
    let Some(redis) = redis else { return Ok(()) };
    commands.iter().try_for_each(|words| redis.command(words).map(drop))
}

fn restart(redis: Option<&mut Redis>, how: Restart) -> Result<(), Trouble> {
    redis.map_or(Ok(()), |redis| redis.restart(how))
}
