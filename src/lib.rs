//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
//!
//! # A read
//!
//! `server` accepts it, [`proxy`] vets it, [`plan`] decides: which rule matches
//! ([`rules`]), what its words mean ([`postgrest`]), who asks ([`identity`]),
//! what its answer is called and depends on ([`key`]). Then [`cache`] says hit,
//! wait or fetch; a fetch goes through [`upstream`], and its answer is judged,
//! shared with everybody who waits, and kept.
//!
//! # A write
//!
//! The same way to a plan; then [`upstream`] is asked once, in a task that no
//! client can cancel; what the write may have changed goes to [`invalidation`],
//! the one door through which entries disappear; then the client hears of it.
//!
//! # What no rule shows
//!
//! Whether the database keeps apart whom a rule's scope keeps apart: [`canary`] has two callers ask before
//! rules are used.
//!
//! # What no URL shows
//!
//! [`schema`] asks the database once, when an operator says so, and writes what it
//! learned into a file that the rules include. No request ever waits for it.
//!
//! # The floors
//!
//! Imports go down only; `tests/tidy.rs` holds the table.
//!
//! ```text
//! G  process      main.rs  cli/  server/
//! F  entrances    proxy/   admin/   feed/
//! E  consequence           invalidation/
//! D  means        cache/   guard/   upstream/   schema/   cdn/   canary/
//!    ------------ async above, pure below ------------
//! C  decision     rules/   plan/   explain/   doctor/
//! B  words        postgrest/  identity/  key/  httpcache/
//! A  ground       log/  redis/  lately/  trace/  agent.rs  causes.rs  chance.rs  clock.rs  gauges.rs
//!                 hit_counts.rs  metrics.rs  sabotage.rs  stripe.rs  units.rs
//! ```
//!
//! # Words
//!
//! | Word | Means |
//! |---|---|
//! | client, upstream, operator | who asks us; Supabase behind us; who runs us |
//! | rule | one compiled entry of `rules.yaml` |
//! | plan | what should happen to one request, decided before anything happens |
//! | question | everything that is sent upstream for a cacheable read, and nothing else |
//! | terms | what of a question headers say: in which form it is asked, and for whom |
//! | fingerprint | a hash over a question: what keeps two answers apart |
//! | key | the name of an answer, for people and patterns |
//! | tag | anything an answer depends on; what a write names |
//! | generation | the current stamp of a tag; an entry is valid while all of its stamps are current |
//! | entry | a stored answer |
//! | flight | one fetch that several requests wait for |
//! | lock, fence | the right to write one thing at a time; the number that rises with each time it is taken |
//! | operation | a write that its client names, so that a repeat gets the first answer |
//! | limit, budget | how many requests pass in a time; out of what one caller's are counted |
//! | form | an answer's body in a coding: as it came, gzip, zstd |
//! | validator, label | what tells an answer from others for whoever keeps a copy; what a network in front calls it by |
//! | canary | a request that two callers make before rules are used: what they are told shows what the rules are worth |
//! | ticket | the right to fill one question, given to exactly one fetch |
//!
//! # What is deliberately absent
//!
//! Nothing below the line does I/O or knows the time. `cache` does not know what
//! PostgREST is, `upstream` does not know what a cache is, `rules` does not know
//! where entries live. No entry is ever made from the answer to a write. No
//! write is ever sent twice.

pub mod admin;
pub mod agent;
pub mod cache;
pub mod canary;
pub mod causes;
pub mod cdn;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod consistency;
pub mod doctor;
pub mod explain;
pub mod feed;
pub mod gauges;
pub mod guard;
pub mod hit_counts;
pub mod httpcache;
pub mod identity;
pub mod invalidation;
pub mod key;
pub mod lately;
pub mod log;
pub mod metrics;
pub mod plan;
pub mod postgrest;
pub mod proxy;
pub mod redis;
pub mod rules;
pub mod sabotage;
pub mod schema;
pub mod server;
pub mod stripe;
pub mod trace;
pub mod units;
pub mod upstream;
pub mod workers;
