//! Does anybody ever see what is another's? Many callers ask for the same addresses at once.
//!
//! Every private row carries a canary that names who may see it (`private.sql`). An answer must hold no
//! canary of another, whatever else it holds; where the scope keeps callers apart it must also be exactly
//! what this caller was answered directly before, for the writes meanwhile change nothing: they only
//! take answers away, so that there are fetches to join and to race with. Tokens that prove nothing are
//! mixed in: they must get what the upstream gives them, and never a hit. (Under `scope: token` nothing
//! needs to be proven: there an entry is for the very same bytes.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::people::{Mint, Person, uuid_of};
use crate::stage::Stage;
use crate::wire::{Answer, Request, Side};

/// Callers who ask at once.
const ASKING: usize = 16;
/// So many of 1000 requests bring a token that proves nothing.
const UNBELIEVED_PERMILLE: i64 = 20;
/// So many of 1000 requests are writes.
const WRITES_PERMILLE: i64 = 2;

/// Everybody asks for these. Scopes that share more than one caller's answers come last.
const TARGETS: [&str; 12] = [
    "/rest/v1/notifications",
    "/rest/v1/notifications?select=id,title&order=id.desc",
    "/rest/v1/notifications?select=title,profiles(full_name)",
    "/rest/v1/notifications?user_id=eq.a0000000-0000-4000-8000-000000000010&select=title",
    "/rest/v1/secrets",
    "/rest/v1/secrets?select=canary&order=id",
    "/rest/v1/rental_payments",
    "/rest/v1/rental_payments?select=payer_id,amount",
    "/rest/v1/rpc/search_properties?wanted_city=Dakar&select=id,title,owner_id&id=gt.500",
    "/rest/v1/staff_notes",
    "/rest/v1/properties?id=gt.500",
    "/rest/v1/properties?select=title,owner_id&status=eq.draft",
];
/// The table whose rule tells callers apart by their tokens' bytes.
const BY_TOKEN: &str = "/rest/v1/rental_payments";
/// The first of those that may be answered with what an anonymous caller sees.
const FIRST_PUBLIC: usize = 10;

/// A caller, and what may be shown to them.
#[derive(Debug)]
struct Caller {
    person: Person,
    /// Canaries and names that they may see.
    own: Vec<String>,
    believed: bool,
    /// What the upstream answered, by target.
    expected: Vec<Answer>,
}

/// What a hunt has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    answers: AtomicUsize,
    pub(crate) hits: AtomicUsize,
    pub(crate) unbelieved: AtomicUsize,
    pub(crate) writes: AtomicUsize,
}

/// Asks until so many answers were looked at; tells the first leak.
pub(crate) async fn hunt(stage: &Stage, seed: u64, answers: usize) -> Result<Arc<Seen>, String> {
    let mint = Mint::new(&stage.jwt_secret, &stage.publishable_key);
    let mut callers = callers(&mint);
    let direct = stage.direct();
    for caller in &mut callers {
        for target in TARGETS {
            let told = direct.ask(&read(target, &caller.person)).await;
            caller.expected.push(told.answer);
        }
        caller.check_expected()?;
    }
    let callers = Arc::new(callers);
    let seen = Arc::new(Seen::default());
    let mut chance = Chance::new(seed);
    let mut asking = JoinSet::new();
    for _ in 0..ASKING {
        let (chance, through) = (chance.branch(), stage.through());
        let (callers, seen) = (Arc::clone(&callers), Arc::clone(&seen));
        asking.spawn(async move { ask_until(answers, chance, &through, &callers, &seen).await });
    }
    asking.join_all().await.into_iter().collect::<Result<(), String>>()?;
    Ok(seen)
}

/// Four people, with what can change in their tokens, the signed-out caller, and those not to be believed.
fn callers(mint: &Mint) -> Vec<Caller> {
    let mut callers = vec![Caller::new(Person::anon(), 0, &[])];
    for (person, tenant, level) in
        [(9, "acme", 1), (9, "acme", 2), (9, "beta", 2), (10, "acme", 1), (11, "beta", 2), (12, "beta", 1)]
    {
        let claims = json!({ "aal": format!("aal{level}"), "app_metadata": { "tenant": tenant } });
        let levels: Vec<String> =
            (1..=level).map(|level| format!("canary<{person} {tenant} aal{level}>")).collect();
        callers.push(Caller::new(mint.person_with(person, &claims), person, &levels));
        callers.extend(
            mint.not_to_be_believed(person, &claims)
                .into_iter()
                .map(|person| Caller { believed: false, ..Caller::new(person, 0, &[]) }),
        );
    }
    callers
}

