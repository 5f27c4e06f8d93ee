//! The database value, its transactions, and what survives a crash.

pub mod key;
pub mod persist;
pub mod row;
