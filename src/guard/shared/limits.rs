//! Budgets of a fleet, counted as `window` counts them, by the store's clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::plan::{BudgetName, Charge};
use crate::redis::{Lua, Redis};
use crate::rules::Window;

use super::super::Doing;
use super::super::limit::{Allowance, LimitStore, Taken};
use super::{millis, number, parts};

/// Sixty slots a window; a sliding one looks at sixty-one of them, a fixed one at those since it
/// began. A burst is looked for in the last seven. Milliseconds, so that every number stays exact.
const TAKE: &str = r"
local rate, window, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.floor(now * 60 / window)
local begins = slot - 60
if ARGV[4] == 'fixed' then begins = slot - slot % 60 end
local sum, oldest, burst_sum, burst_oldest, gone = 0, slot, 0, slot, {}
local counts = redis.call('HGETALL', KEYS[1])
for i = 1, #counts, 2 do
  local number, count = tonumber(counts[i]), tonumber(counts[i + 1])
  if number < slot - 60 or number > slot + 60 then
    gone[#gone + 1] = counts[i]
  else
    if number >= begins then
      sum = sum + count
      if count > 0 and number < oldest then oldest = number end
    end
    if number > slot - 7 then
      burst_sum = burst_sum + count
      if count > 0 and number < burst_oldest then burst_oldest = number end
    end
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
local function till(number) return math.max(0, math.ceil(number * window / 60) - now) end
local more = till(oldest + 61)
if ARGV[4] == 'fixed' then more = till(begins + 60) end
if sum >= rate then return {0, 0, more, slot} end
if burst > 0 and burst_sum >= burst then return {0, 0, till(burst_oldest + 7), slot} end
redis.call('HINCRBY', KEYS[1], slot, 1)
redis.call('PEXPIRE', KEYS[1], 2 * window)
local left = rate - sum
if burst > 0 then left = math.min(left, burst - burst_sum) end
return {1, left - 1, more, slot}
";

/// Takes back what was counted in a slot.
const GIVE_BACK: &str = r"
if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') > 0 then
  return redis.call('HINCRBY', KEYS[1], ARGV[1], -1)
end
return 0
";

/// Budgets in a store that a fleet shares.
pub struct SharedLimits {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    prefix: String,
    take: Lua,
    give_back: Lua,
}

/// What became of one charge.
struct Charged {
    is_taken: bool,
    allowance: Allowance,
    slot: u64,
}

impl SharedLimits {
    /// Names in the store begin with the prefix.
    pub fn new(redis: Redis, prefix: &str) -> Self {
        let (take, give_back) = (Lua::new(TAKE), Lua::new(GIVE_BACK));
        Self { inner: Arc::new(Inner { redis, prefix: prefix.to_owned(), take, give_back }) }
    }

    /// All at once, each where a cluster keeps it; what one refuses is given back to the others.
    async fn take_all(&self, charges: &[Charge]) -> Taken {
        let taken = match charges {
            [only] => vec![self.inner.take(only).await],
            several => self.inner.take_together(several).await,
        };
        if taken.iter().any(Option::is_none) {
            return Taken::Unknown;
        }
        let taken: Vec<Charged> = taken.into_iter().flatten().collect();
        if taken.iter().all(|charged| charged.is_taken) {
            return Taken::Passed(taken.into_iter().map(|charged| charged.allowance).collect());
        }
        for (charged, charge) in taken.iter().zip(charges).filter(|(charged, _)| charged.is_taken) {
            self.inner.give_back(charge.budget, charged.slot).await;
        }
        match taken.into_iter().find(|charged| !charged.is_taken) {
            Some(charged) => Taken::Refused(charged.allowance),
            None => Taken::Unknown,
        }
    }
}

impl Inner {
    fn key(&self, budget: BudgetName) -> String {
        let mut key = format!("{}:limit:", self.prefix);
        budget.0.iter().for_each(|byte| key.push_str(&format!("{byte:02x}")));
        key
    }

    async fn take_together(self: &Arc<Self>, charges: &[Charge]) -> Vec<Option<Charged>> {
        let mut asking = JoinSet::new();
        for (place, charge) in charges.iter().cloned().enumerate() {
            let inner = Arc::clone(self);
            asking.spawn(async move { (place, inner.take(&charge).await) });
        }
        let mut taken: Vec<Option<Charged>> = charges.iter().map(|_| None).collect();
        while let Some(Ok((place, charged))) = asking.join_next().await {
            taken[place] = charged;
        }
        taken
    }

    async fn take(&self, charge: &Charge) -> Option<Charged> {
        let quota = &charge.rule.quota;
        let burst = quota.burst.unwrap_or(0).to_string();
        let (rate, window) = (quota.rate.to_string(), millis(quota.window));
        let kind: &[u8] = match quota.kind {
            Window::Fixed => b"fixed",
            Window::Sliding => b"sliding",
        };
        let args: [&[u8]; 4] = [rate.as_bytes(), window.as_bytes(), burst.as_bytes(), kind];
        let (_, answer) = self.redis.script(&self.take, &[&self.key(charge.budget)], &args).await.ok()?;
        let answer = parts(answer);
        let allowance = Allowance {
            rule: Arc::clone(&charge.rule),
            left: u32::try_from(number(&answer, 1)?).ok()?,
            more_in: Duration::from_millis(number(&answer, 2)?),
        };
        Some(Charged { is_taken: number(&answer, 0)? == 1, allowance, slot: number(&answer, 3)? })
    }

    async fn give_back(&self, budget: BudgetName, slot: u64) {
        let slot = slot.to_string();
        let given = self.redis.script(&self.give_back, &[&self.key(budget)], &[slot.as_bytes()]).await;
        let _counts_until_its_slot_ends = given;
    }
}

impl LimitStore for SharedLimits {
    fn take_now(&self, _charges: &[Charge]) -> Option<Taken> {
        None
    }

    fn take<'a>(&'a self, charges: &'a [Charge]) -> Doing<'a, Taken> {
        Box::pin(self.take_all(charges))
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits").field("redis", &self.inner.redis).finish_non_exhaustive()
    }
}