impl Caller {
    /// Number 0 is nobody.
    fn new(person: Person, number: i64, more: &[String]) -> Self {
        let mut own = more.to_vec();
        if number != 0 {
            own.extend([format!("canary<{number}>"), "canary<signed in>".to_owned(), uuid_of(number)]);
        }
        Self { person, own, believed: true, expected: Vec::new() }
    }

    /// The upstream itself must keep callers apart, and must have something to show, or nothing is proven.
    /// It decides who issued a token that it signed itself; whom it believes is shown their own rows.
    fn check_expected(&mut self) -> Result<(), String> {
        for (target, expected) in TARGETS.iter().zip(&self.expected) {
            if let Some(leak) = self.leak_in(&expected.body) {
                return Err(format!("directly, {} sees {leak} at {target}", self.person.name));
            }
        }
        let shown = self.own.iter().all(|own| self.expected.iter().any(|answer| answer.body.contains(own)));
        if shown { Ok(()) } else { Err(format!("{} does not see all of {:?}", self.person.name, self.own)) }
    }

    /// The first canary or name in an answer that this caller may not see.
    fn leak_in(&self, body: &str) -> Option<String> {
        let canaries = body.match_indices("canary<").map(|(start, _)| {
            let end = body[start..].find('>').map_or(body.len(), |length| start + length + 1);
            body[start..end].to_owned()
        });
        let names = (9..=12).map(uuid_of).filter(|name| body.contains(name.as_str()));
        canaries.chain(names).find(|found| !self.own.contains(found))
    }
}

async fn ask_until(
    answers: usize,
    mut chance: Chance,
    through: &Side,
    callers: &[Caller],
    seen: &Seen,
) -> Result<(), String> {
    let (believed, unbelieved): (Vec<&Caller>, Vec<&Caller>) =
        callers.iter().partition(|caller| caller.believed);
    while seen.answers.fetch_add(1, Ordering::Relaxed) < answers {
        let drawn = chance.between(1, 1_000);
        if drawn <= WRITES_PERMILLE {
            let signed_in = &believed[1 + chance.index(believed.len() - 1)].person;
            through.ask(&write_that_changes_nothing(&mut chance, signed_in)).await;
            seen.writes.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let caller = if drawn <= WRITES_PERMILLE + UNBELIEVED_PERMILLE {
            seen.unbelieved.fetch_add(1, Ordering::Relaxed);
            unbelieved[chance.index(unbelieved.len())]
        } else {
            believed[chance.index(believed.len())]
        };
        look(through, caller, chance.index(TARGETS.len()), seen).await?;
    }
    Ok(())
}

/// Asks once, and judges the answer.
async fn look(through: &Side, caller: &Caller, target: usize, seen: &Seen) -> Result<(), String> {
    let request = read(TARGETS[target], &caller.person);
    let told = through.ask(&request).await;
    seen.hits.fetch_add(usize::from(told.is_hit()), Ordering::Relaxed);
    let expected = &caller.expected[target];
    let wrong = |what: &str| {
        let cache_status = &told.cache_status;
        Err(format!(
            "{what}\n  {request}\n  directly:\n    {expected}\n  through Larder ({cache_status}):\n    {}",
            told.answer
        ))
    };
    if let Some(leak) = caller.leak_in(&told.answer.body) {
        return wrong(&format!("a leak: {leak}"));
    }
    let refused = !expected.status.is_success();
    if !caller.believed && told.is_hit() && !TARGETS[target].starts_with(BY_TOKEN) {
        return wrong("a hit for a token that proves nothing");
    }
    if refused && (told.is_hit() || told.answer.status.is_success()) {
        return wrong("something for a token that the upstream refuses");
    }
    let may_be_anonymous = target >= FIRST_PUBLIC && caller.believed;
    if told.answer != *expected && !may_be_anonymous {
        return wrong("different answers");
    }
    Ok(())
}

fn read(target: &str, who: &Person) -> Request {
    Request {
        method: Method::GET,
        target: target.to_owned(),
        headers: Vec::new(),
        body: None,
        who: who.clone(),
    }
}

/// Takes answers away and leaves every row as it is.
fn write_that_changes_nothing(chance: &mut Chance, who: &Person) -> Request {
    let (target, body) = chance.pick(&[
        ("/rest/v1/notifications?read_at=is.null", r#"{"read_at":null}"#),
        ("/rest/v1/secrets?id=gt.0", r#"{"level":"aal9"}"#), // refused: out of their own sight
        ("/rest/v1/properties?id=eq.1", r#"{"status":"draft"}"#), // not theirs
        ("/rest/v1/rental_payments?id=gt.0", r#"{"amount":1}"#), // nobody may
    ]);
    Request {
        method: Method::PATCH,
        target: target.to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: Some(body.to_owned()),
        who: who.clone(),
    }
}
