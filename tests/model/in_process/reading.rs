//! What may a reader, or a fetch that readers wait for, do next?

use super::world::{Entry, Flight, READERS, Reader, Request, Step, World};
use super::{BeforeFlight, Compares, Joins, Lands, MemoryStore, Stamps, Urls};
use crate::words::{Generation, Generations, Promise, Version};

impl MemoryStore {
    pub(super) fn readers_go_on(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        for reader in 0..READERS {
            let before_it_all_started = reader == 0 || world.readers[reader - 1] != Reader::Ready;
            if before_it_all_started {
                self.reader_goes_on(world, reader, happens);
            }
        }
    }

    fn reader_goes_on(&self, world: &World, reader: usize, happens: &mut dyn FnMut(Step, World)) {
        let mut becomes = |step, phase| {
            let mut next = *world;
            next.readers[reader] = phase;
            happens(step, next);
        };
        match world.readers[reader] {
            Reader::Ready => self.starts(world, reader, happens),
            Reader::Started(request) => match world.entries[usize::from(request.url)] {
                Some(entry) if self.tag_is_current(world, entry, 0) => {
                    becomes(Step::FindsFirstTagCurrent { reader }, Reader::HalfCompared(request, entry));
                }
                Some(_) | None => becomes(Step::Misses { reader }, Reader::Missed(request)),
            },
            Reader::HalfCompared(request, entry) => {
                if self.tag_is_current(world, entry, 1) {
                    hits(world, reader, request, entry.version, happens);
                } else {
                    becomes(Step::Misses { reader }, Reader::Missed(request));
                }
            }
            Reader::Missed(request) => {
                let first = [world.generations[0], Generation::ABSENT];
                becomes(Step::ReadsGeneration { reader, tag: 0 }, Reader::HalfStamped(request, first));
            }
            Reader::HalfStamped(request, first) => {
                let stamp = [first[0], world.generations[1]];
                becomes(Step::ReadsGeneration { reader, tag: 1 }, Reader::Stamped(request, stamp));
            }
            Reader::Stamped(request, stamp) => self.joins_or_begins(world, reader, (request, stamp), happens),
            Reader::Waiting { request, flight } => {
                if let Some(version) = world.flights[usize::from(flight)].answer() {
                    returns(world, reader, request, version, happens);
                }
            }
            Reader::Holding(request, version) => returns(world, reader, request, version, happens),
            Reader::Away | Reader::Done => {}
        }
    }

    fn starts(&self, world: &World, reader: usize, happens: &mut dyn FnMut(Step, World)) {
        let urls = match self.urls {
            Urls::One => 1,
            Urls::Two => 2,
        };
        for url in 0..urls {
            let returned = match self.promise {
                Promise::FreshAfterAcknowledgement => Version::default(),
                Promise::NeverBackwards => world.returned.into_iter().max().unwrap_or_default(),
                Promise::NeverBackwardsPerUrl => world.returned[usize::from(url)],
            };
            let floor = world.acknowledged.max(returned);
            let mut next = *world;
            next.readers[reader] = Reader::Started(Request { url, floor });
            happens(Step::Starts { reader, url, floor }, next);
        }
    }

    fn tag_is_current(&self, world: &World, entry: Entry, tag: usize) -> bool {
        match self.compares {
            Compares::AllTags => entry.stamp[tag] == world.generations[tag],
            Compares::FirstTagOnly => tag != 0 || entry.stamp[tag] == world.generations[tag],
            Compares::Nothing => true,
        }
    }

