//! TODO-DOC
pub mod ga;
