//! Many clients at once, on one database.
//!
//! Each client writes rows of its own only, and asks for nothing but them: whatever the others do
//! meanwhile, the direct answer and Larder's must be equal at once. Between, everybody also asks for
//! everything, while everybody writes; those answers have no single right form until all are quiet.
//! Then every question so far is asked again, directly and through Larder, and must be answered alike:
//! an answer that was fetched before a write and kept after it would show.

use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::journal::{Figures, Journal, Time};
use crate::people::{Mint, Person};
use crate::reads::{self, Read};
use crate::stage::Stage;
use crate::tables::Ground;
use crate::wire::{Request, Side};
use crate::writes;

const CLIENTS: usize = 8;
/// How often everybody falls quiet.
const BATCHES: usize = 4;
/// Questions of one client that are asked again when all are quiet.
const REMEMBERED_MAX: usize = 15;
/// Persons below this own what was seeded.
const FIRST_OWNER: i64 = 5;

/// One of the clients.
struct Member {
    chance: Chance,
    ground: Ground,
    owner: i64,
    own: Person,
    other: Person,
    direct: Side,
    through: Side,
    remembered: Vec<Read>,
    journal: Journal,
    step: usize,
}

/// Plays so many steps, all clients together; tells a difference.
pub(crate) async fn run(stage: &Stage, seed: u64, steps: usize) -> Result<Figures, String> {
    let mut chance = Chance::new(seed);
    let mut members: Vec<Member> =
        (0..CLIENTS).map(|place| Member::new(stage, chance.branch(), place)).collect();
    for member in &members {
        let rows = writes::first_rows(member.ground, &member.own);
        let told = member.through.ask(&rows).await;
        if !told.answer.status.is_success() {
            return Err(format!("the first rows: {rows}\n{}", told.answer));
        }
    }
    for _ in 0..BATCHES {
        members = together(members, steps / CLIENTS / BATCHES).await?;
        for member in &mut members {
            member.compare_all().await?;
        }
    }
    Ok(members.iter().map(|member| member.journal.figures()).fold(Figures::default(), Figures::and))
}

/// Lets all clients play at once, to their ends.
async fn together(members: Vec<Member>, steps: usize) -> Result<Vec<Member>, String> {
    let mut playing = JoinSet::new();
    for mut member in members {
        playing.spawn(async move {
            for _ in 0..steps {
                member.turn().await?;
            }
            Ok(member)
        });
    }
    playing.join_all().await.into_iter().collect()
}

impl Member {
    fn new(stage: &Stage, chance: Chance, place: usize) -> Self {
        let mint = Mint::new(&stage.jwt_secret, &stage.publishable_key);
        let place = i64::try_from(place).expect("a few clients");
        let (owner, first) = (FIRST_OWNER + place, 1_000 * (place + 1));
        Self {
            chance,
            ground: Ground { first, last: first + 11, owner: Some(owner) },
            owner,
            own: mint.person(owner),
            other: mint.person(1),
            direct: stage.direct(),
            through: stage.through(),
            remembered: Vec::new(),
            journal: Journal::default(),
            step: 0,
        }
    }

    async fn turn(&mut self) -> Result<(), String> {
        self.step += 1;
        let who = self.reader();
        match self.chance.index(10) {
            0..=2 => return self.write().await,
            3..=7 => {
                let read = reads::bounded(&mut self.chance, self.ground, &who);
                let request = read.spelled(&mut self.chance);
                self.compare(Time::First, &request).await?;
                self.compare(Time::AtOnce, &request).await?;
                self.remember(read);
            }
            _ => {
                let read = reads::open(&mut self.chance, self.ground, &who);
                let request = read.spelled(&mut self.chance);
                let _moving = self.through.ask(&request).await;
                self.remember(read);
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), String> {
        let request = writes::write(&mut self.chance, self.ground, self.owner, &self.own.clone());
        let told = self.through.ask(&request).await;
        self.journal.wrote(self.step, &request, &told);
        if told.answer.status.is_server_error() {
            return Err(format!("{request}\n{}", told.answer));
        }
        Ok(())
    }

    async fn compare_all(&mut self) -> Result<(), String> {
        for read in self.remembered.clone() {
            let request = read.respelled(&mut self.chance);
            self.compare(Time::Later, &request).await?;
            self.compare(Time::AtOnce, &request).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, time: Time, request: &Request) -> Result<(), String> {
        let direct = self.direct.ask(request).await;
        let through = self.through.ask(request).await;
        self.journal.read((self.step, time), request, &direct, &through)
    }

    fn remember(&mut self, read: Read) {
        if self.remembered.len() == REMEMBERED_MAX {
            let forgotten = self.chance.index(REMEMBERED_MAX);
            self.remembered.swap_remove(forgotten);
        }
        self.remembered.push(read);
    }

    fn reader(&mut self) -> Person {
        match self.chance.index(4) {
            0 => Person::anon(),
            1 => self.other.clone(),
            _ => self.own.clone(),
        }
    }
}
