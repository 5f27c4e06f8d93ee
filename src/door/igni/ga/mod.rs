//! The GA dialect.
pub mod hash;
pub mod opcode;
