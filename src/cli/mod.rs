//! What can an operator type?

pub mod check;
pub mod demo;
