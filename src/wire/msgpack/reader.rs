//! The cursor over one message.

use crate::config::MSGPACK_DEPTH_MAX;
use crate::error::{Error, Result};

/// A cursor over msgpack values. A take that fails leaves it where it was, at the offending value.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    bytes_total: usize,
}

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// No value.
    Nil,
    /// True or false.
    Boolean,
    /// An integer of any width.
    Integer,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// Text.
    String,
    /// Bytes.
    Binary,
    /// An array's header.
    Array,
    /// A map's header.
    Map,
    /// A typed extension.
    Extension,
    /// The byte 0xC1, which starts nothing.
    NeverUsed,
}

impl Family {
    /// The family of values that start with `marker`.
    pub fn of(marker: u8) -> Self {
        match marker {
            0xc0 => Self::Nil,
            0xc1 => Self::NeverUsed,
            0xc2 | 0xc3 => Self::Boolean,
            0x00..=0x7f | 0xe0..=0xff | 0xcc..=0xd3 => Self::Integer,
            0xca => Self::Float32,
            0xcb => Self::Float64,
            0xa0..=0xbf | 0xd9..=0xdb => Self::String,
            0xc4..=0xc6 => Self::Binary,
            0x90..=0x9f | 0xdc | 0xdd => Self::Array,
            0x80..=0x8f | 0xde | 0xdf => Self::Map,
            0xc7..=0xc9 | 0xd4..=0xd8 => Self::Extension,
        }
    }

