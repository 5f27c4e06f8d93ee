//! The database value, its transactions, and what survives a crash.

pub mod catalog;
pub mod column;
pub mod database;
pub mod key;
pub mod persist;
pub mod row;
pub mod schema;
