//! What can an operator type?

pub mod demo;