    /// The name that messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nil => "Nil",
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::Float32 | Self::Float64 => "Float",
            Self::String => "String",
            Self::Binary => "Binary",
            Self::Array => "Array",
            Self::Map => "Map",
            Self::Extension => "Extension",
            Self::NeverUsed => "0xC1",
        }
    }
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, bytes_total: bytes.len() }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.bytes_total - self.rest.len()
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value's first byte, without reading it.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn peek(&self) -> Result<u8> {
        self.rest.first().copied().ok_or_else(|| self.short(1))
    }

    /// The next value's family, without reading it.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn family(&self) -> Result<Family> {
        self.peek().map(Family::of)
    }

    /// Reads a nil if one is next, and says whether it was.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn nil_if_next(&mut self) -> Result<bool> {
        let is_nil = self.peek()? == 0xc0;
        if is_nil {
            self.advance(1);
        }
        Ok(is_nil)
    }

    /// Reads a nil.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn nil(&mut self) -> Result<()> {
        match self.peek()? {
            0xc0 => {
                self.advance(1);
                Ok(())
            }
            marker => Err(unexpected("Nil", marker)),
        }
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn bool(&mut self) -> Result<bool> {
        match self.peek()? {
            marker @ (0xc2 | 0xc3) => {
                self.advance(1);
                Ok(marker == 0xc3)
            }
            marker => Err(unexpected("Boolean", marker)),
        }
    }

    /// Reads an integer of any width and sign form.
    ///
    /// # Errors
    /// Something else is next, nothing, or a number above `i64::MAX`.
    pub fn i64(&mut self) -> Result<i64> {
        let marker = self.peek()?;
        let (value, len) = match marker {
            0x00..=0x7f => (i64::from(marker), 1),
            0xe0..=0xff => (i64::from(marker as i8), 1),
            0xcc => (i64::from(u8::from_be_bytes(self.after_marker()?)), 2),
            0xcd => (i64::from(u16::from_be_bytes(self.after_marker()?)), 3),
            0xce => (i64::from(u32::from_be_bytes(self.after_marker()?)), 5),
            0xcf => {
                let value = u64::from_be_bytes(self.after_marker()?);
                (i64::try_from(value).map_err(|_| too_wide(value, "64 bits"))?, 9)
            }
            0xd0 => (i64::from(i8::from_be_bytes(self.after_marker()?)), 2),
            0xd1 => (i64::from(i16::from_be_bytes(self.after_marker()?)), 3),
            0xd2 => (i64::from(i32::from_be_bytes(self.after_marker()?)), 5),
            0xd3 => (i64::from_be_bytes(self.after_marker()?), 9),
            _ => return Err(unexpected("Integer", marker)),
        };
        self.advance(len);
        Ok(value)
    }

    /// Reads an integer of any width and sign form that is not negative.
    ///
    /// # Errors
    /// Something else is next, nothing, or a negative number.
    pub fn u64(&mut self) -> Result<u64> {
        if self.peek()? == 0xcf {
            let value = u64::from_be_bytes(self.after_marker()?);
            self.advance(9);
            return Ok(value);
        }
        self.narrow("64 bits without sign")
    }

    /// Reads an integer of 32 bits, in any width and sign form.
    ///
    /// # Errors
    /// Something else is next, nothing, or a number out of range.
    pub fn i32(&mut self) -> Result<i32> {
        self.narrow("32 bits")
    }

    /// Reads an integer of 16 bits, in any width and sign form.
    ///
    /// # Errors
    /// Something else is next, nothing, or a number out of range.
    pub fn i16(&mut self) -> Result<i16> {
        self.narrow("16 bits")
    }

    /// Reads an integer of 8 bits, in any width and sign form.
    ///
    /// # Errors
    /// Something else is next, nothing, or a number out of range.
    pub fn i8(&mut self) -> Result<i8> {
        self.narrow("8 bits")
    }

    /// Reads how many items follow: an integer that the bytes left can hold at `item_bytes_min` bytes each.
    ///
    /// # Errors
    /// Something else is next, nothing, a negative number, or more items than could be there.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize> {
        let before = self.clone();
        let counted = self.narrow("a count").and_then(|count: usize| {
            self.check_count(count, item_bytes_min)?;
            Ok(count)
        });
        if counted.is_err() {
            *self = before;
        }
        counted
    }

    /// Reads a float of 32 bits; one of 64 bits is rounded, as Java's reader does.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    #[allow(clippy::cast_possible_truncation)]
    pub fn f32(&mut self) -> Result<f32> {
        match self.peek()? {
            0xca => {
                let value = f32::from_be_bytes(self.after_marker()?);
                self.advance(5);
                Ok(value)
            }
            0xcb => Ok(self.f64()? as f32),
            marker => Err(unexpected("Float", marker)),
        }
    }

    /// Reads a float of 64 or 32 bits.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn f64(&mut self) -> Result<f64> {
        match self.peek()? {
            0xca => Ok(f64::from(self.f32()?)),
            0xcb => {
                let value = f64::from_be_bytes(self.after_marker()?);
                self.advance(9);
                Ok(value)
            }
            marker => Err(unexpected("Float", marker)),
        }
    }

    /// Reads text.
    ///
    /// # Errors
    /// Something else is next, nothing, or bytes that are not UTF-8.
    pub fn str(&mut self) -> Result<&'a str> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0xa0..=0xbf => (1, usize::from(marker & 0x1f)),
            0xd9..=0xdb => self.length(marker - 0xd9)?,
            _ => return Err(unexpected("String", marker)),
        };
        let bytes = self.body(header, len)?;
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Error::protocol(format!("String of {len} bytes is not UTF-8 at byte {}", e.valid_up_to())))?;
        self.advance(header + len);
        Ok(text)
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn bin(&mut self) -> Result<&'a [u8]> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0xc4..=0xc6 => self.length(marker - 0xc4)?,
            _ => return Err(unexpected("Binary", marker)),
        };
        let bytes = self.body(header, len)?;
        self.advance(header + len);
        Ok(bytes)
    }

    /// Reads bytes that may stand under a string's header, as some clients write them.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn bin_or_str(&mut self) -> Result<&'a [u8]> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0xa0..=0xbf => (1, usize::from(marker & 0x1f)),
            0xd9..=0xdb => self.length(marker - 0xd9)?,
            _ => return self.bin(),
        };
        let bytes = self.body(header, len)?;
        self.advance(header + len);
        Ok(bytes)
    }

    /// Reads an extension: its type and its payload.
    ///
    /// # Errors
    /// Something else is next, or nothing.
    pub fn ext(&mut self) -> Result<(i8, &'a [u8])> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0xd4..=0xd8 => (1, 1 << (marker - 0xd4)),
            0xc7..=0xc9 => self.length(marker - 0xc7)?,
            _ => return Err(unexpected("Ext", marker)),
        };
        match self.body(header, len + 1)? {
            [kind, payload @ ..] => {
                self.advance(header + len + 1);
                Ok((*kind as i8, payload))
            }
            [] => Err(self.short(header + len + 1)),
        }
    }

    /// Reads an array's header: the number of values that follow, each at least a byte.
    ///
    /// # Errors
    /// Something else is next, nothing, or more values than bytes.
    pub fn array(&mut self) -> Result<usize> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0x90..=0x9f => (1, usize::from(marker & 0x0f)),
            0xdc | 0xdd => self.length(marker - 0xdc + 1)?,
            _ => return Err(unexpected("Array", marker)),
        };
        self.header(header, len, 1)
    }

    /// Reads a map's header: the number of pairs that follow, each at least two bytes.
    ///
    /// # Errors
    /// Something else is next, nothing, or more pairs than bytes.
    pub fn map(&mut self) -> Result<usize> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0x80..=0x8f => (1, usize::from(marker & 0x0f)),
            0xde | 0xdf => self.length(marker - 0xde + 1)?,
            _ => return Err(unexpected("Map", marker)),
        };
        self.header(header, len, 2)
    }

    /// Passes over one value with all that it contains, and says how many values that were.
    ///
    /// # Errors
    /// The value is cut short or nests deeper than [`MSGPACK_DEPTH_MAX`].
    pub fn skip(&mut self) -> Result<usize> {
        let before = self.clone();
        let skipped = self.skip_tree();
        if skipped.is_err() {
            *self = before;
        }
        skipped
    }

    fn skip_tree(&mut self) -> Result<usize> {
        // How many values are still to come at each open level; the value itself is the outermost.
        let mut open = [0_usize; MSGPACK_DEPTH_MAX + 1];
        let mut depth = 0;
        let mut nodes = 0;
        let mut left = 1_usize;
        loop {
            while left == 0 {
                if depth == 0 {
                    return Ok(nodes);
                }
                depth -= 1;
                left = open.get(depth).copied().unwrap_or_default();
            }
            left -= 1;
            nodes += 1;
            let inside = match self.family()? {
                Family::Array => self.array()?,
                Family::Map => self.map()? * 2,
                _ => {
                    self.skip_scalar()?;
                    continue;
                }
            };
            if depth == MSGPACK_DEPTH_MAX {
                return Err(Error::protocol(format!("Value nests deeper than {MSGPACK_DEPTH_MAX} levels")));
            }
            if let Some(level) = open.get_mut(depth) {
                *level = left;
            }
            depth += 1;
            left = inside;
        }
    }

    fn skip_scalar(&mut self) -> Result<()> {
        let marker = self.peek()?;
        let (header, len) = match marker {
            0xc1 => return Err(unexpected("Value", marker)),
            0xcc | 0xd0 => (1, 1),
            0xcd | 0xd1 => (1, 2),
            0xca | 0xce | 0xd2 => (1, 4),
            0xcb | 0xcf | 0xd3 => (1, 8),
            0xa0..=0xbf => (1, usize::from(marker & 0x1f)),
            0xd9..=0xdb => self.length(marker - 0xd9)?,
            0xc4..=0xc6 => self.length(marker - 0xc4)?,
            0xd4..=0xd8 | 0xc7..=0xc9 => return self.ext().map(|_| ()),
            _ => (1, 0),
        };
        self.body(header, len)?;
        self.advance(header + len);
        Ok(())
    }

    /// The `N` bytes after the marker, which are not passed yet.
    fn after_marker<const N: usize>(&self) -> Result<[u8; N]> {
        self.rest.get(1..).and_then(|tail| tail.first_chunk::<N>()).copied().ok_or_else(|| self.short(1 + N))
    }

    /// A length of 1, 2 or 4 bytes (`width` 0, 1, 2) after the marker: the header's size and the length.
    fn length(&self, width: u8) -> Result<(usize, usize)> {
        Ok(match width {
            0 => (2, usize::from(u8::from_be_bytes(self.after_marker()?))),
            1 => (3, usize::from(u16::from_be_bytes(self.after_marker()?))),
            _ => (5, u32::from_be_bytes(self.after_marker()?) as usize),
        })
    }

    /// The `len` bytes after a header, which are not passed yet.
    fn body(&self, header: usize, len: usize) -> Result<&'a [u8]> {
        header.checked_add(len).and_then(|end| self.rest.get(header..end)).ok_or_else(|| self.short(header + len))
    }

    fn header(&mut self, header: usize, len: usize, item_bytes_min: usize) -> Result<usize> {
        let mut after = self.clone();
        after.advance(header);
        after.check_count(len, item_bytes_min)?;
        *self = after;
        Ok(len)
    }

    fn check_count(&self, count: usize, item_bytes_min: usize) -> Result<()> {
        match count.checked_mul(item_bytes_min) {
            Some(bytes) if bytes <= self.rest.len() => Ok(()),
            _ => Err(Error::protocol(format!(
                "Message ends early: {count} items are announced at byte {}, {} bytes follow",
                self.position(),
                self.rest.len()
            ))),
        }
    }

    fn narrow<T: TryFrom<i64>>(&mut self, range: &str) -> Result<T> {
        let before = self.clone();
        let value = self.i64()?;
        T::try_from(value).map_err(|_| {
            *self = before;
            too_wide(value, range)
        })
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    #[cold]
    fn short(&self, bytes: usize) -> Error {
        let (position, left) = (self.position(), self.rest.len());
        Error::protocol(format!("Message ends early: {bytes} bytes are needed at byte {position}, {left} are left"))
    }
}

