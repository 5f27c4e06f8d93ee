//! The pieces that GA requests are made of.

use crate::config::BATCH_ROWS_MAX;
use crate::error::{Error, Kind, Result};
use crate::wire::msgpack::Reader;

/// A tuple as it came: the columns the caller named no value for, and the binary tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawTuple<'a> {
    /// Bit i: column i brings no value, and its element is empty. Bits beyond the bytes are 0.
    pub no_value: &'a [u8],
    /// The binary tuple.
    pub bytes: &'a [u8],
}

/// The fewest bytes a tuple of a batch takes: an empty bit set and a binary of no elements.
const TUPLE_BYTES_MIN: usize = 6;

/// Reads which transaction a request belongs to: nil for none, or its resource id.
///
/// # Errors
/// The forms 0 and -1 belong to features that the handshake did not offer.
pub fn transaction(reader: &mut Reader<'_>) -> Result<Option<i64>> {
    if reader.nil_if_next()? {
        return Ok(None);
    }
    match reader.i64()? {
        id if id > 0 => Ok(Some(id)),
        form => Err(Error::protocol(format!("The transaction form {form} was not offered in the handshake"))),
    }
}

/// Reads a tuple.
pub fn tuple<'a>(reader: &mut Reader<'a>) -> Result<RawTuple<'a>> {
    Ok(RawTuple { no_value: bit_set(reader)?, bytes: reader.bin()? })
}

/// Reads a counted list of tuples.
///
/// # Errors
/// More than [`BATCH_ROWS_MAX`], or more than the frame has bytes for.
pub fn tuples<'a>(reader: &mut Reader<'a>) -> Result<Vec<RawTuple<'a>>> {
    let count = batch_count(reader)?;
    let mut tuples = Vec::with_capacity(count);
    for _ in 0..count {
        tuples.push(tuple(reader)?);
    }
    Ok(tuples)
}

/// Reads how many tuples a batch has.
pub fn batch_count(reader: &mut Reader<'_>) -> Result<usize> {
    let count = reader.count(TUPLE_BYTES_MIN)?;
    if count > BATCH_ROWS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("The batch has {count} rows, the limit is {BATCH_ROWS_MAX}"),
        ));
    }
    Ok(count)
}

/// Reads a bit set: the extension of type 8, bit i in byte i/8, lowest bit first.
pub fn bit_set<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    match reader.ext()? {
        (8, bits) => Ok(bits),
        (other, _) => Err(Error::protocol(format!("Expected a bit set (extension 8), but got extension {other}"))),
    }
}

/// Whether a bit is set.
pub fn bit(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// Reads a text, or nil.
pub fn optional_text<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>> {
    if reader.nil_if_next()? { Ok(None) } else { reader.str().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_borrowed_from_the_frame() {
        let frame = [2, 0xc7, 0, 8, 0xc4, 3, 0, 1, 1, 0xd4, 8, 4, 0xc4, 1, 0];
        let tuples = tuples(&mut Reader::new(&frame)).unwrap();
        assert_eq!(tuples.len(), 2);
        assert_eq!((tuples[0].no_value, tuples[0].bytes), (&[][..], &[0, 1, 1][..]));
        assert!(bit(tuples[1].no_value, 2) && !bit(tuples[1].no_value, 3) && !bit(tuples[1].no_value, 800));
        for cut in 0..frame.len() {
            assert!(super::tuples(&mut Reader::new(&frame[..cut])).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_count_beyond_the_frame_is_refused_unread() {
        assert!(tuples(&mut Reader::new(&[0xce, 0x7f, 0xff, 0xff, 0xff])).is_err());
        assert!(tuples(&mut Reader::new(&[0xff])).is_err());
        assert!(bit_set(&mut Reader::new(&[0xd4, 3, 0])).unwrap_err().message.contains("extension 3"));
    }

    #[test]
    fn transactions_have_one_form() {
        assert_eq!(transaction(&mut Reader::new(&[0xc0])).unwrap(), None);
        assert_eq!(transaction(&mut Reader::new(&[7])).unwrap(), Some(7));
        assert_eq!(transaction(&mut Reader::new(&[0xff])).unwrap_err().kind, Kind::Protocol);
        assert_eq!(transaction(&mut Reader::new(&[0])).unwrap_err().kind, Kind::Protocol);
    }
}
