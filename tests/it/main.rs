//! Tests by behaviour, in one binary.

mod draft;
mod ga_replay;
mod ga_support;
mod ga_transactions;
mod ga_tuples;
mod replay_draft;
