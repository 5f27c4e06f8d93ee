//! What requests mean: tables, tuples and transactions, without a byte of any protocol.

pub mod ddl;
pub mod exec;
pub mod resolve;
pub mod table;
pub mod tuple;
