//! One element of a tuple that was checked before: what a scan, which wants the same few columns of very many rows, reads
//! instead of a [`Tuple`](super::binary_tuple::Tuple).

use super::binary_tuple::{end_at, entry_bytes};

/// An element of a tuple that was checked before, with the bytes that lie before it.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// Everything up to the element's end.
    up_to: &'a [u8],
    width: usize,
}

impl<'a> Element<'a> {
    /// Element `index` of the tuple of `count` elements that begins at byte `from`; `None` if there is none.
    #[inline]
    pub fn of(bytes: &'a [u8], from: usize, count: usize, index: usize) -> Option<Self> {
        let entry = entry_bytes(*bytes.get(from)?)?;
        let offsets = bytes.get(from + 1..)?;
        let start = if index == 0 { 0 } else { end_at(offsets, entry, index - 1)? };
        let end = end_at(offsets, entry, index)?;
        let values = (from + 1).saturating_add(count.saturating_mul(entry));
        Some(Self { up_to: bytes.get(..values.saturating_add(end))?, width: end.checked_sub(start)? })
    }

    /// The element's bytes; `None` is null.
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        self.up_to.get(self.up_to.len() - self.width..).filter(|bytes| !bytes.is_empty())
    }

    /// The whole number of an element that is one; 0 for null. The number is cut out of the 8 bytes that end with it, of
    /// which there have to be so many: which of its four widths it has is no branch then, and a scan guesses none wrong.
    #[inline]
    pub fn int(&self) -> Option<i64> {
        let bits = i64::from_le_bytes(*self.up_to.last_chunk()?);
        match self.width {
            0 => Some(0),
            1 | 2 | 4 | 8 => Some(bits >> (64 - 8 * self.width)),
            _ => None,
        }
    }

    /// Whether it is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        self.width == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{ColumnType, Value};
    use crate::wire::binary_tuple::{Builder, Tuple, decode};

    const FROM: usize = 9;

    proptest::proptest! {
        #[test]
        fn an_element_is_that_of_the_tuple(
            values in proptest::collection::vec(proptest::option::of((proptest::num::i64::ANY, 0_u32..64)), 1..40),
            long in 0_usize..70_000,
        ) {
            let mut builder = Builder::new();
            for value in &values {
                let value = value.map_or(Value::Null, |(v, shift)| Value::Int(v >> shift));
                builder.push(&value, ColumnType::Int64);
            }
            // What makes the entries of the offsets longer.
            builder.push_raw(Some(&vec![1; long]));
            let tuple = builder.build();
            let bytes = [vec![0xFF; FROM], tuple.clone()].concat();
            let count = values.len() + 1;
            let expected = Tuple::parse(&tuple, count).unwrap();
            for i in 0..count {
                let element = Element::of(&bytes, FROM, count, i).unwrap();
                proptest::prop_assert_eq!(element.bytes(), expected.element(i));
                proptest::prop_assert_eq!(element.is_null(), element.bytes().is_none());
                if let Some(bytes) = element.bytes().filter(|_| i < values.len()) {
                    let int = element.int().map(Value::Int);
                    proptest::prop_assert_eq!(int, Some(decode(bytes, ColumnType::Int64).unwrap()));
                }
            }
        }

        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            from in 0_usize..12,
            count in 0_usize..5,
            index in 0_usize..5,
        ) {
            if let Some(element) = Element::of(&bytes, from, count, index) {
                let _ = (element.bytes(), element.int());
            }
        }
    }
}
