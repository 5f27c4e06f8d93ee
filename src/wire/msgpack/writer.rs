//! Appending msgpack values to a buffer, each in its shortest form.

/// Appends msgpack values to a byte buffer.
///
/// Lengths beyond 32 bits cannot be written; frames and rows are limited far below that, so they are cut off at it.
pub trait Write {
    /// A nil.
    fn put_nil(&mut self);
    /// A boolean.
    fn put_bool(&mut self, value: bool);
    /// An integer in its shortest form; from 0 up the unsigned forms.
    fn put_int(&mut self, value: i64);
    /// An integer without sign, in its shortest form.
    fn put_uint(&mut self, value: u64);
    /// An integer of 32 bits in the form of 5 bytes, for fields that are patched later.
    fn put_i32_wide(&mut self, value: i32);
    /// An integer of 64 bits in the form of 9 bytes.
    fn put_i64_wide(&mut self, value: i64);
    /// A float of 32 bits.
    fn put_f32(&mut self, value: f32);
    /// A float of 64 bits.
    fn put_f64(&mut self, value: f64);
    /// Text.
    fn put_str(&mut self, value: &str);
    /// Bytes.
    fn put_bin(&mut self, value: &[u8]);
    /// The header of `len` bytes that the caller appends.
    fn put_bin_header(&mut self, len: usize);
    /// An extension.
    fn put_ext(&mut self, kind: i8, payload: &[u8]);
    /// An array's header.
    fn put_array(&mut self, len: usize);
    /// A map's header.
    fn put_map(&mut self, len: usize);
}

impl Write for Vec<u8> {
    fn put_nil(&mut self) {
        self.push(0xc0);
    }

    fn put_bool(&mut self, value: bool) {
        self.push(0xc2 + u8::from(value));
    }

    #[allow(clippy::cast_possible_truncation)]
    fn put_int(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.put_uint(value);
        } else if value >= -32 {
            self.push(value as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.extend_from_slice(&[0xd0, value as u8]);
        } else if let Ok(value) = i16::try_from(value) {
            tagged(self, 0xd1, value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            tagged(self, 0xd2, value.to_be_bytes());
        } else {
            tagged(self, 0xd3, value.to_be_bytes());
        }
    }

    fn put_uint(&mut self, value: u64) {
        match (u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
            (Ok(small @ 0..=0x7f), ..) => self.push(small),
            (Ok(value), ..) => self.extend_from_slice(&[0xcc, value]),
            (_, Ok(value), _) => tagged(self, 0xcd, value.to_be_bytes()),
            (.., Ok(value)) => tagged(self, 0xce, value.to_be_bytes()),
            _ => tagged(self, 0xcf, value.to_be_bytes()),
        }
    }

    fn put_i32_wide(&mut self, value: i32) {
        tagged(self, 0xd2, value.to_be_bytes());
    }

    fn put_i64_wide(&mut self, value: i64) {
        tagged(self, 0xd3, value.to_be_bytes());
    }

    fn put_f32(&mut self, value: f32) {
        tagged(self, 0xca, value.to_be_bytes());
    }

    fn put_f64(&mut self, value: f64) {
        tagged(self, 0xcb, value.to_be_bytes());
    }

    fn put_str(&mut self, value: &str) {
        match u8::try_from(value.len()) {
            Ok(len @ 0..=31) => self.push(0xa0 | len),
            _ => sized(self, value.len(), [0xd9, 0xda, 0xdb]),
        }
        self.extend_from_slice(value.as_bytes());
    }

    fn put_bin(&mut self, value: &[u8]) {
        self.put_bin_header(value.len());
        self.extend_from_slice(value);
    }

    fn put_bin_header(&mut self, len: usize) {
        sized(self, len, [0xc4, 0xc5, 0xc6]);
    }

    fn put_ext(&mut self, kind: i8, payload: &[u8]) {
        match payload.len() {
            1 => self.push(0xd4),
            2 => self.push(0xd5),
            4 => self.push(0xd6),
            8 => self.push(0xd7),
            16 => self.push(0xd8),
            len => sized(self, len, [0xc7, 0xc8, 0xc9]),
        }
        self.push(kind as u8);
        self.extend_from_slice(payload);
    }

    fn put_array(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len @ 0..=15) => self.push(0x90 | len),
            _ => sized16(self, len, [0xdc, 0xdd]),
        }
    }

    fn put_map(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len @ 0..=15) => self.push(0x80 | len),
            _ => sized16(self, len, [0xde, 0xdf]),
        }
    }
}

fn tagged<const N: usize>(out: &mut Vec<u8>, marker: u8, bytes: [u8; N]) {
    out.push(marker);
    out.extend_from_slice(&bytes);
}

fn sized(out: &mut Vec<u8>, len: usize, [narrow, medium, wide]: [u8; 3]) {
    match u8::try_from(len) {
        Ok(len) => out.extend_from_slice(&[narrow, len]),
        Err(_) => sized16(out, len, [medium, wide]),
    }
}

fn sized16(out: &mut Vec<u8>, len: usize, [medium, wide]: [u8; 2]) {
    match u16::try_from(len) {
        Ok(len) => tagged(out, medium, len.to_be_bytes()),
        Err(_) => tagged(out, wide, u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn shortest_forms() {
        assert_eq!(written(|w| w.put_int(127)), [0x7f]);
        assert_eq!(written(|w| w.put_int(128)), [0xcc, 0x80]);
        assert_eq!(written(|w| w.put_int(1001)), [0xcd, 0x03, 0xe9]);
        assert_eq!(written(|w| w.put_int(-32)), [0xe0]);
        assert_eq!(written(|w| w.put_int(-33)), [0xd0, 0xdf]);
        assert_eq!(written(|w| w.put_int(-129)), [0xd1, 0xff, 0x7f]);
        assert_eq!(written(|w| w.put_i32_wide(1)), [0xd2, 0, 0, 0, 1]);
        assert_eq!(written(|w| w.put_bin(&[])), [0xc4, 0]);
        assert_eq!(written(|w| w.put_ext(1, &[0x63])), [0xd4, 1, 0x63]);
        assert_eq!(written(|w| w.put_ext(8, &[])), [0xc7, 0, 8]);
        assert_eq!(written(|w| w.put_str("one")), [0xa3, b'o', b'n', b'e']);
        assert_eq!(written(|w| w.put_array(17)), [0xdc, 0, 17]);
        assert_eq!(written(|w| w.put_map(0)), [0x80]);
    }
}
