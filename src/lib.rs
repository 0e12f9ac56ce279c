//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
pub mod admin;
pub mod cli;
pub mod clock;
pub mod key;
pub mod metrics;
pub mod network;
pub mod rules;
pub mod server;
pub mod units;
