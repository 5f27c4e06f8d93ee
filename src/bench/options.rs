//! What a run does.

use super::{Error, Result};
use crate::door::igni::handshake::Dialect;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Requests in flight on one connection at most: their ids are 16 bits wide.
pub(super) const DEPTH_MAX: usize = 1 << 16;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server.
    pub addr: SocketAddr,
    /// The protocol spoken.
    pub dialect: Dialect,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each connection.
    pub depth: usize,
    /// Which operations, and how often each.
    pub mix: Mix,
    /// Rows of `get_all` and `upsert_all`.
    pub batch: usize,
    /// Bytes of the value column.
    pub value_bytes: usize,
    /// Rows of the table; keys are drawn from all of them.
    pub keys: u64,
    /// How long each contender is measured.
    pub duration: Duration,
    /// How long each contender runs before it is measured.
    pub warm_up: Duration,
    /// Threads of the client.
    pub threads: usize,
    /// Seed of keys and values.
    pub seed: u64,
    /// The table: dropped, created and loaded first.
    pub table: String,
    /// Whether the table stays.
    pub keep: bool,
    /// Connections that are opened and then do nothing.
    pub idle: usize,
    /// A directory in which to compare with bare appends and syncs.
    pub sync_floor: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 10800)),
            dialect: Dialect::Draft,
            connections: 1,
            depth: 64,
            mix: Mix(vec![(Operation::Get, 1)]),
            batch: 100,
            value_bytes: 100,
            keys: 100_000,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(1),
            threads: 1,
            seed: 1,
            table: "FLINT_BENCH".into(),
            keep: false,
            idle: 0,
            sync_floor: None,
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Options(what));
        match self {
            Self { connections: 0, .. } => wrong("at least one connection is needed".into()),
            Self { depth, .. } if !(1..=DEPTH_MAX).contains(depth) => {
                wrong(format!("a depth of {depth} is not between 1 and {DEPTH_MAX}"))
            }
            Self { keys: 0, .. } => wrong("at least one key is needed".into()),
            Self { batch: 0, .. } => wrong("at least one row per batch is needed".into()),
            Self { batch, keys, .. } if *batch as u64 > *keys => {
                wrong(format!("batches of {batch} rows need as many keys, there are {keys}"))
            }
            _ => Ok(()),
        }
    }
}

/// An operation of the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// One row by its key.
    Get,
    /// One row written.
    Upsert,
    /// Many rows by their keys.
    GetAll,
    /// Many rows written.
    UpsertAll,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Get, Self::Upsert, Self::GetAll, Self::UpsertAll];

    /// The name in a mix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Upsert => "upsert",
            Self::GetAll => "get_all",
            Self::UpsertAll => "upsert_all",
        }
    }
}

/// Operations with their weights: `get=90,upsert=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(pub Vec<(Operation, u32)>);

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split(',').map(|part| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let operation = Operation::ALL.into_iter().find(|operation| operation.name() == name.trim());
            let names = || Operation::ALL.map(Operation::name).join(", ");
            let operation = operation.ok_or_else(|| format!("no operation `{name}`; there are {}", names()))?;
            match weight.trim().parse() {
                Ok(weight @ 1..=1_000_000) => Ok((operation, weight)),
                _ => Err(format!("the weight of {name} is not between 1 and 1000000")),
            }
        });
        parts.collect::<std::result::Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (operation, weight)) in self.0.iter().enumerate() {
            write!(f, "{}{}={weight}", if n == 0 { "" } else { "," }, operation.name())?;
        }
        Ok(())
    }
}
