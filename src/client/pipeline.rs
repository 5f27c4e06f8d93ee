//! Keeping a number of requests in flight.

use super::error::Result;
use super::{Client, Reply};

/// Sends requests without waiting for each: at most `depth` are in flight, and answers are handed to a closure as
/// they arrive.
///
/// Call [`Pipeline::finish`] at the end; a pipeline that is dropped leaves its answers to the client's next call.
#[derive(Debug)]
pub struct Pipeline<'a, F> {
    client: &'a mut Client,
    depth: usize,
    on_reply: F,
}

impl<'a, F: FnMut(Reply) -> Result<()>> Pipeline<'a, F> {
    /// A pipeline of `depth` requests at most, at least one.
    pub fn new(client: &'a mut Client, depth: usize, on_reply: F) -> Self {
        Self { client, depth: depth.max(1), on_reply }
    }

    /// Sends a request once there is room for it, and returns its id.
    ///
    /// # Errors
    /// The connection fails, or the closure does.
    pub fn send(&mut self, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<i64> {
        while self.client.in_flight() >= self.depth {
            let reply = self.client.receive()?;
            (self.on_reply)(reply)?;
        }
        self.client.send(op, body)
    }

    /// Waits for all answers.
    ///
    /// # Errors
    /// The connection fails, or the closure does.
    pub fn finish(mut self) -> Result<()> {
        while self.client.in_flight() > 0 {
            let reply = self.client.receive()?;
            (self.on_reply)(reply)?;
        }
        Ok(())
    }
}
