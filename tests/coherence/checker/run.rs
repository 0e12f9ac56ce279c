//! One run from beginning to end: start everything, let it go on, disturb it, heal it, look whether it lives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::faults::{Fault, Nemesis, Placed, Stage};
use super::judge::{Consistency, Figures, Judge, Terms, Violation};
use super::options::{Plan, StoreKind};
use super::pace;
use super::people::People;
use super::screen::Screen;
use super::upstream::{Database, Temper, Upstream};
use super::workload::{Crowd, Habits};
use super::world::{Larder, Launch, Postgres, Redis, Relay, Trouble};

/// Without faults, in the beginning: what hits there are is measured after it has warmed up.
const WARM: Duration = Duration::from_millis(1_500);
/// Measured in calm, at both ends.
const MEASURED: Duration = Duration::from_millis(1_500);
/// From the last fault on everything has so long to be as it was.
const RECOVER: Duration = Duration::from_secs(5);
/// So many of 100 reads may still go upstream because the store did not answer in time on a busy machine.
const AWAY_PERCENT_MAX: u64 = 5;
/// What `Cache-Status` says of these.
const AWAY: &str = "fwd=miss; detail=store-away";
/// How often the judge looks at what time has made certain, and the screen at the judge.
const TICK: Duration = Duration::from_millis(200);
/// Clients, proxies and database share a machine and keep it busy: a store that is ten times as slow as usual is
/// not broken then.
const STORE_TIMEOUT: &str = "500ms";
/// Longer than the upstream takes to commit anything here, and short enough that a schedule sees it pass often.
const INTENT_DEADLINE: &str = "3s";
const SCHEMA: &str = include_str!("../schema.sql");

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) figures: Figures,
    /// The first violations, each with the seed of its schedule.
    pub(crate) stories: Vec<(u64, String)>,
    pub(crate) faults: Vec<Fault>,
    /// Proxies that ended by themselves, in the middle of a write.
    pub(crate) deaths: u64,
    pub(crate) took: Duration,
    /// The last lines of each proxy's log, where something was found.
    pub(crate) logs: String,
}

/// Plays every schedule of a plan. `stops_at_first`: a violation is all that is wanted.
///
/// To be called on a thread that lasts: the kernel ends what a thread has started when that thread ends.
pub(crate) async fn check(
    plan: &Plan,
    screen: &mut Screen,
    stops_at_first: bool,
) -> Result<Checked, Trouble> {
    if !plan.larder.exists() {
        return Err(Trouble::NoLarder(plan.larder.display().to_string()));
    }
    screen.say("starting PostgreSQL");
    let postgres = Postgres::start()?;
    let (mut checked, began) = (Checked::default(), Instant::now());
    for schedule in 0..plan.schedules {
        let seed = plan.seed + schedule;
        let mut run = Run::start(plan, &postgres, seed).await?;
        let played = run.play(plan, screen, stops_at_first).await;
        let stories = run.judge.stories();
        if !stories.is_empty() || played.is_err() {
            checked.logs = run.logs();
        }
        checked.figures.add(&run.judge.figures());
        checked.stories.extend(stories.into_iter().map(|story| (seed, story)));
        checked.faults.append(&mut run.done);
        checked.deaths += run.deaths;
        played?;
        if stops_at_first && checked.figures.violations() > 0 {
            break;
        }
    }
    checked.took = began.elapsed();
    Ok(checked)
}

struct Run {
    seed: u64,
    judge: Arc<Judge>,
    temper: Arc<Temper>,
    stage: Stage,
    crowd: Arc<Crowd>,
    chance: Chance,
    done: Vec<Fault>,
    deaths: u64,
    listeners: Vec<tokio::task::AbortHandle>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.listeners.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

impl Run {
    async fn start(plan: &Plan, postgres: &Postgres, seed: u64) -> Result<Self, Trouble> {
        let mut chance = Chance::new(seed);
        let is_fleet = plan.store == StoreKind::Redis;
        let terms = Terms { consistency: plan.consistency, is_fleet, deadline: deadline(&arguments(plan)) };
        let (judge, people) = (Arc::new(Judge::new(terms)), Arc::new(People::new()));
        let temper = Arc::new(Temper::new(chance.branch()));
        let database =
            Arc::new(Database::create(postgres, &format!("run_{seed}"), &People::schema(SCHEMA)).await?);
        let upstream = Upstream::new(database, Arc::clone(&people), Arc::clone(&judge), Arc::clone(&temper));
        let redis = if is_fleet { Some(Redis::start()?) } else { None };
        let mut stage = Stage { proxies: Vec::new(), redis };
        let mut listeners = Vec::new();
        for number in 0..plan.proxies {
            let (address, listener) = upstream.listen(number).await?;
            listeners.push(listener);
            let upstream = Relay::to(address).await?;
            let store = match &stage.redis {
                Some(redis) => Some(Relay::to(redis.address()).await?),
                None => None,
            };
            if let Some(store) = &store {
                let watching = tokio::spawn(pace::watch(Arc::clone(&judge), number, store.address()));
                listeners.push(watching.abort_handle());
            }
            let larder = Larder::start(launch(plan, &upstream, store.as_ref()))?;
            let clients = Relay::to(larder.address()).await?;
            stage.proxies.push(Placed { larder, clients, store, upstream });
        }
        let addresses = stage.proxies.iter().map(|placed| placed.clients.address()).collect();
        let habits = Habits { clients: plan.clients, write_percent: plan.write_percent };
        let crowd = Crowd::new(addresses, people, Arc::clone(&judge), habits);
        Ok(Self { seed, judge, temper, stage, crowd, chance, done: Vec::new(), deaths: 0, listeners })
    }

