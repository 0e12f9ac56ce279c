//! What is done to a run, and what that excuses?

mod nemesis;

pub(crate) use nemesis::{Nemesis, Placed, Stage};

use larder::sabotage::Death;

use super::judge::Part;

/// One kind of disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A proxy is killed and started again.
    ProxyKill,
    /// A proxy stands still, and goes on as if nothing had been.
    ProxyStop,
    /// All proxies end and start again, one after the other, as in a deployment.
    ProxyRoll,
    /// The rules change.
    RulesReload,
    /// Every connection between clients and a proxy breaks.
    ClientsCut,
    /// Everything between clients and a proxy is late.
    ClientsLate,
    /// Answers of a proxy do not reach its clients.
    ClientsOneWay,
    /// A proxy does not reach the store, and no reset says so.
    StoreHeld,
    /// A proxy's store is far away.
    StoreLate,
    /// Every connection between a proxy and the store breaks.
    StoreCut,
    /// The store hears a proxy and is not heard.
    StoreOneWay,
    /// What answers at the store's address is no store.
    StoreGarbage,
    /// The store is killed and comes back empty.
    RedisEmpty,
    /// The store is killed and comes back with what it had written down.
    RedisAof,
    /// The store is killed and comes back as it was a while ago: what a failover without the last writes leaves.
    RedisOld,
    /// The store stands still.
    RedisStop,
    /// Everything in the store is gone.
    RedisFlush,
    /// The store forgets its scripts.
    RedisScripts,
    /// The store ends connections.
    RedisClients,
    /// The store is full, and refuses.
    RedisFull,
    /// The store is full, and forgets whatever it likes.
    RedisEvict,
    /// Every connection between a proxy and the upstream breaks.
    UpstreamCut,
    /// A proxy's upstream is far away.
    UpstreamLate,
    /// A proxy does not reach the upstream, and no reset says so.
    UpstreamHeld,
    /// Writes happen and are not answered.
    Unanswered,
    /// Writes are answered by 504 and happen afterwards.
    GivenUp,
    /// A proxy ends itself at this point of a write; a debug build alone can.
    Dies(Death),
}

impl Fault {
    /// Those that a release build suffers too.
    pub(crate) const ALL: [Self; 26] = [
        Self::ProxyKill,
        Self::ProxyStop,
        Self::ProxyRoll,
        Self::RulesReload,
        Self::ClientsCut,
        Self::ClientsLate,
        Self::ClientsOneWay,
        Self::StoreHeld,
        Self::StoreLate,
        Self::StoreCut,
        Self::StoreOneWay,
        Self::StoreGarbage,
        Self::RedisEmpty,
        Self::RedisAof,
        Self::RedisOld,
        Self::RedisStop,
        Self::RedisFlush,
        Self::RedisScripts,
        Self::RedisClients,
        Self::RedisFull,
        Self::RedisEvict,
        Self::UpstreamCut,
        Self::UpstreamLate,
        Self::UpstreamHeld,
        Self::Unanswered,
        Self::GivenUp,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ProxyKill => "proxy-kill",
            Self::ProxyStop => "proxy-stop",
            Self::ProxyRoll => "proxy-roll",
            Self::RulesReload => "rules-reload",
            Self::ClientsCut => "clients-cut",
            Self::ClientsLate => "clients-late",
            Self::ClientsOneWay => "clients-one-way",
            Self::StoreHeld => "store-held",
            Self::StoreLate => "store-late",
            Self::StoreCut => "store-cut",
            Self::StoreOneWay => "store-one-way",
            Self::StoreGarbage => "store-garbage",
            Self::RedisEmpty => "redis-empty",
            Self::RedisAof => "redis-aof",
            Self::RedisOld => "redis-old",
            Self::RedisStop => "redis-stop",
            Self::RedisFlush => "redis-flush",
            Self::RedisScripts => "redis-scripts",
            Self::RedisClients => "redis-clients",
            Self::RedisFull => "redis-full",
            Self::RedisEvict => "redis-evict",
            Self::UpstreamCut => "upstream-cut",
            Self::UpstreamLate => "upstream-late",
            Self::UpstreamHeld => "upstream-held",
            Self::Unanswered => "unanswered",
            Self::GivenUp => "given-up",
            Self::Dies(death) => death.as_str(),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let of_any_build = || Self::ALL.into_iter().find(|fault| fault.as_str() == name);
        Death::named(name).map(Self::Dies).or_else(of_any_build)
    }

    /// Does it need a shared store?
    pub(crate) fn is_of_store(self) -> bool {
        self.parts().contains(&Part::Store)
            || self.parts().contains(&Part::Memory)
            || self == Self::RedisScripts
    }

    /// Is nothing disturbed until it is over? What was written before a store comes back as it was is written well,
    /// and must be seen.
    fn is_sudden(self) -> bool {
        self == Self::RedisOld
    }

    /// What it disturbs.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::ProxyKill | Self::ProxyStop | Self::ProxyRoll | Self::Dies(_) => &[Part::Process],
            Self::RulesReload | Self::RedisScripts => &[],
            Self::ClientsCut | Self::ClientsLate | Self::ClientsOneWay => &[Part::Clients],
            Self::StoreHeld
            | Self::StoreLate
            | Self::StoreCut
            | Self::StoreOneWay
            | Self::StoreGarbage
            | Self::RedisAof
            | Self::RedisStop
            | Self::RedisClients
            | Self::RedisFull => &[Part::Store],
            Self::RedisEmpty | Self::RedisOld => &[Part::Store, Part::Memory],
            Self::RedisFlush => &[Part::Memory],
            Self::RedisEvict => &[Part::Memory, Part::Room],
            Self::UpstreamCut | Self::UpstreamLate | Self::UpstreamHeld => &[Part::Upstream],
            Self::Unanswered | Self::GivenUp => &[Part::Answers],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let deaths = Death::ALL.map(Fault::Dies);
        assert!(
            Fault::ALL.into_iter().chain(deaths).all(|fault| Fault::named(fault.as_str()) == Some(fault))
        );
    }
}
