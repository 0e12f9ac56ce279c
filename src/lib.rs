//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
pub mod clock;
pub mod key;
pub mod postgrest;
pub mod rules;
