//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
pub mod cli;
pub mod clock;
pub mod key;
pub mod rules;
