//! Tests by behaviour, in one binary.
//!
//! Random tests print their seed when they fail; `FLINT_SEED` runs one again. The variables that make them longer are
//! named in their modules.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and sleep")]
#![allow(unreachable_pub, reason = "nothing outside could reach anything here")]

mod bad_input;
mod credentials;
mod data_dir;
mod definitions;
mod dialects;
mod disk_failure;
mod draft;
mod draft_errors;
mod draft_script;
mod draft_tuples;
mod fixture;
mod framing;
mod ga_client;
mod ga_document;
mod ga_replay;
mod ga_support;
mod ga_trace;
mod ga_transactions;
mod ga_tuples;
mod ga_typed_client;
mod history;
mod import_export;
mod jdbc;
mod jdbc_draft;
mod kill;
mod lanes;
mod live_schema;
mod model;
mod model_table;
mod power_loss;
mod process;
mod raw;
mod replay_draft;
mod serializable;
#[cfg(feature = "sql")]
mod serializable_sql;
mod shell;
#[cfg(feature = "sql")]
mod shell_sql;
mod shell_terminal;
mod slow_client;
#[cfg(feature = "sql")]
mod sql;
#[cfg(feature = "sql")]
mod sql_bad_input;
#[cfg(feature = "sql")]
mod sql_columns;
#[cfg(feature = "sql")]
mod sql_conditions;
#[cfg(feature = "sql")]
mod sql_fuzz;
#[cfg(feature = "sql")]
mod sql_index;
mod sql_keyed;
#[cfg(feature = "sql")]
mod sql_mutate;
#[cfg(feature = "sql")]
mod sql_predicates;
#[cfg(feature = "sql")]
mod sql_session;
#[cfg(feature = "sql")]
mod sql_views;
mod sql_waits;
mod support;
mod tls;
