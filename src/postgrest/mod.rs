//! PostgREST's language, as PostgREST defines it.
//!
//! A request's words are read here and nowhere else: its path ([`Path`],
//! [`Resource`]), its parameters ([`Query`], [`Select`], [`Filter`], [`Logic`],
//! [`Order`]), its headers ([`Preferences`], [`Accept`]) and the body of a write
//! ([`Payload`]). [`Reads`] answers which relations a request names.
//!
//! PostgREST's parsers stop where their grammar ends; ours must reach the end of
//! the text, and what does not is [`Opaque`]: keyed by its bytes, depending on
//! everything. Nothing here knows a schema, does I/O or fails.

mod body;
mod cursor;
mod error;
mod filter;
mod moving_time;
mod name;
mod operator;
mod order;
mod parameter;
mod path;
mod percent;
mod prefer;
mod query;
mod representation;
mod resource;
mod rows;
mod select;
mod tables;

pub use body::{Columns, Payload, Row, Values};
pub use cursor::Opaque;
pub use error::{is_error_object, is_refusal, says_nothing_there};
pub use filter::{Branch, Filter, Logic, LogicOperator, Tree};
pub use name::{Column, Operand, Step};
pub use operator::{Expression, FtsOperator, IsValue, Operation, QuantOperator, Quantifier, SimpleOperator};
pub use order::{Direction, Nulls, Order, OrderTerm};
pub use parameter::Role;
pub use path::{Oddity, Path};
pub use prefer::{Count, Handling, Missing, Preferences, Resolution, Returned, Transaction};
pub use query::Query;
pub use representation::{Accept, is_row_range};
pub use resource::Resource;
pub use rows::{are_the_same_rows, holds_no_rows};
pub use select::{Aggregate, EmbedParameter, Field, Item, Placement, Relation, Select};
pub use tables::{Embed, Reads, is_argument};
