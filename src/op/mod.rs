//! TODO-DOC
pub mod ddl;
