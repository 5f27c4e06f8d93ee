//! The load generator.
//!
//! A run measures one or more *contenders* with the same requests in the same number of connections at the same depth:
//! the server, and what it is compared with. The floor is a bare echo server that answers every request with as many
//! bytes as the server does and nothing else; the distance to it is what the server's own work costs. The sync floor is
//! a loop that appends as many bytes to a file and syncs it; the distance to it is what durability costs beyond the disk.
//!
//! Machines are noisy, so contenders take turns in slices of half a second: noise hits all of them, and their ratio
//! means something even where the absolute numbers do not.
//!
//! The client must cost little, or it is what is measured: requests are copies of prepared frames with the request id,
//! the key and a part of the value patched in; of an answer only length, id and status are checked; the clock is read
//! once per read from a socket.

#![allow(clippy::disallowed_methods, reason = "a load generator measures real time")]

mod draft;
mod driver;
pub mod floor;
mod ga;
mod options;
mod report;
mod sync_floor;
mod workload;

pub use options::{Mix, Operation, Options};
pub use report::{Measured, Report};

use crate::door::igni::handshake::Dialect;
use driver::Driver;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use sync_floor::SyncFloor;
use workload::Workload;

/// How long a contender runs before it is another's turn.
const SLICE: Duration = Duration::from_millis(500);

/// Why a run ended without a result.
#[derive(Debug)]
pub enum Error {
    /// Preparing the table failed.
    Client(crate::client::Error),
    /// A socket or file failed.
    Io(String, io::Error),
    /// An answer was wrong, or none came.
    Answer(String),
    /// The options contradict each other.
    Options(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => write!(f, "cannot prepare the table: {error}"),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Answer(what) | Self::Options(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<crate::client::Error> for Error {
    fn from(error: crate::client::Error) -> Self {
        Self::Client(error)
    }
}

/// The result of a step of a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a run says about itself once a second.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The table is loaded with this many rows per second.
    Loaded(u64, Duration),
    /// One contender's operations per second during the last second.
    Rate {
        /// The contender.
        name: &'static str,
        /// Since the start of the measurement, warm-up included.
        elapsed: Duration,
        /// Operations per second.
        rate: f64,
    },
}

enum Contender {
    Sockets { drivers: Vec<Driver> },
    Sync(SyncFloor),
}

/// Runs what `options` say. `floor` is the address of a [`floor`] server to compare with.
///
/// # Errors
/// The server cannot be reached, refuses, answers wrongly or not at all.
pub fn run(options: &Options, floor: Option<SocketAddr>, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    options.check()?;
    let prepared = match options.dialect {
        Dialect::Draft => draft::prepare(options, progress)?,
        Dialect::Ga => ga::prepare(options, progress)?,
    };
    let idle = (0..options.idle).map(|_| driver::open(options.addr, &prepared));
    let idle: Vec<_> = idle
        .collect::<io::Result<_>>()
        .map_err(|error| Error::Io(format!("cannot open {} idle connections", options.idle), error))?;
    let mut contenders = vec![("server", Contender::sockets(options, options.addr, &prepared)?)];
    if let Some(addr) = floor {
        contenders.push(("floor", Contender::sockets(options, addr, &prepared.floor())?));
    }
    if let Some(dir) = &options.sync_floor {
        contenders.push(("sync floor", Contender::Sync(SyncFloor::create(dir, prepared.request_bytes())?)));
    }
    let fresh = |(name, contender): &(&'static str, Contender)| match contender {
        Contender::Sockets { .. } => Measured::new(name, &prepared),
        Contender::Sync(_) => Measured::of_appends(name),
    };
    let mut measured: Vec<Measured> = contenders.iter().map(fresh).collect();
    let started = Instant::now();
    for ((name, contender), measured) in contenders.iter_mut().zip(&measured) {
        contender.slice(name, options.warm_up, &mut measured.empty(), started, progress)?;
    }
    let rounds = (options.duration.as_secs_f64() / SLICE.as_secs_f64()).round().max(1.0);
    for _ in 0..rounds as u32 {
        for ((name, contender), measured) in contenders.iter_mut().zip(&mut measured) {
            contender.slice(name, options.duration.div_f64(rounds), measured, started, progress)?;
        }
    }
    drop((contenders, idle));
    if !options.keep {
        match options.dialect {
            Dialect::Draft => draft::clean_up(options)?,
            Dialect::Ga => ga::clean_up(options)?,
        }
    }
    Ok(Report::new(options, &prepared, measured))
}

impl Contender {
    fn sockets(options: &Options, addr: SocketAddr, workload: &Workload) -> Result<Self> {
        let threads = options.threads.clamp(1, options.connections);
        let drivers = (0..threads)
            .map(|n| {
                let connections = options.connections / threads + usize::from(n < options.connections % threads);
                let seed = options.seed.wrapping_add(n as u64 + 1);
                Driver::connect(addr, connections, options.depth, workload.clone(), seed)
            })
            .collect::<Result<_>>()?;
        Ok(Self::Sockets { drivers })
    }

    /// Runs for `duration` and adds what happened to `measured`.
    fn slice(
        &mut self,
        name: &'static str,
        duration: Duration,
        measured: &mut Measured,
        run_started: Instant,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<()> {
        let (operations, ended) = (AtomicU64::new(0), AtomicBool::new(false));
        let started = Instant::now();
        let deadline = started + duration;
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let (mut seen, mut last) = (0, Instant::now());
                while !ended.load(Ordering::Acquire) {
                    thread::park_timeout(Duration::from_secs(1).saturating_sub(last.elapsed()));
                    let whole_slice = ended.load(Ordering::Acquire) && seen == 0;
                    if last.elapsed() >= Duration::from_secs(1) || whole_slice {
                        let now = operations.load(Ordering::Relaxed);
                        let rate = (now - seen) as f64 / last.elapsed().as_secs_f64();
                        progress(Progress::Rate { name, elapsed: run_started.elapsed(), rate });
                        (seen, last) = (now, Instant::now());
                    }
                }
            });
            let result = match self {
                Self::Sockets { drivers } => {
                    let running: Vec<_> = drivers
                        .iter_mut()
                        .map(|driver| {
                            let (mut own, operations) = (measured.empty(), &operations);
                            scope.spawn(move || driver.run(deadline, &mut own, operations).map(|()| own))
                        })
                        .collect();
                    running.into_iter().try_for_each(|thread| {
                        let own = thread.join().map_err(|_| Error::Answer("a bench thread panicked".into()))??;
                        measured.add(&own);
                        Ok(())
                    })
                }
                Self::Sync(floor) => floor.run(deadline, measured, &operations),
            };
            measured.elapsed += started.elapsed();
            ended.store(true, Ordering::Release);
            watch.thread().unpark();
            result
        })
    }
}

#[cfg(test)]
mod tests;
