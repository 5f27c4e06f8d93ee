//! Queries, run by DataFusion over a snapshot of the database value.
//!
//! ```text
//! parse ─► plan (logical, optimised, kept) ─► physical plan over a snapshot ─► batches ─► pages of binary tuples
//! ```
//!
//! None of it happens on the event loop: [`service`] has threads of its own, which end a statement by letting go of it.

pub mod aggregates;
pub mod arithmetic;
pub mod arrays;
pub mod cast;
pub mod change;
mod check;
mod constants;
pub mod convert;
pub mod dates;
pub mod derived;
pub mod error;
pub mod functions;
mod hashes;
pub mod index;
pub mod infer;
pub mod intervals;
mod json;
mod magnitudes;
mod mixed;
pub mod numbers;
mod origin;
mod patterns;
pub mod plan;
pub mod planner;
pub mod range;
pub mod reader;
mod registry;
pub mod rows;
pub mod rowwise;
pub mod scan;
pub mod scope;
pub mod segment;
pub mod service;
pub mod shape;
mod single;
pub mod stop;
pub mod texts;
pub mod types;
pub mod views;
pub mod zone;
