//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
pub mod cache;
pub mod clock;
pub mod identity;
pub mod invalidation;
pub mod key;
pub mod metrics;
pub mod plan;
pub mod postgrest;
pub mod proxy;
pub mod rules;
pub mod upstream;
