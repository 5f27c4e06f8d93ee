//! The database value, its transactions, and what survives a crash.

pub mod persist;
