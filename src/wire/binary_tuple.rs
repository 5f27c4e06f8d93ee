//! The binary tuple.