    /// One step, because it happens under the lock that guards the flights.
    fn joins_or_begins(
        &self,
        world: &World,
        reader: usize,
        (request, stamp): (Request, Generations),
        happens: &mut dyn FnMut(Step, World),
    ) {
        if let (BeforeFlight::LooksAgain, Some(entry)) =
            (self.before_flight, world.entries[usize::from(request.url)])
            && entry.stamp == stamp
        {
            return hits(world, reader, request, entry.version, happens);
        }
        let mut next = *world;
        let joinable = world.flights.iter().position(|flight| match *flight {
            Flight::Asking { url, stamp: its }
            | Flight::Answered { url, stamp: its, .. }
            | Flight::Stored { url, stamp: its, .. } => {
                url == request.url && (its == stamp || self.joins == Joins::AnyOfTheUrl)
            }
            Flight::None | Flight::Leaving { .. } => false,
        });
        match joinable {
            Some(flight) => {
                let flight = index(flight);
                next.readers[reader] = Reader::Waiting { request, flight };
                happens(Step::Joins { reader, flight }, next);
            }
            None => {
                next.flights[reader] = Flight::Asking { url: request.url, stamp };
                next.readers[reader] = Reader::Waiting { request, flight: index(reader) };
                happens(Step::BeginsFlight { reader }, next);
            }
        }
    }

    /// A flight goes its way whether or not anyone still waits for it.
    pub(super) fn flights_go_on(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        for flight in 0..READERS {
            let mut next = *world;
            match world.flights[flight] {
                Flight::None => {}
                Flight::Asking { url, stamp } => {
                    let version = world.row;
                    next.flights[flight] = Flight::Answered { url, stamp, version };
                    happens(Step::Fetches { flight, version }, next);
                }
                Flight::Answered { url, stamp, version } => match self.lands {
                    Lands::StoresThenLeaves => {
                        self.store(&mut next, url, Entry { version, stamp });
                        next.flights[flight] = Flight::Stored { url, stamp, version };
                        happens(Step::Stores { flight }, next);
                    }
                    Lands::LeavesThenStores => {
                        next.flights[flight] = Flight::Leaving { url, stamp, version };
                        happens(Step::Leaves { flight }, next);
                    }
                },
                Flight::Stored { version, .. } => {
                    next.let_go(flight, version);
                    happens(Step::Leaves { flight }, next);
                }
                Flight::Leaving { url, stamp, version } => {
                    self.store(&mut next, url, Entry { version, stamp });
                    next.let_go(flight, version);
                    happens(Step::Stores { flight }, next);
                }
            }
        }
    }

    fn store(&self, world: &mut World, url: u8, fetched: Entry) {
        let stamp = match self.stamps {
            Stamps::BeforeFetching => fetched.stamp,
            Stamps::WhenStoring => world.generations,
        };
        world.entries[usize::from(url)] = Some(Entry { stamp, ..fetched });
    }
}

impl Flight {
    /// What waiting readers may have: as soon as it has arrived.
    fn answer(self) -> Option<Version> {
        match self {
            Self::None | Self::Asking { .. } => None,
            Self::Answered { version, .. } | Self::Stored { version, .. } | Self::Leaving { version, .. } => {
                Some(version)
            }
        }
    }
}

impl World {
    /// The flight is over; whoever waits for it still has what it brought.
    fn let_go(&mut self, over: usize, version: Version) {
        self.flights[over] = Flight::None;
        for reader in &mut self.readers {
            if let Reader::Waiting { request, flight } = *reader
                && usize::from(flight) == over
            {
                *reader = Reader::Holding(request, version);
            }
        }
    }
}

fn hits(
    world: &World,
    reader: usize,
    request: Request,
    version: Version,
    happens: &mut dyn FnMut(Step, World),
) {
    let mut next = *world;
    next.end_read(reader, request, version);
    happens(Step::Hits { reader, version }, next);
}

fn returns(
    world: &World,
    reader: usize,
    request: Request,
    version: Version,
    happens: &mut dyn FnMut(Step, World),
) {
    let mut next = *world;
    next.end_read(reader, request, version);
    happens(Step::Returns { reader, version }, next);
}

impl World {
    /// The read ends with this version; was that new enough?
    fn end_read(&mut self, reader: usize, request: Request, version: Version) {
        self.readers[reader] = Reader::Done;
        let returned = &mut self.returned[usize::from(request.url)];
        *returned = (*returned).max(version);
        self.promise_broken = version < request.floor;
    }
}

/// States are kept by the million, so they name a flight by a byte.
fn index(flight: usize) -> u8 {
    u8::try_from(flight).expect("there are as many flights as readers")
}
