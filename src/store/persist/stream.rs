//! Rows as one stream of bytes, cut into chunks without regard to where a row ends, so that a row of any length fits
//! into stores and files that want small pieces.
//!
//! A row is `table u32, key length u32, row length u32, key, row`, little-endian. Rows are sorted by table and key
//! and no two have the same; both ends check it.

use super::manifest::Sum;

/// Bytes of a row before its key.
const ROW_HEADER_BYTES: usize = 12;

/// Cuts rows into chunks of the same length.
pub(super) struct Chunker {
    chunk: Vec<u8>,
    chunk_bytes: usize,
    order: Order,
    hasher: crc32fast::Hasher,
    bytes: u64,
    /// Rows so far.
    pub(super) rows: u64,
}

impl Chunker {
    /// Chunks of `chunk_bytes`; only the last may be shorter.
    pub(super) fn new(chunk_bytes: usize) -> Self {
        Self {
            chunk: Vec::with_capacity(chunk_bytes),
            chunk_bytes,
            order: Order::default(),
            hasher: crc32fast::Hasher::new(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Adds a row; `put` gets each chunk that became full.
    pub(super) fn row<E: From<String>>(
        &mut self,
        table: u32,
        key: &[u8],
        row: &[u8],
        put: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.order.check(table, key)?;
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| "a row is longer than 4 GiB".to_owned());
        let mut header = [0; ROW_HEADER_BYTES];
        header[..4].copy_from_slice(&table.to_le_bytes());
        header[4..8].copy_from_slice(&length(key)?.to_le_bytes());
        header[8..].copy_from_slice(&length(row)?.to_le_bytes());
        self.rows += 1;
        for mut bytes in [&header, key, row] {
            while self.chunk.len() + bytes.len() >= self.chunk_bytes {
                let (now, later) = bytes.split_at(self.chunk_bytes - self.chunk.len());
                self.chunk.extend_from_slice(now);
                self.flush(put)?;
                bytes = later;
            }
            self.chunk.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Puts the last chunk; bytes and checksum of the stream.
    pub(super) fn finish<E>(mut self, put: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(u64, Sum), E> {
        if !self.chunk.is_empty() {
            self.flush(put)?;
        }
        Ok((self.rows, Sum { bytes: self.bytes, crc: self.hasher.finalize() }))
    }

    fn flush<E>(&mut self, put: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.hasher.update(&self.chunk);
        self.bytes += self.chunk.len() as u64;
        put(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

/// Puts rows together again from chunks of any length.
#[derive(Default)]
pub(super) struct Joiner {
    /// The beginning of a row whose end is in a later chunk.
    partial: Vec<u8>,
    order: Order,
    hasher: crc32fast::Hasher,
    bytes: u64,
    /// Rows so far.
    pub(super) rows: u64,
}

/// What takes a table, a key and a row.
pub(super) type RowSink<'a, E> = &'a mut dyn FnMut(u32, &[u8], &[u8]) -> Result<(), E>;

impl Joiner {
    /// Takes the next chunk; `row` gets each row that is whole now.
    pub(super) fn chunk<E: From<String>>(&mut self, mut bytes: &[u8], row: RowSink<'_, E>) -> Result<(), E> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        // A row that began earlier: take only what it still needs, so that its chunk's other rows need no copy.
        while !self.partial.is_empty() && !bytes.is_empty() {
            let whole = whole_bytes(&self.partial);
            let needed = whole.unwrap_or(ROW_HEADER_BYTES) - self.partial.len();
            let (now, later) = bytes.split_at(needed.min(bytes.len()));
            self.partial.extend_from_slice(now);
            bytes = later;
            if whole_bytes(&self.partial) == Some(self.partial.len()) {
                let partial = std::mem::take(&mut self.partial);
                self.emit(&partial, row)?;
            }
        }
        while let Some(whole) = whole_bytes(bytes).filter(|whole| *whole <= bytes.len()) {
            let (now, later) = bytes.split_at(whole);
            self.emit(now, row)?;
            bytes = later;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes and checksum of the stream, which must end with a whole row.
    pub(super) fn finish(self) -> Result<(u64, Sum), String> {
        if !self.partial.is_empty() {
            return Err("the rows end within a row".to_owned());
        }
        Ok((self.rows, Sum { bytes: self.bytes, crc: self.hasher.finalize() }))
    }

    fn emit<E: From<String>>(&mut self, bytes: &[u8], row: RowSink<'_, E>) -> Result<(), E> {
        let (header, rest) = bytes.split_at(ROW_HEADER_BYTES);
        let (key, value) = rest.split_at(u32_at(header, 4) as usize);
        let table = u32_at(header, 0);
        self.order.check(table, key)?;
        self.rows += 1;
        row(table, key, value)
    }
}

/// The length of the row that `bytes` begin with, if its header is there.
fn whole_bytes(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..ROW_HEADER_BYTES)?;
    Some(ROW_HEADER_BYTES + u32_at(header, 4) as usize + u32_at(header, 8) as usize)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default())
}

/// Checks that rows ascend.
#[derive(Default)]
struct Order {
    table: u32,
    key: Vec<u8>,
    some: bool,
}

impl Order {
    fn check(&mut self, table: u32, key: &[u8]) -> Result<(), String> {
        if self.some && (table, key) <= (self.table, &self.key[..]) {
            return Err(format!("rows that are not sorted (table {table} after table {})", self.table));
        }
        self.some = true;
        self.table = table;
        self.key.clear();
        self.key.extend_from_slice(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rows = Vec<(u32, Vec<u8>, Vec<u8>)>;

    fn chunks(rows: &Rows, chunk_bytes: usize) -> (Vec<Vec<u8>>, Sum) {
        let mut out = Vec::new();
        let mut put = |chunk: &[u8]| {
            out.push(chunk.to_vec());
            Ok::<(), String>(())
        };
        let mut chunker = Chunker::new(chunk_bytes);
        for (table, key, row) in rows {
            chunker.row(*table, key, row, &mut put).unwrap();
        }
        let (count, sum) = chunker.finish(&mut put).unwrap();
        assert_eq!(count, rows.len() as u64);
        (out, sum)
    }

    #[test]
    fn rows_survive_chunks_of_any_length() {
        let rows: Rows = (0..40).map(|i: u32| (i / 20, vec![i as u8; 3], vec![7; (i * i) as usize])).collect();
        for chunk_bytes in [1, 5, 12, 13, 100, 4096, 1 << 20] {
            let (chunks, sum) = chunks(&rows, chunk_bytes);
            let mut found = Rows::new();
            let mut joiner = Joiner::default();
            for chunk in &chunks {
                joiner
                    .chunk(chunk, &mut |table, key, row| {
                        found.push((table, key.to_vec(), row.to_vec()));
                        Ok::<(), String>(())
                    })
                    .unwrap();
            }
            assert_eq!(joiner.finish().unwrap(), (40, sum), "{chunk_bytes}");
            assert_eq!(found, rows, "{chunk_bytes}");
        }
    }

    #[test]
    fn disorder_and_a_cut_row_are_refused() {
        let mut chunker = Chunker::new(100);
        let mut put = |_: &[u8]| Ok::<(), String>(());
        chunker.row(1, b"b", b"", &mut put).unwrap();
        assert!(chunker.row(1, b"b", b"", &mut put).is_err());
        assert!(chunker.row(0, b"c", b"", &mut put).is_err());
        let (chunks, _) = chunks(&vec![(1, b"key".to_vec(), b"row".to_vec())], 100);
        let mut joiner = Joiner::default();
        joiner.chunk(&chunks[0][..17], &mut |_, _, _| Ok::<(), String>(())).unwrap();
        assert!(joiner.finish().is_err());
    }
}
