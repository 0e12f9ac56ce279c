//! What can an operator type?

pub mod check;
