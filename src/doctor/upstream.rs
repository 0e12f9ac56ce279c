//! Is Supabase there, does it answer, and is its clock ours?

use std::time::Duration;

use super::{Judged, fails, quoted, shown, warns, works};

/// An answer that takes longer than this is felt on every miss.
const SLOW: Duration = Duration::from_secs(1);

/// Clocks that are no further apart than this agree: `Date` has whole seconds.
const APART_MIN: Duration = Duration::from_secs(2);

/// Tokens live for an hour, and issuers allow half a minute: what is further apart lets tokens end early or late.
const APART_MAX: Duration = Duration::from_secs(30);

/// What a look at the upstream found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Its name has addresses.
    Resolved { host: String, addresses: usize, took: Duration },
    /// Its name has none.
    Unresolved { host: String, why: String },
    /// One of the addresses accepts connections.
    Connected { address: String, took: Duration },
    /// None does.
    Unconnected { host: String, why: String },
    /// It proved its name.
    Secured { version: String, took: Duration },
    /// It did not.
    Unsecured { why: String },
    /// Keys and rows go over the network as they are.
    Plain { host: String },
    /// PostgREST, or what stands before it, answers.
    Answers { status: u16, took: Duration },
    /// It answers, after a long time.
    Slow { took: Duration },
    /// Nothing is at `/rest/v1/`.
    NoRest { status: u16 },
    /// It sends elsewhere.
    Redirects { status: u16 },
    /// It asks for fewer requests.
    Crowded,
    /// It is in trouble itself.
    Unwell { status: u16 },
    /// It does not answer.
    Silent { why: String },
    /// Its clock is ours.
    ClockAgrees { apart: Duration },
    /// It is not.
    ClockApart { apart: Duration, is_ahead: bool },
    /// It does not tell the time.
    NoClock,
}

impl Upstream {
    /// What an answer at `/rest/v1/` means.
    pub fn of_answer(status: u16, took: Duration) -> Self {
        match status {
            404 => Self::NoRest { status },
            429 => Self::Crowded,
            300..400 => Self::Redirects { status },
            500.. => Self::Unwell { status },
            _ if took > SLOW => Self::Slow { took },
            _ => Self::Answers { status, took },
        }
    }

    /// What its word on the time means, asked for at a moment of ours. Both in milliseconds since 1970.
    pub fn of_clock(ours: u64, theirs: u64, took: Duration) -> Self {
        let apart = Duration::from_millis(ours.abs_diff(theirs));
        if apart <= APART_MIN + took / 2 {
            Self::ClockAgrees { apart }
        } else {
            Self::ClockApart { apart, is_ahead: ours > theirs }
        }
    }

