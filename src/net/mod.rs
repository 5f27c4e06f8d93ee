//! The event loop: the only place that reads sockets and the clock.
//!
//! One thread runs everything that answers requests. A turn of the loop is
//!
//! ```text
//! poll ─► read all ready sockets, run their whole frames ─► hand the turn's commits to the disk ─► send all answers
//! ```
//!
//! so the commits of all connections share one write to the disk, and the answers of one connection share one system
//! call. Nothing in a turn blocks: a request that has to wait for a lock is parked, an answer that has to wait for the
//! disk stays in the connection's output, and whoever ends the waiting wakes the loop.
//!
//! Sockets are registered once, edge-triggered; a connection remembers that its socket is readable or writable until a
//! call says otherwise. A connection with work left after its share of a turn waits in a queue for the next one.
//!
//! Memory is bounded on both sides. All sockets are read into one buffer; a connection keeps only what is not a whole
//! frame yet. One whose unsent answers pass a limit is not read until they drain, all wait while too much waits for the
//! disk, and when the buffers of all connections together pass their limit each gets a small share.

mod accept;
mod conn;
mod event_loop;
mod handle;
mod hooks;
mod slots;
mod stop;
mod timers;
mod tls;
mod transport;

pub use event_loop::EventLoop;
pub use handle::Handle;
pub use hooks::{Fault, Faults, Hooks, Observer};
