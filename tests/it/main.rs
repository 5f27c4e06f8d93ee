//! Tests by behaviour, in one binary.

mod disk_failure;
mod draft;
mod draft_errors;
mod draft_script;
mod draft_tuples;
mod fixture;
mod framing;
mod ga_replay;
mod ga_support;
mod ga_trace;
mod ga_transactions;
mod ga_tuples;
mod live_schema;
mod process;
mod raw;
mod replay_draft;
mod slow_client;
