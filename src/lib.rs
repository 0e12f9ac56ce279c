//! Larder: a transparent read-through cache in front of Supabase and PostgREST.
pub mod clock;
pub mod key;
pub mod rules;

pub mod proxy {
    pub mod vet;
}
pub mod upstream {
    pub mod forwarded;
    pub mod headers;
}
