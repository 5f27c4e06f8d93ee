//! The Ignite thin-client protocol in its two dialects.

pub mod draft;
pub mod ga;
pub mod handshake;
