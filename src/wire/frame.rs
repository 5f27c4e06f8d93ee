//! Framing: bytes to whole frames, without I/O.
//!
//! A connection's bytes are the magic once, then frames: a 4-byte big-endian length and that many bytes of payload. The
//! length does not count itself. [`next`] looks at the front of what has arrived and says what is there; what is not
//! whole yet waits in a [`Partial`], which grows as bytes arrive and never because a length was announced.

/// The bytes each side sends once, before its first frame.
pub const MAGIC: [u8; 4] = *b"IGNI";

/// Bytes of the length that precedes a payload.
pub const HEADER_BYTES: usize = 4;

/// The largest length a frame can have in this protocol; a peer that announces more does not speak it.
pub const LENGTH_MAX: u32 = (1 << 31) - 9;

/// What the front of the received bytes is.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole payload.
    Frame(&'a [u8]),
    /// Not a whole frame yet. It will be whole when this many bytes are there; 0 if the length itself is not.
    Partial(usize),
    /// The announced length is above the limit.
    Oversize(u32),
    /// The announced length is negative or beyond [`LENGTH_MAX`].
    Invalid(u32),
}

/// Looks at the front of `bytes`. Payloads are at most `bytes_max` long.
pub fn next(bytes: &[u8], bytes_max: usize) -> Next<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Next::Partial(0);
    };
    let length = u32::from_be_bytes(*header);
    if length > LENGTH_MAX {
        return Next::Invalid(length);
    }
    let payload_bytes = length as usize;
    if payload_bytes > bytes_max {
        return Next::Oversize(length);
    }
    match rest.get(..payload_bytes) {
        Some(payload) => Next::Frame(payload),
        None => Next::Partial(HEADER_BYTES + payload_bytes),
    }
}

/// Whether `bytes` start with the magic: `None` while that cannot be told yet.
pub fn magic(bytes: &[u8]) -> Option<bool> {
    if let Some(start) = bytes.first_chunk() {
        return Some(*start == MAGIC);
    }
    if MAGIC.starts_with(bytes) { None } else { Some(false) }
}

/// The received bytes that are not a whole frame yet, or whose turn has not come.
#[derive(Debug, Default)]
pub struct Partial {
    bytes: Vec<u8>,
    start: usize,
}

impl Partial {
    /// Keeps `bytes` behind what is there. `whole` is the size the first frame will have, or 0: memory is reserved for
    /// what has arrived, at most twice that, and not beyond the frame.
    pub fn append(&mut self, bytes: &[u8], whole: usize) {
        if self.start > 0 && self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let doubled = self.bytes.capacity().saturating_mul(2).min(self.start + whole);
            self.bytes.reserve_exact(doubled.max(needed) - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes, in the order they arrived.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Forgets the first `n` bytes; all memory is given back once nothing is left.
    pub fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.bytes.len());
        if self.start == self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_frames_behind_one_another() {
        let bytes = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0];
        assert_eq!(next(&bytes, 64), Next::Frame(&[7, 8]));
        assert_eq!(next(&bytes[6..], 64), Next::Frame(&[]));
        assert_eq!(next(&bytes[10..], 64), Next::Partial(0));
    }

    #[test]
    fn tells_how_much_is_missing() {
        assert_eq!(next(&[], 64), Next::Partial(0));
        assert_eq!(next(&[0, 0, 0], 64), Next::Partial(0));
        assert_eq!(next(&[0, 0, 0, 9, 1], 64), Next::Partial(13));
    }

    #[test]
    fn judges_the_length_before_its_payload_arrives() {
        assert_eq!(next(&[0, 0, 0, 64], 64), Next::Partial(68));
        assert_eq!(next(&[0, 0, 0, 65], 64), Next::Oversize(65));
        assert_eq!(next(&[0x7f, 0xff, 0xff, 0xf7], 64), Next::Oversize(LENGTH_MAX));
        assert_eq!(next(&[0x7f, 0xff, 0xff, 0xf8], 64), Next::Invalid(LENGTH_MAX + 1));
        assert_eq!(next(&[0xff, 0xff, 0xff, 0xff], 64), Next::Invalid(u32::MAX));
    }

    #[test]
    fn judges_the_magic_as_soon_as_it_can() {
        assert_eq!(magic(b""), None);
        assert_eq!(magic(b"IGN"), None);
        assert_eq!(magic(b"IGNI\0"), Some(true));
        assert_eq!(magic(b"G"), Some(false));
        assert_eq!(magic(b"IGNX"), Some(false));
    }

    #[test]
    fn partial_grows_with_what_arrives_not_with_what_is_announced() {
        let mut partial = Partial::default();
        partial.append(&[0x03, 0xff, 0xff, 0xff, 1], 0x0400_0003);
        assert!(partial.capacity() < 64);
        for _ in 0..100 {
            partial.append(&[0; 1000], 0x0400_0003);
            assert!(partial.capacity() <= 2 * partial.len());
        }
    }

    #[test]
    fn partial_does_not_reserve_beyond_its_frame() {
        let mut partial = Partial::default();
        partial.append(&[0; 600], 1000);
        partial.append(&[0; 300], 1000);
        assert!(partial.capacity() <= 1000);
        partial.consume(900);
        assert_eq!((partial.len(), partial.capacity()), (0, 0));
    }

    proptest::proptest! {
        #[test]
        fn frames_come_out_however_the_bytes_come_in(
            payloads in proptest::collection::vec(proptest::collection::vec(0u8.., 0..40), 0..20),
            pieces in proptest::collection::vec(1usize..30, 1..40),
        ) {
            let mut bytes = Vec::new();
            for payload in &payloads {
                bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
                bytes.extend_from_slice(payload);
            }
            let (mut partial, mut found, mut whole) = (Partial::default(), Vec::new(), 0);
            let mut rest = &bytes[..];
            for size in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at(rest.len().min(*size));
                rest = behind;
                partial.append(piece, whole);
                loop {
                    match next(partial.bytes(), 64) {
                        Next::Frame(payload) => {
                            found.push(payload.to_vec());
                            partial.consume(HEADER_BYTES + payload.len());
                        }
                        Next::Partial(size) => {
                            whole = size;
                            break;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            proptest::prop_assert_eq!(found, payloads);
            proptest::prop_assert!(partial.is_empty());
        }
    }

    #[test]
    fn partial_keeps_the_order_while_it_moves_on() {
        let mut partial = Partial::default();
        let (mut written, mut read) = (0u8, 0u8);
        for step in 0..200usize {
            let bytes: Vec<u8> = (0..step % 7)
                .map(|_| {
                    written = written.wrapping_add(1);
                    written
                })
                .collect();
            partial.append(&bytes, 0);
            for _ in 0..(step % 5).min(partial.len()) {
                read = read.wrapping_add(1);
                assert_eq!(partial.bytes()[0], read);
                partial.consume(1);
            }
        }
    }
}
