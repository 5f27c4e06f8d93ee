//! The commit log: what its bytes mean, and how segments are written.
//!
//! A segment is a file `log-<number>` of fixed length, filled with zeros when it is made: a header, then frames.
//! All numbers are little-endian.
//!
//! ```text
//! header   "FLINTLOG"  format u32  crc u32  store u64  segment u64  base u64  capacity u64  zeros to 64 bytes
//! record   length u32  crc u32  commit u64  payload                    one commit; numbers have no gaps
//! mark     FFFFFF01    crc u32  commit u64  store u64  segment u64  offset u64
//! next     FFFFFF02    crc u32  commit u64  store u64  segment u64  offset u64
//! ```
//!
//! A checksum covers everything in its header or frame but itself. `base` is the last commit before the segment.
//!
//! **What tells a torn write from damage.** A group of records is written with one write and one sync. A power loss
//! in between may leave any part of it, also its end without its beginning. Nobody was told that it is durable, so
//! it may be cut off. Damage to a record that somebody was told about must not be. The two look alike; the
//! difference is made by *marks*. A mark says "everything before me is durable". It is written after a group's sync,
//! never before, and never while another mark is unsynced, so a mark anywhere after bad bytes proves that those bytes
//! once were durable: the log is refused. Bad bytes with no mark after them are the torn tail, which is cut
//! (overwritten with zeros).
//!
//! A mark needs no sync of its own: after a kill it is in the page cache; the next group's sync covers it; and
//! when nothing follows, the committer syncs it within [`super::Options::mark_sync_after`] or when it closes. What
//! is left is one case: power is lost between a group's sync and its mark's, *and* the medium damages that very
//! group. Then the group is taken for a torn write. No log can do better with one sync per group.
//!
//! A mark holds its own position and the store's random number, so no payload can pass for one.
//!
//! **Segments form a chain.** `next` ends a segment that has a successor; it is durable before the successor gets its
//! first record, and the successor's header is durable under its name before `next` is written. So a missing
//! segment, and one that lost its end, are noticed.

use std::path::{Path, PathBuf};

use super::error::{At, Error};
use super::files::{File, Files, read_exact_at};

/// The newest format of segments and manifests.
pub(super) const FORMAT: u32 = 1;
/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 64;
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER_BYTES: usize = 16;
/// Bytes of a mark.
pub(super) const MARK_BYTES: usize = 40;
/// The largest payload of one record.
pub const RECORD_BYTES_MAX: usize = 1 << 30;
/// What the first four bytes of a mark are.
const MARK: u32 = 0xffff_ff01;
/// What the first four bytes of the end of a continued segment are.
const NEXT: u32 = 0xffff_ff02;
const MAGIC: &[u8; 8] = b"FLINTLOG";

/// Appends one record. `payload` must not be longer than [`RECORD_BYTES_MAX`]: the committer refuses the group.
pub fn append_record(out: &mut Vec<u8>, commit: u64, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let start = out.len();
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&commit.to_le_bytes());
    out.extend_from_slice(payload);
    seal(&mut out[start..]);
}

/// Puts the checksum of a frame into its bytes 4 to 8.
fn seal(frame: &mut [u8]) {
    let crc = frame_crc(frame);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
}

fn frame_crc(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[8..]);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

/// A place in the log, for marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The store's random number.
    pub(super) store: u64,
    /// The segment's number.
    pub(super) segment: u64,
    /// The byte within the segment.
    pub(super) offset: u64,
}

/// What a frame is, told by its header alone; the checksum is not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A record of this many bytes in all.
    Record(usize),
    /// A mark, or the end of a continued segment.
    Mark,
    /// No frame starts like this.
    None,
}

/// A frame whose checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A commit.
    Record {
        /// The commit's number.
        commit: u64,
        /// What the engine wrote.
        payload: &'a [u8],
    },
    /// Everything before is durable.
    Mark {
        /// The last commit before.
        commit: u64,
        /// Whether the log goes on in the next segment.
        next: bool,
    },
}

/// What starts with `header`, the first [`RECORD_HEADER_BYTES`] of a frame.
pub(super) fn shape(header: &[u8]) -> Shape {
    match u32_at(header, 0) {
        MARK | NEXT => Shape::Mark,
        0 if header[4..RECORD_HEADER_BYTES].iter().all(|byte| *byte == 0) => Shape::None,
        length if length as usize <= RECORD_BYTES_MAX => Shape::Record(RECORD_HEADER_BYTES + length as usize),
        _ => Shape::None,
    }
}

