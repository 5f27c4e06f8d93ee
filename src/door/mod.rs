//! What a door and the event loop say to each other.
//!
//! A door turns whole frames into operations and their answers into frames. It never sees a socket or a clock: the loop
//! hands it a frame, it appends to an [`Output`], and it says with a [`Flow`] how the connection goes on.
//!
//! An answer may have to wait for the disk. The door marks it with [`Output::hold`]; the loop sends what
//! [`Output::sendable`] allows. Answers of one connection leave in the order they were made, so one that waits holds
//! back those behind it: what a client reads never runs ahead of what a crash would leave.

use std::collections::VecDeque;
use std::ops::Range;

use crate::wire::msgpack::Reader;

pub mod igni;

/// A connection. Numbers are never reused, so a late answer to a closed connection finds nobody.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct ConnId(pub u64);

/// How a connection goes on after a frame.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Flow {
    /// With the next frame.
    Continue,
    /// Not at all: what was answered is sent, then the connection is closed.
    Close,
    /// The request waits for a lock. The loop keeps the frame and runs it again when the engine names the connection
    /// and the frame's request id.
    Park,
}

/// The id of the request in `frame`: its second field, in every dialect.
pub fn request_id(frame: &[u8]) -> Option<i64> {
    let mut reader = Reader::new(frame);
    reader.i64().ok()?;
    reader.i64().ok()
}

/// The bytes of one connection that wait to be sent.
///
/// Positions in `bytes` are counted from the front of the vector; `bytes[..start]` is sent already.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// Where the bytes begin that no hold covers yet.
    open: usize,
    /// In the order of the bytes; ranges do not overlap.
    holds: VecDeque<Hold>,
}

#[derive(Debug)]
struct Hold {
    range: Range<usize>,
    commit: u64,
    request: i64,
}

impl Output {
    /// Appends bytes that are no frame, such as the magic.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a frame: `build` appends the payload, the length before it is filled in afterwards.
    ///
    /// A payload that the length cannot express is taken back, as is the frame; the caller's limits keep payloads far below.
    pub fn frame(&mut self, build: impl FnOnce(&mut Vec<u8>)) {
        let header = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        build(&mut self.bytes);
        let payload_bytes = self.bytes.len().saturating_sub(header + 4);
        match (i32::try_from(payload_bytes), self.bytes.get_mut(header..header + 4)) {
            (Ok(length), Some(place)) => place.copy_from_slice(&length.to_be_bytes()),
            _ => {
                log::error!("an answer of {payload_bytes} bytes does not fit a frame and was dropped");
                self.bytes.truncate(header);
            }
        }
    }

    /// What was appended since the last hold leaves only once `commit` is durable. `request` is whom it answers.
    pub fn hold(&mut self, commit: u64, request: i64) {
        self.holds.push_back(Hold { range: self.open..self.bytes.len(), commit, request });
        self.open = self.bytes.len();
    }

    /// Ends the answer at hand: a later hold does not cover it.
    pub fn seal(&mut self) {
        self.open = self.bytes.len();
    }

    /// The bytes that may be sent when all commits up to `durable` are durable.
    pub fn sendable(&mut self, durable: u64) -> &[u8] {
        while self.holds.front().is_some_and(|hold| hold.commit <= durable) {
            self.holds.pop_front();
        }
        let end = self.holds.front().map_or(self.bytes.len(), |hold| hold.range.start);
        self.bytes.get(self.start..end).unwrap_or_default()
    }

