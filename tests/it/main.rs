//! What does larder do, seen from outside? One file for each kind of behaviour.

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[path = "../started/redis.rs"]
mod redis;
#[path = "../store/upstash/stand_in.rs"]
mod stand_in;
mod support;

mod again;
mod auditing;
mod canary;
mod changes;
mod coding;
mod crowds;
mod dashboard;
mod doctor;
mod entries;
mod explaining;
mod fingerprints;
mod fleet;
mod floods;
mod forgotten;
mod framing;
mod freshness;
mod limiting;
mod loading;
mod lock_api;
mod locking;
mod monitoring;
mod negative;
mod networks;
mod openapi;
mod operating;
mod origin_headers;
mod overtaken;
mod passing;
mod racing;
mod reading;
mod repeating;
mod replicas;
mod rules_api;
mod sharing;
mod shells;
mod soft;
mod stores;
mod strictly;
mod targets;
mod tracing;
mod traps;
mod turns;
mod upstreams;
mod validating;
mod warming;
mod windows;
mod workers;
mod writing;
