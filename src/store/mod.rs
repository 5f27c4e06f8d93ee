//! The database value, its transactions, and what survives a crash.

pub mod catalog;
pub mod clock;
pub mod column;
pub mod database;
pub mod engine;
pub mod key;
pub mod locks;
pub mod objects;
pub mod open;
pub mod persist;
pub mod range;
pub mod reads;
pub mod row;
pub mod schema;
pub mod tx;
