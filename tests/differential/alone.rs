//! One client at a time: every answer is compared, of writes too.

use serde_json::Value;

use crate::chance::Chance;
use crate::journal::{Figures, Journal, Time};
use crate::people::{Mint, Person};
use crate::reads::{self, Read};
use crate::stage::Stage;
use crate::tables::Ground;
use crate::wire::{Request, Side, Told};
use crate::writes;

/// Reads that may be asked again later.
const REMEMBERED_MAX: usize = 40;
/// Earlier reads that are asked again after each write.
const AGAIN_AFTER_WRITE: usize = 3;

/// A run on two databases with the same rows.
struct Alone {
    chance: Chance,
    people: Vec<Person>,
    /// The database that Larder never sees, for the answers of writes.
    apart: Side,
    /// The database behind Larder, asked directly.
    direct: Side,
    through: Side,
    remembered: Vec<Read>,
    journal: Journal,
}

/// Plays so many steps; tells the first difference.
pub(crate) async fn run(stage: &Stage, seed: u64, steps: usize) -> Result<Figures, String> {
    let mint = Mint::new(&stage.jwt_secret, &stage.publishable_key);
    let mut alone = Alone {
        chance: Chance::new(seed),
        people: (1..=3).map(|number| mint.person(number)).collect(),
        apart: stage.side(&stage.servers[0]),
        direct: stage.direct(),
        through: stage.through(),
        remembered: Vec::new(),
        journal: Journal::default(),
    };
    let mut step = 0;
    while step < steps {
        step = alone.turn(step).await?;
    }
    Ok(alone.journal.figures())
}

impl Alone {
    /// One generated request, or a write and the reads after it; returns the last step.
    async fn turn(&mut self, step: usize) -> Result<usize, String> {
        let step = step + 1;
        if self.chance.percent(25) {
            self.write(step).await?;
            for place in 1..=AGAIN_AFTER_WRITE {
                self.again(step + place).await?;
            }
            return Ok(step + AGAIN_AFTER_WRITE);
        }
        if self.chance.percent(30) {
            self.again(step).await?;
        } else {
            self.anew(step).await?;
        }
        Ok(step)
    }

    async fn anew(&mut self, step: usize) -> Result<(), String> {
        let who = self.reader();
        let read = reads::open(&mut self.chance, Ground::COMMON, &who);
        let request = read.spelled(&mut self.chance);
        self.compare((step, Time::First), &request).await?;
        self.compare((step, Time::AtOnce), &request).await?;
        if self.remembered.len() == REMEMBERED_MAX {
            let forgotten = self.chance.index(REMEMBERED_MAX);
            self.remembered.swap_remove(forgotten);
        }
        self.remembered.push(read);
        Ok(())
    }

    /// Asks an earlier question, perhaps in other words.
    async fn again(&mut self, step: usize) -> Result<(), String> {
        if self.remembered.is_empty() {
            return Ok(());
        }
        let place = self.chance.index(self.remembered.len());
        let request = self.remembered[place].respelled(&mut self.chance);
        self.compare((step, Time::Later), &request).await
    }

    async fn compare(&mut self, when: (usize, Time), request: &Request) -> Result<(), String> {
        let direct = self.direct.ask(request).await;
        let through = self.through.ask(request).await;
        self.journal.read(when, request, &direct, &through)
    }

    async fn write(&mut self, step: usize) -> Result<(), String> {
        let person = self.chance.between(1, 3);
        let who = if self.chance.percent(90) { self.person(person) } else { self.reader() };
        let request = writes::write(&mut self.chance, Ground::COMMON, person, &who);
        let apart = without_moments(self.apart.ask(&request).await);
        let through = without_moments(self.through.ask(&request).await);
        self.journal.wrote(step, &request, &through);
        if apart.answer != through.answer {
            return Err(self.journal.difference(step, &request, &apart, &through));
        }
        Ok(())
    }

    fn person(&self, number: i64) -> Person {
        self.people[usize::try_from(number - 1).expect("counted from one")].clone()
    }

    fn reader(&mut self) -> Person {
        let place = self.chance.index(self.people.len() + 1);
        self.people.get(place).cloned().unwrap_or_else(Person::anon)
    }
}

/// A trigger stamps rows with the clock, and each database has its own moment.
fn without_moments(mut told: Told) -> Told {
    if let Ok(mut body) = serde_json::from_str(&told.answer.body) {
        forget_moments(&mut body);
        told.answer.body = body.to_string();
    }
    told
}

fn forget_moments(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget_moments),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "updated_at" {
                    *field = "then".into();
                } else {
                    forget_moments(field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