/// Checks and reads one frame of the length that its [`Shape`] says; `place` is where it was found.
pub(super) fn parse(frame: &[u8], place: Place) -> Option<Frame<'_>> {
    if u32_at(frame, 4) != frame_crc(frame) {
        return None;
    }
    let commit = u64_at(frame, 8);
    match u32_at(frame, 0) {
        tag @ (MARK | NEXT) => {
            let found = Place { store: u64_at(frame, 16), segment: u64_at(frame, 24), offset: u64_at(frame, 32) };
            (found == place).then_some(Frame::Mark { commit, next: tag == NEXT })
        }
        _ => Some(Frame::Record { commit, payload: &frame[RECORD_HEADER_BYTES..] }),
    }
}

/// Whether all bytes are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    // Without an early end in a block, so that it is done many bytes at a time.
    bytes.chunks(4096).all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
}

/// Where the first valid mark in `bytes` is, which were found at `place`.
pub(super) fn find_mark(bytes: &[u8], place: Place) -> Option<usize> {
    let tags = [MARK.to_le_bytes(), NEXT.to_le_bytes()];
    let candidates = bytes.windows(MARK_BYTES).enumerate().filter(|(_, frame)| frame[1] == 0xff);
    candidates
        .filter(|(_, frame)| tags.iter().any(|tag| frame.starts_with(tag)))
        .find(|(at, frame)| parse(frame, Place { offset: place.offset + *at as u64, ..place }).is_some())
        .map(|(at, _)| at)
}

/// Appends a mark for `place`.
pub(super) fn append_mark(out: &mut Vec<u8>, next: bool, commit: u64, place: Place) {
    let start = out.len();
    out.extend_from_slice(&if next { NEXT } else { MARK }.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for number in [commit, place.store, place.segment, place.offset] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    seal(&mut out[start..]);
}

/// Checks that `records` are whole and numbered `last + 1`, `last + 2`, ...; the number of the last one.
pub(super) fn check_group(records: &[u8], mut last: u64) -> Result<u64, Error> {
    let mut rest = records;
    while !rest.is_empty() {
        let length = match rest.get(..RECORD_HEADER_BYTES).map(shape) {
            Some(Shape::Record(length)) if length <= rest.len() => length,
            _ => {
                return Err(Error::Misuse(format!(
                    "commit {} is not a whole record of at most {RECORD_BYTES_MAX} bytes",
                    last.wrapping_add(1)
                )));
            }
        };
        let commit = u64_at(rest, 8);
        if Some(commit) != last.checked_add(1) {
            return Err(Error::Misuse(format!("commit {commit} was handed to the log after commit {last}")));
        }
        last = commit;
        rest = &rest[length..];
    }
    Ok(last)
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The store's random number.
    pub(super) store: u64,
    /// The segment's number.
    pub(super) segment: u64,
    /// The last commit before the segment.
    pub(super) base: u64,
    /// The file's length in bytes.
    pub(super) capacity: u64,
}

impl Header {
    /// The header's bytes.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        for (i, number) in [self.store, self.segment, self.base, self.capacity].into_iter().enumerate() {
            out[16 + i * 8..24 + i * 8].copy_from_slice(&number.to_le_bytes());
        }
        let crc = Self::crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Checks and reads a header.
    pub(super) fn decode(path: &Path, bytes: &[u8; HEADER_BYTES]) -> Result<Self, Error> {
        if &bytes[..8] != MAGIC {
            return Err(Error::damaged(path, 0, "a log segment starts with FLINTLOG, this file does not"));
        }
        if u32_at(bytes, 12) != Self::crc(bytes) {
            return Err(Error::damaged(path, 0, "the segment's header does not match its checksum"));
        }
        match u32_at(bytes, 8) {
            FORMAT => {}
            found => return Err(Error::Newer { path: path.to_path_buf(), found, supported: FORMAT }),
        }
        let [store, segment, base, capacity] = [16, 24, 32, 40].map(|at| u64_at(bytes, at));
        Ok(Self { store, segment, base, capacity })
    }

    fn crc(bytes: &[u8; HEADER_BYTES]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..]);
        hasher.finalize()
    }
}

/// The path of a segment.
pub(super) fn segment_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("log-{segment:010}"))
}

/// The number in a segment's name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("log-")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The segment that is written.
pub(super) struct Writer {
    /// What its header says.
    pub(super) header: Header,
    path: PathBuf,
    file: Box<dyn File>,
    /// Where the next byte goes.
    offset: u64,
}

impl Writer {
    /// Makes a segment. It has its name only when its header is durable.
    pub(super) fn create(files: &dyn Files, dir: &Path, header: Header) -> Result<Self, Error> {
        let path = segment_path(dir, header.segment);
        let new = path.with_extension("new");
        let mut file = files.create(&new).at("create", &new)?;
        file.preallocate(header.capacity).at("reserve room for", &new)?;
        file.write_at(0, &header.encode()).at("write", &new)?;
        file.sync().at("sync", &new)?;
        files.rename(&new, &path).at("rename", &new)?;
        files.sync_dir(dir).at("sync", dir)?;
        Ok(Self { header, path, file, offset: HEADER_BYTES as u64 })
    }