/// The error of a value of another family than the one expected.
#[cold]
fn unexpected(expected: &str, marker: u8) -> Error {
    Error::protocol(match Family::of(marker) {
        Family::NeverUsed => format!("Expected {expected}, but encountered 0xC1 \"NEVER_USED\" byte"),
        family => format!("Expected {expected}, but got {} ({marker:02x})", family.name()),
    })
}

#[cold]
fn too_wide(value: impl std::fmt::Display, range: &str) -> Error {
    Error::protocol(format!("Integer {value} does not fit {range}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().message.into_owned()
    }

    #[test]
    fn integers_of_every_form() {
        let forms: [(&[u8], i64); 14] = [
            (&[0x07], 7),
            (&[0x7f], 127),
            (&[0xff], -1),
            (&[0xe0], -32),
            (&[0xcc, 200], 200),
            (&[0xcd, 0x03, 0xe9], 1001),
            (&[0xce, 0, 0, 0, 9], 9),
            (&[0xcf, 0x7f, 255, 255, 255, 255, 255, 255, 255], i64::MAX),
            (&[0xd0, 0x80], -128),
            (&[0xd1, 0xff, 0x00], -256),
            (&[0xd2, 0, 0, 0, 3], 3),
            (&[0xd2, 0x80, 0, 0, 0], i64::from(i32::MIN)),
            (&[0xd3, 0, 0, 0, 0, 0, 0, 0, 9], 9),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], i64::MIN),
        ];
        for (bytes, value) in forms {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.i64(), Ok(value), "{bytes:02x?}");
            assert!(reader.is_empty());
            for cut in 0..bytes.len() {
                assert!(Reader::new(&bytes[..cut]).i64().is_err(), "{bytes:02x?} cut at {cut}");
            }
        }
        let above = [0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(text(Reader::new(&above).i64()), "Integer 9223372036854775808 does not fit 64 bits");
        assert_eq!(Reader::new(&above).u64(), Ok(1 << 63));
        assert_eq!(text(Reader::new(&[0xff]).u64()), "Integer -1 does not fit 64 bits without sign");
    }

    #[test]
    fn a_failed_take_stays_at_the_value() {
        let mut reader = Reader::new(&[0xcd, 0x01, 0x2c, 0xa1, b'x']);
        assert_eq!(text(reader.i8()), "Integer 300 does not fit 8 bits");
        assert_eq!(reader.position(), 0);
        assert_eq!(reader.i16(), Ok(300));
        assert_eq!(text(reader.i64()), "Expected Integer, but got String (a1)");
        assert_eq!(reader.position(), 3);
        assert_eq!(reader.str(), Ok("x"));
        assert_eq!(text(reader.bool()), "Message ends early: 1 bytes are needed at byte 5, 0 are left");
    }

    #[test]
    fn texts_are_those_of_real_servers() {
        assert_eq!(text(Reader::new(&[0xa3]).i32()), "Expected Integer, but got String (a3)");
        assert_eq!(text(Reader::new(&[0x05]).str()), "Expected String, but got Integer (05)");
        assert_eq!(text(Reader::new(&[0xc0]).ext()), "Expected Ext, but got Nil (c0)");
        assert_eq!(text(Reader::new(&[0xc1]).i32()), "Expected Integer, but encountered 0xC1 \"NEVER_USED\" byte");
    }

    #[test]
    fn counts_are_checked_before_they_are_believed() {
        assert!(text(Reader::new(&[0xdd, 255, 255, 255, 255]).array()).contains("4294967295 items"));
        assert!(text(Reader::new(&[0xdf, 255, 255, 255, 255, 0]).map()).contains("4294967295 items"));
        assert!(Reader::new(&[0x82, 0xc0, 0xc0, 0xc0]).map().is_err());
        assert_eq!(Reader::new(&[0x02, 1, 2]).count(1), Ok(2));
        assert!(Reader::new(&[0x03, 1, 2]).count(1).is_err());
        assert!(Reader::new(&[0xff, 1, 2]).count(1).is_err());
    }

    #[test]
    fn floats_and_bytes() {
        assert_eq!(Reader::new(&[0xca, 0x40, 0x50, 0, 0]).f64(), Ok(3.25));
        assert_eq!(Reader::new(&[0xcb, 0xc0, 0x1a, 0, 0, 0, 0, 0, 0]).f32(), Ok(-6.5));
        assert_eq!(Reader::new(&[0xc4, 2, 1, 2]).bin(), Ok(&[1, 2][..]));
        assert_eq!(Reader::new(&[0xa2, 1, 2]).bin_or_str(), Ok(&[1, 2][..]));
        assert_eq!(Reader::new(&[0xd4, 8, 0x14]).ext(), Ok((8, &[0x14][..])));
        assert_eq!(Reader::new(&[0xc7, 0, 8]).ext(), Ok((8, &[][..])));
        assert!(text(Reader::new(&[0xa2, 0xff, 0xfe]).str()).contains("not UTF-8 at byte 0"));
    }
}