    /// Forgets the first `n` bytes: they are sent.
    pub fn sent(&mut self, n: usize) {
        self.start = (self.start + n).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.holds.clear();
            (self.start, self.open) = (0, 0);
        } else if self.start > self.bytes.len() / 2 {
            let gone = self.start;
            self.bytes.drain(..gone);
            self.start = 0;
            self.open = self.open.saturating_sub(gone);
            for Hold { range, .. } in &mut self.holds {
                *range = range.start.saturating_sub(gone)..range.end.saturating_sub(gone);
            }
        }
    }

    /// The disk failed: drops the answers that claim what is not durable, and returns whom they were for.
    pub fn cut_undurable(&mut self, durable: u64) -> Vec<i64> {
        let mut requests = Vec::new();
        let mut kept = Vec::new();
        let mut at = self.start;
        for hold in std::mem::take(&mut self.holds).into_iter().filter(|hold| hold.commit > durable) {
            kept.extend_from_slice(self.bytes.get(at..hold.range.start).unwrap_or_default());
            at = hold.range.end;
            requests.push(hold.request);
        }
        kept.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        (self.start, self.open) = (0, kept.len());
        self.bytes = kept;
        requests
    }

    /// Bytes waiting, those included that may not leave yet.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.holds.capacity() * size_of::<Hold>()
    }

    /// The bytes from `position` on, where positions count the bytes that wait.
    pub fn tail(&self, position: usize) -> &[u8] {
        self.bytes.get(self.start + position..).unwrap_or_default()
    }

    /// Takes back the bytes from `position` on, where positions count the bytes that wait.
    pub fn truncate(&mut self, position: usize) {
        let end = self.start + position;
        self.bytes.truncate(end);
        self.open = self.open.min(end);
        self.holds.retain_mut(|hold| {
            hold.range.end = hold.range.end.min(end);
            hold.range.start < hold.range.end
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(out: &mut Output, byte: u8, commit: u64) {
        out.frame(|bytes| bytes.push(byte));
        out.hold(commit, i64::from(byte));
    }

    #[test]
    fn frames_carry_their_length() {
        let mut out = Output::default();
        out.raw(b"IGNI");
        out.frame(|bytes| bytes.extend_from_slice(&[1, 2]));
        out.frame(|_| {});
        assert_eq!(out.sendable(0), b"IGNI\0\0\0\x02\x01\x02\0\0\0\0");
    }

    #[test]
    fn held_answers_wait_for_their_commit_in_order() {
        let mut out = Output::default();
        out.raw(b"magic");
        out.seal();
        answer(&mut out, 1, 10);
        answer(&mut out, 2, 11);
        answer(&mut out, 3, 10);
        assert_eq!(out.sendable(9), b"magic");
        out.sent(5);
        assert_eq!(out.sendable(9), b"");
        assert_eq!(out.sendable(10), &[0, 0, 0, 1, 1]);
        out.sent(3);
        assert_eq!(out.sendable(10), &[1, 1]);
        assert_eq!(out.sendable(11), &[1, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1, 3]);
        out.sent(12);
        assert!(out.is_empty());
    }

    #[test]
    fn a_sealed_answer_is_not_held() {
        let mut out = Output::default();
        out.frame(|bytes| bytes.push(1));
        out.seal();
        answer(&mut out, 2, 7);
        assert_eq!(out.sendable(0), &[0, 0, 0, 1, 1]);
        assert_eq!(out.cut_undurable(0), [2]);
        assert_eq!(out.sendable(0), &[0, 0, 0, 1, 1]);
    }

    #[test]
    fn what_is_not_durable_is_cut_and_named() {
        let mut out = Output::default();
        answer(&mut out, 1, 10);
        answer(&mut out, 2, 12);
        answer(&mut out, 3, 10);
        answer(&mut out, 4, 13);
        assert_eq!(out.sendable(10).len(), 5);
        out.sent(2);
        assert_eq!(out.cut_undurable(11), [2, 4]);
        assert_eq!(out.sendable(0), &[0, 1, 1, 0, 0, 0, 1, 3]);
    }

    #[test]
    fn sending_byte_by_byte_gives_the_same_bytes() {
        let mut out = Output::default();
        for n in 0..50 {
            answer(&mut out, n, u64::from(n));
        }
        let mut sent = Vec::new();
        for durable in 0..50 {
            while let Some(&byte) = out.sendable(durable).first() {
                sent.push(byte);
                out.sent(1);
            }
            assert_eq!(sent.len(), 5 * (durable as usize + 1));
        }
        assert!(sent.chunks(5).enumerate().all(|(n, frame)| frame == [0, 0, 0, 1, n as u8]));
    }
}