    /// Goes on with an existing segment at `offset`.
    pub(super) fn resume(files: &dyn Files, dir: &Path, header: Header, offset: u64) -> Result<Self, Error> {
        let path = segment_path(dir, header.segment);
        let file = files.open_write(&path).at("open", &path)?;
        Ok(Self { header, path, file, offset })
    }

    /// The segment's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next byte goes.
    pub(super) fn place(&self) -> Place {
        Place { store: self.header.store, segment: self.header.segment, offset: self.offset }
    }

    /// Whether `bytes` more fit, with room left to end the segment.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        let needed = self.offset.saturating_add(bytes as u64).saturating_add(2 * MARK_BYTES as u64);
        needed <= self.header.capacity
    }

    /// The length of a segment that a group of `bytes` fits into.
    pub(super) fn capacity_for(bytes: usize, segment_bytes: u64) -> u64 {
        segment_bytes.max((HEADER_BYTES + 2 * MARK_BYTES) as u64 + bytes as u64)
    }

    /// Appends bytes that [`Self::fits`] allowed.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_at(self.offset, bytes).at("write", &self.path)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Overwrites everything from the end of the frames up to `end` with zeros.
    pub(super) fn erase_tail(&mut self, end: u64) -> Result<(), Error> {
        let zeros = vec![0; 64 << 10];
        let mut at = self.offset;
        while at < end {
            let n = zeros.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            self.file.write_at(at, &zeros[..n]).at("write", &self.path)?;
            at += n as u64;
        }
        Ok(())
    }

    /// Writes what `from..to` holds once more, so that the next sync really writes it.
    pub(super) fn write_again(&mut self, from: u64, to: u64) -> Result<(), Error> {
        let mut bytes = vec![0; 64 << 10];
        let mut at = from;
        while at < to {
            let n = bytes.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
            let chunk = bytes.get_mut(..n).unwrap_or_default();
            read_exact_at(&*self.file, at, chunk).at("read", &self.path)?;
            self.file.write_at(at, chunk).at("write", &self.path)?;
            at += n as u64;
        }
        Ok(())
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.file.sync().at("sync", &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { store: 7, segment: 1, offset: 64 };

    #[test]
    fn records_and_marks_read_back() {
        let mut out = Vec::new();
        append_record(&mut out, 5, b"abc");
        assert_eq!(shape(&out), Shape::Record(19));
        assert_eq!(parse(&out, PLACE), Some(Frame::Record { commit: 5, payload: b"abc" }));
        for next in [false, true] {
            let mut out = Vec::new();
            append_mark(&mut out, next, 5, PLACE);
            assert_eq!(out.len(), MARK_BYTES);
            assert_eq!(shape(&out), Shape::Mark);
            assert_eq!(parse(&out, PLACE), Some(Frame::Mark { commit: 5, next }));
            assert_eq!(parse(&out, Place { offset: 65, ..PLACE }), None);
        }
        assert_eq!(shape(&[0; 16]), Shape::None);
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let mut record = Vec::new();
        append_record(&mut record, 5, b"abc");
        let mut mark = Vec::new();
        append_mark(&mut mark, false, 5, PLACE);
        for frame in [record, mark] {
            for bit in 0..frame.len() * 8 {
                let mut bad = frame.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let same_length = match shape(&bad) {
                    Shape::Record(length) => length == bad.len(),
                    Shape::Mark => bad.len() == MARK_BYTES,
                    Shape::None => false,
                };
                assert!(!same_length || parse(&bad, PLACE).is_none(), "bit {bit}");
            }
        }
    }

    #[test]
    fn groups_have_no_gaps() {
        let mut out = Vec::new();
        append_record(&mut out, 5, b"");
        append_record(&mut out, 6, b"x");
        assert_eq!(check_group(&out, 4).unwrap(), 6);
        assert!(check_group(&out, 5).is_err());
        assert!(check_group(&out[..out.len() - 1], 4).is_err());
    }

    #[test]
    fn marks_are_found_where_they_are_and_only_there() {
        for at in [0, 1, 4095, 10_000] {
            let mut bytes = vec![0; at];
            append_mark(&mut bytes, false, 5, Place { offset: PLACE.offset + at as u64, ..PLACE });
            assert_eq!(find_mark(&bytes, PLACE), Some(at));
            assert_eq!(find_mark(&bytes, Place { store: 8, ..PLACE }), None);
            assert_eq!(find_mark(&bytes[..at + MARK_BYTES - 1], PLACE), None);
        }
        assert_eq!(find_mark(&MARK.to_le_bytes().repeat(1000), PLACE), None);
    }
}