    async fn play(&mut self, plan: &Plan, screen: &mut Screen, stops_at_first: bool) -> Result<(), Trouble> {
        let (stop, mut clients) = (CancellationToken::new(), JoinSet::new());
        for client in 0..self.crowd.habits.clients {
            clients.spawn(Arc::clone(&self.crowd).run(client, self.chance.branch(), stop.clone()));
        }
        let (judge, seed) = (Arc::clone(&self.judge), self.seed);
        let played = {
            let playing = self.go_through(plan);
            tokio::pin!(playing);
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    played = &mut playing => break played,
                    _ = tick.tick() => {
                        judge.settle();
                        let figures = judge.figures();
                        screen.show(seed, &figures);
                        // a bug is looked for until an answer is wrong
                        let is_found = figures.first.is_some() || plan.bug.is_none() && figures.violations() > 0;
                        if stops_at_first && is_found {
                            break Ok(());
                        }
                    }
                }
            }
        };
        stop.cancel();
        clients.shutdown().await;
        played
    }

    /// Calm, faults, calm again.
    async fn go_through(&mut self, plan: &Plan) -> Result<(), Trouble> {
        let began = Instant::now();
        tokio::time::sleep(WARM).await;
        let before = self.measure().await;
        let faults_end = began + Duration::from_secs(plan.seconds).saturating_sub(RECOVER + MEASURED);
        let chance = self.chance.branch();
        let (judge, temper) = (Arc::clone(&self.judge), Arc::clone(&self.temper));
        let mut nemesis = Nemesis {
            stage: &mut self.stage,
            judge: &judge,
            temper: &temper,
            chance,
            done: Vec::new(),
            deaths: 0,
        };
        let disturbed = nemesis.disturb(&plan.faults, faults_end).await;
        self.done.append(&mut nemesis.done);
        self.deaths += nemesis.deaths;
        disturbed?;
        let healed = self.judge.figures().slow;
        let left = (began + Duration::from_secs(plan.seconds)).saturating_duration_since(Instant::now());
        tokio::time::sleep(left.saturating_sub(MEASURED).max(if plan.faults.is_empty() {
            left
        } else {
            RECOVER
        }))
        .await;
        let after = self.measure().await;
        // how many hits there are between two writes says how fast the machine is just now, not whether all is well
        let has_hits = after.hit_percent > 0 || before.hit_percent == 0;
        // a machine that has too much else to do says nothing about the proxies
        let is_alive = after.away_percent <= AWAY_PERCENT_MAX && has_hits || after.slow > healed;
        let is_written = after.acknowledged > 0 || plan.write_percent == 0;
        if !is_alive || !is_written {
            let text = format!(
                "of 100 reads {} were hits, after all faults {}, {} found no store, and {} writes were acknowledged",
                before.hit_percent, after.hit_percent, after.away_percent, after.acknowledged
            );
            self.judge.violated(Violation::NotAlive, &text);
        }
        Ok(())
    }

    async fn measure(&self) -> Measured {
        let before = self.judge.figures();
        tokio::time::sleep(MEASURED).await;
        let after = self.judge.figures();
        let reads = after.reads - before.reads;
        let acknowledged = after.acknowledged - before.acknowledged;
        let away = |figures: &Figures| figures.by_status.get(AWAY).copied().unwrap_or_default();
        let away_percent = ((away(&after) - away(&before)) * 100).checked_div(reads).unwrap_or_default();
        Measured {
            slow: after.slow,
            away_percent,
            acknowledged,
            hit_percent: ((after.hits - before.hits) * 100).checked_div(reads).unwrap_or_default(),
        }
    }

    fn logs(&self) -> String {
        let logs = self.stage.proxies.iter().enumerate();
        logs.map(|(number, placed)| {
            format!("the end of proxy {number}'s log:\n{}\n", placed.larder.last_lines())
        })
        .collect()
    }
}

struct Measured {
    slow: u64,
    away_percent: u64,
    acknowledged: u64,
    hit_percent: u64,
}

fn launch(plan: &Plan, upstream: &Relay, store: Option<&Relay>) -> Launch {
    let store = store.map_or("memory:".to_owned(), |relay| format!("redis://{}/0", relay.address()));
    let (program, arguments) = (plan.larder.clone(), arguments(plan));
    Launch { program, upstream: upstream.address(), store, arguments, bug: plan.bug }
}

/// What the proxies are told: what a plan says, and what the checker sets where it says nothing.
fn arguments(plan: &Plan) -> Vec<String> {
    let mut arguments = plan.arguments.clone();
    let told = |name: &str| plan.arguments.iter().any(|argument| argument.starts_with(name));
    if plan.store == StoreKind::Redis && !told("--store-timeout") {
        arguments.push(format!("--store-timeout={STORE_TIMEOUT}"));
    }
    if !told("--intent-deadline") {
        arguments.push(format!("--intent-deadline={INTENT_DEADLINE}"));
    }
    if plan.consistency != Consistency::Fresh {
        arguments.push(format!("--consistency={}", plan.consistency.as_str())); // the other is what it does by itself
    }
    arguments
}

/// How long an unknown outcome may stay unknown, if the proxies are told.
fn deadline(arguments: &[String]) -> Option<u64> {
    let told = arguments.iter().find_map(|argument| argument.strip_prefix("--intent-deadline="))?;
    let told = larder::units::parse_duration(told).ok()?;
    u64::try_from(told.as_nanos()).ok()
}
