//! Tests by behaviour, in one binary.

mod ga_replay;
mod ga_support;
mod ga_tuples;
