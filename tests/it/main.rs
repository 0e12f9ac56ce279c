//! What does larder do, seen from outside? One file for each kind of behaviour.

mod support;

mod framing;
mod passing;
mod targets;
mod upstreams;
