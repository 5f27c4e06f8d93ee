//! A stored row: the same bytes in memory, in the log and in the checkpoint.
//!
//! ```text
//! format   1 byte   1
//! crc32    4 bytes  little-endian, over everything after it
//! version  4 bytes  little-endian: the schema version the tuple was packed for
//! tuple    a canonical binary tuple of all columns, in table order
//! ```
//!
//! The checksum is made once, when the row is made, and travels with it; whoever reads the row back from a disk checks it.

use crate::error::{Error, Kind, Result};
use crate::wire::element::Element;
use smallvec::SmallVec;
use std::sync::Arc;

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 9;
/// Rows up to this size are put together without an allocation beside their own.
const STACK_BYTES: usize = 512;

/// A stored row, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(Arc<[u8]>);

impl Row {
    /// A row of `tuple` bytes packed for schema `version`.
    pub fn new(version: i32, tuple: &[u8]) -> Self {
        let version = version.to_le_bytes();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&version);
        crc.update(tuple);
        let mut bytes = SmallVec::<[u8; STACK_BYTES]>::new();
        bytes.reserve_exact(HEADER_BYTES + tuple.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&crc.finalize().to_le_bytes());
        bytes.extend_from_slice(&version);
        bytes.extend_from_slice(tuple);
        Self(bytes.as_slice().into())
    }

    /// A row read back from a disk; its checksum is verified.
    pub fn verified(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: String| Error::new(Kind::Internal, format!("a stored row is damaged: {what}"));
        let Some((&[format, c0, c1, c2, c3], body)) = bytes.split_first_chunk::<5>() else {
            return Err(damaged(format!("{} bytes are no header", bytes.len())));
        };
        if format != FORMAT || bytes.len() < HEADER_BYTES {
            return Err(damaged(format!("format {format} in {} bytes", bytes.len())));
        }
        let (expected, actual) = (u32::from_le_bytes([c0, c1, c2, c3]), crc32fast::hash(body));
        if expected != actual {
            return Err(damaged(format!("its checksum is {actual:08x}, not {expected:08x}")));
        }
        Ok(Self(bytes.into()))
    }

    /// The schema version the tuple was packed for.
    pub fn version(&self) -> i32 {
        self.0.get(5..HEADER_BYTES).and_then(|b| b.try_into().ok()).map_or(0, i32::from_le_bytes)
    }

    /// The binary tuple.
    pub fn tuple(&self) -> &[u8] {
        self.0.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Element `index` of the tuple, which has `count` elements; `None` if there is none.
    #[inline]
    pub fn element(&self, count: usize, index: usize) -> Option<Element<'_>> {
        Element::of(&self.0, HEADER_BYTES, count, index)
    }

    /// All bytes, as they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_and_a_flipped_bit_does_not() {
        let row = Row::new(7, &[0, 1, 42]);
        assert_eq!((row.version(), row.tuple()), (7, &[0, 1, 42][..]));
        assert_eq!(Row::verified(row.bytes()).unwrap(), row);
        for byte in 0..row.bytes().len() {
            for bit in 0..8 {
                let mut damaged = row.bytes().to_vec();
                damaged[byte] ^= 1 << bit;
                assert!(Row::verified(&damaged).is_err(), "byte {byte} bit {bit}");
            }
            assert!(Row::verified(&row.bytes()[..byte]).is_err());
        }
    }
}
