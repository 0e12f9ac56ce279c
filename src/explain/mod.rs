//! What would happen to this request, and why?
//!
//! [`Explanation::of`] asks the planner that the proxy executes and turns its
//! plan into words, for `larder explain` and for operators of a running proxy
//! alike. Nothing is sent anywhere, and no credential is ever repeated.

mod asked;
mod explanation;
mod guards;
mod rules;
mod tags;

pub use asked::{Asked, NoRequest, header_line};
pub use explanation::{Explanation, Noted, Outcome, Read, Reason, RuleName, Write};
pub use guards::limits_of;
pub use rules::rules_of;
