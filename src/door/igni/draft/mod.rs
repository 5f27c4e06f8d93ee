//! The dialect of Ignite 3.0.0-alpha3.

pub mod codec;
pub mod opcode;
pub mod types;