    pub(super) fn area(&self) -> &'static str {
        match self {
            Self::ClockAgrees { .. } | Self::ClockApart { .. } | Self::NoClock => "clock",
            Self::Resolved { .. }
            | Self::Unresolved { .. }
            | Self::Connected { .. }
            | Self::Unconnected { .. }
            | Self::Secured { .. }
            | Self::Unsecured { .. }
            | Self::Plain { .. }
            | Self::Answers { .. }
            | Self::Slow { .. }
            | Self::NoRest { .. }
            | Self::Redirects { .. }
            | Self::Crowded
            | Self::Unwell { .. }
            | Self::Silent { .. } => "upstream",
        }
    }

    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::Resolved { host, addresses, took } => {
                let addresses =
                    if *addresses == 1 { "1 address".into() } else { format!("{addresses} addresses") };
                works("name-resolves", format!("{host} has {addresses} ({})", shown(*took)))
            }
            Self::Unresolved { host, why } => fails(
                "name-unknown",
                format!("the name {host} is not known: {}", quoted(why)),
                "is --upstream spelled as in the project's settings, and does this machine have a name server? \
                 a paused project has no name either",
            ),
            Self::Connected { address, took } => {
                works("connects", format!("{address} accepts connections ({})", shown(*took)))
            }
            Self::Unconnected { host, why } => fails(
                "refuses-connections",
                format!("no connection to {host}: {}", quoted(why)),
                "is it running, is the port right, and does a firewall let this machine out?",
            ),
            Self::Secured { version, took } => {
                works("tls", format!("its certificate is good for its name, {version} ({})", shown(*took)))
            }
            Self::Unsecured { why } => fails(
                "tls-fails",
                format!("TLS fails: {}", quoted(why)),
                "is the certificate for this name and not expired, is its issuer among the system's roots, and is \
                 this machine's clock right?",
            ),
            Self::Plain { host } => warns(
                "no-tls",
                format!("{host} is asked without TLS: keys and rows can be read on the way"),
                "https:// in --upstream, unless the network between is your own",
            ),
            Self::ClockAgrees { apart } => {
                works("clock-agrees", format!("at most {} from the upstream's", shown(*apart)))
            }
            Self::ClockApart { apart, is_ahead } => clock_apart(*apart, *is_ahead),
            Self::NoClock => warns(
                "clock-unknown",
                "the upstream sends no Date, so clocks cannot be compared",
                "does something on the way take it out? tokens are judged by this machine's clock: keep NTP running",
            ),
            Self::Answers { .. }
            | Self::Slow { .. }
            | Self::NoRest { .. }
            | Self::Redirects { .. }
            | Self::Crowded
            | Self::Unwell { .. }
            | Self::Silent { .. } => self.answer_judged(),
        }
    }

    fn answer_judged(&self) -> Judged {
        match self {
            Self::Answers { status, took } => {
                works("answers", format!("/rest/v1/ answers {status} in {}", shown(*took)))
            }
            Self::Slow { took } => warns(
                "slow",
                format!("/rest/v1/ takes {} to answer", shown(*took)),
                "run larder in the project's region; every miss takes this long",
            ),
            Self::NoRest { status } => fails(
                "no-rest",
                format!("/rest/v1/ answers {status}: nothing is there"),
                "--upstream names the project, https://<project>.supabase.co; before a bare PostgREST stands \
                 something that takes /rest/v1 off the path",
            ),
            Self::Redirects { status } => fails(
                "redirects",
                format!("/rest/v1/ answers {status} and sends elsewhere; larder follows nobody"),
                "name in --upstream the address that it sends to",
            ),
            Self::Crowded => warns(
                "crowded",
                "/rest/v1/ answers 429: the project asks for fewer requests",
                "look at the project's limits; what is cached needs none",
            ),
            Self::Unwell { status } => fails(
                "unwell",
                format!("/rest/v1/ answers {status}"),
                "look at the project's own health: larder can only answer what it has",
            ),
            Self::Silent { why } => fails(
                "silent",
                format!("/rest/v1/ does not answer: {}", quoted(why)),
                "is it PostgREST or Supabase that listens there, and does it speak HTTP on that port?",
            ),
            Self::Resolved { .. }
            | Self::Unresolved { .. }
            | Self::Connected { .. }
            | Self::Unconnected { .. }
            | Self::Secured { .. }
            | Self::Unsecured { .. }
            | Self::Plain { .. }
            | Self::ClockAgrees { .. }
            | Self::ClockApart { .. }
            | Self::NoClock => works("answers", "it answers"),
        }
    }
}

fn clock_apart(apart: Duration, is_ahead: bool) -> Judged {
    let (side, effect) = if is_ahead {
        ("ahead of", "tokens end too early here")
    } else {
        ("behind", "tokens end too late here")
    };
    let message = format!("this machine's clock is {} {side} the upstream's: {effect}", shown(apart));
    let hint = "set the clock, and keep it right with NTP (timedatectl set-ntp true)";
    if apart > APART_MAX { fails("clock-apart", message, hint) } else { warns("clock-apart", message, hint) }
}
