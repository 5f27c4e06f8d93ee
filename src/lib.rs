//! Flint: a small single-node tuple server that Apache Ignite 3 thin clients connect to.
//!
//! A byte's way through the crate, and the file for each step:
//!
//! ```text
//! bytes ─► net::conn ─► wire::frame ─► door (decode) ─► op ─► store ─► op reply ─► door (encode) ─► net::conn ─► bytes
//! ```
//!
//! - [`wire`]: framing, msgpack and the binary tuple, as functions from bytes to values and back; no I/O, no clock.
//! - [`door`]: the two dialects of the Ignite thin-client protocol. A door knows bytes and error codes, never tables.
//! - [`op`]: what a request means. An operation knows tables, never bytes.
//! - [`sql`]: statements over operations and, in builds with feature `sql`, a query engine with threads of its own.
//! - [`store`]: the database value in memory, transactions, and what survives a crash: commit log and checkpoint.
//! - [`net`]: the event loop, the only place that reads sockets and the clock.
//! - [`server`] assembles them; [`fixture`] is the same server inside a test.
//! - [`client`] is a small pipelining client and, in [`client::ga`], a typed one of today's dialect.
//! - [`shell`] runs statements for people and scripts, [`tabular`] writes rows as text.
//! - [`mod@bench`] is the load generator, [`trace`] the annotated frames.

pub mod auth;
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod door;
pub mod error;
pub mod fixture;
pub mod net;
pub mod op;
pub mod server;
pub mod shell;
pub mod sql;
pub mod store;
pub mod tabular;
pub mod trace;
pub mod value;
pub mod wire;

pub use config::Config;
pub use error::Error;
pub use fixture::TestServer;
pub use server::Server;
