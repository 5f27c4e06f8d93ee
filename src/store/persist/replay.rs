//! Reading the log back: every record in order, and the decision where it ends.

use std::path::{Path, PathBuf};

use super::error::{At, Error};
use super::files::{File, Files, read_exact_at};
use super::log::{self, Frame, HEADER_BYTES, Header, MARK_BYTES, Place, RECORD_HEADER_BYTES, Shape};

/// Where the log ends and what was found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replayed {
    /// The last commit.
    pub(super) last: u64,
    /// Bytes of the records after `from`.
    pub(super) bytes: u64,
    /// Records after `from`.
    pub(super) records: u64,
    /// The headers of all segments, the last one being the one to go on with.
    pub(super) segments: Vec<Header>,
    /// Where the last segment's frames end.
    pub(super) end: u64,
    /// Whether the last frame says that everything before it is durable.
    pub(super) marked: bool,
    /// Where the last segment's last mark begins, or its frames if it has none. What is before that is durable. What
    /// follows may be in the page cache only, and even a sync need not change that: see `start.rs`.
    pub(super) doubtful: u64,
    /// The same of the segment before, which that mark ends.
    pub(super) doubtful_before: u64,
    /// If the last segment has bytes after its frames: the offset after the last one that is not zero.
    pub(super) torn_until: Option<u64>,
    /// A segment that was made but never used.
    pub(super) unused: Option<u64>,
}

/// What takes a segment's path, an offset in it, a commit's number and its payload.
pub(super) type RecordSink<'a> = &'a mut dyn FnMut(&Path, u64, u64, &[u8]) -> Result<(), Error>;

/// Feeds the records after commit `from` to `record`. `numbers` are the segments there are, ascending; the first
/// needed one is `first`.
pub(super) fn replay(
    files: &dyn Files,
    dir: &Path,
    store: u64,
    first: u64,
    from: u64,
    numbers: &[u64],
    record: RecordSink<'_>,
) -> Result<Replayed, Error> {
    let mut done = Replayed {
        last: 0,
        bytes: 0,
        records: 0,
        segments: Vec::new(),
        end: 0,
        marked: false,
        doubtful: 0,
        doubtful_before: 0,
        torn_until: None,
        unused: None,
    };
    let mut number = first;
    loop {
        let path = log::segment_path(dir, number);
        if !numbers.contains(&number) {
            return Err(Error::damaged(&path, 0, "this log segment is missing"));
        }
        let mut segment = Segment::open(files, path, store, number)?;
        let base = segment.header.base;
        if done.segments.is_empty() {
            if base > from {
                let what = format!("the segment follows commit {base}, the checkpoint holds commit {from}");
                return Err(Error::damaged(&segment.path, 0, what));
            }
            done.last = base;
        } else if base != done.last {
            let what = format!("the segment follows commit {base}, the one before it ends with commit {}", done.last);
            return Err(Error::damaged(&segment.path, 0, what));
        }
        done.segments.push(segment.header);
        let goes_on = segment.frames(&mut done, from, record)?;
        if !goes_on {
            break;
        }
        number += 1;
    }
    if let Some(later) = numbers.iter().copied().find(|later| *later > number) {
        // Made, but the segment before it does not say so: then it must be unused.
        if later != number + 1 || numbers.last() != Some(&later) || !is_unused(files, dir, store, later)? {
            let what = format!("the log ends here, but segment {later} holds records");
            return Err(Error::damaged(&log::segment_path(dir, number), done.end, what));
        }
        done.unused = Some(later);
    }
    if done.last < from {
        let what = format!("the log ends with commit {}, the checkpoint holds commit {from}", done.last);
        return Err(Error::damaged(&log::segment_path(dir, number), done.end, what));
    }
    Ok(done)
}

/// Whether a segment has an intact header and not one frame.
pub(super) fn is_unused(files: &dyn Files, dir: &Path, store: u64, number: u64) -> Result<bool, Error> {
    let mut segment = Segment::open(files, log::segment_path(dir, number), store, number)?;
    let begin = HEADER_BYTES as u64;
    Ok(segment.frame(begin)?.is_none() && matches!(segment.tail(begin)?, Tail::Torn(_)))
}

/// The store's random number in a segment's header.
pub(super) fn store_of(files: &dyn Files, dir: &Path, number: u64) -> Result<u64, Error> {
    Ok(Segment::read_header(files, &log::segment_path(dir, number))?.1.store)
}

/// What is behind the last frame.
enum Tail {
    /// A valid mark, here: what is before it was durable.
    Mark(u64),
    /// No mark. The offset after the last byte that is not zero, if there is one.
    Torn(Option<u64>),
}

/// One segment, read through a window.
struct Segment {
    header: Header,
    path: PathBuf,
    file: Box<dyn File>,
    window: Vec<u8>,
    /// Where in the file the window starts.
    start: u64,
}

/// Bytes read at once, if a record is not longer.
const WINDOW_BYTES: usize = 1 << 20;

impl Segment {
    fn open(files: &dyn Files, path: PathBuf, store: u64, number: u64) -> Result<Self, Error> {
        let (file, header) = Self::read_header(files, &path)?;
        if header.store != store {
            return Err(Error::damaged(&path, 16, "the segment belongs to another data directory"));
        }
        if header.segment != number {
            return Err(Error::damaged(&path, 24, format!("this is segment {} under another name", header.segment)));
        }
        let length = file.len().at("read the length of", &path)?;
        if length != header.capacity {
            let what = format!("the segment is {length} bytes long and should be {}", header.capacity);
            return Err(Error::damaged(&path, length.min(header.capacity), what));
        }
        Ok(Self { header, path, file, window: Vec::new(), start: 0 })
    }

    fn read_header(files: &dyn Files, path: &Path) -> Result<(Box<dyn File>, Header), Error> {
        let file = files.open(path).at("open", path)?;
        let length = file.len().at("read the length of", path)?;
        if length < HEADER_BYTES as u64 {
            return Err(Error::damaged(path, length, "the file ends within the segment's header"));
        }
        let mut bytes = [0; HEADER_BYTES];
        read_exact_at(&*file, 0, &mut bytes).at("read", path)?;
        Ok((file, Header::decode(path, &bytes)?))
    }

    /// Takes all frames into `done`; whether the log goes on in the next segment.
    fn frames(&mut self, done: &mut Replayed, from: u64, record: RecordSink<'_>) -> Result<bool, Error> {
        done.end = HEADER_BYTES as u64;
        done.marked = false;
        done.doubtful_before = done.doubtful;
        done.doubtful = done.end;
        let path = self.path.clone();
        loop {
            let at = done.end;
            let length = match self.frame(at)? {
                Some((Frame::Record { commit, payload }, length)) => {
                    if Some(commit) != done.last.checked_add(1) {
                        return Err(Error::damaged(&path, at, format!("commit {commit} follows commit {}", done.last)));
                    }
                    done.last = commit;
                    done.marked = false;
                    if commit > from {
                        done.bytes += length as u64;
                        done.records += 1;
                        record(&path, at, commit, payload)?;
                    }
                    length
                }
                Some((Frame::Mark { commit, next }, length)) => {
                    if commit != done.last {
                        let what = format!("a mark says commit {commit} after commit {}", done.last);
                        return Err(Error::damaged(&path, at, what));
                    }
                    done.marked = true;
                    done.doubtful = at;
                    if next {
                        return Ok(true);
                    }
                    length
                }
                None => {
                    let mark = match self.tail(at)? {
                        Tail::Mark(mark) => mark,
                        Tail::Torn(until) => {
                            done.torn_until = until;
                            return Ok(false);
                        }
                    };
                    let last = done.last;
                    let what =
                        format!("what follows commit {last} is bad, though it was durable (mark at byte {mark})");
                    return Err(Error::damaged(&path, at, what));
                }
            };
            done.end = at + length as u64;
        }
    }

    fn place(&self, offset: u64) -> Place {
        Place { store: self.header.store, segment: self.header.segment, offset }
    }

    /// The frame at `at` and its length, if there is one whose checksum is right.
    fn frame(&mut self, at: u64) -> Result<Option<(Frame<'_>, usize)>, Error> {
        let place = self.place(at);
        let Some(header) = self.bytes(at, RECORD_HEADER_BYTES)? else { return Ok(None) };
        let length = match log::shape(header) {
            Shape::Record(length) => length,
            Shape::Mark => MARK_BYTES,
            Shape::None => return Ok(None),
        };
        let frame = self.bytes(at, length)?.and_then(|frame| log::parse(frame, place));
        Ok(frame.map(|frame| (frame, length)))
    }

    /// What follows `at`, where no frame is.
    fn tail(&mut self, mut at: u64) -> Result<Tail, Error> {
        let mut torn_until = None;
        while at < self.header.capacity {
            let place = self.place(at);
            let length = usize::try_from(self.header.capacity - at).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            let Some(bytes) = self.bytes(at, length)? else { break };
            // Most of a segment's end is zeros.
            if !log::is_zero(bytes) {
                if let Some(mark) = log::find_mark(bytes, place) {
                    return Ok(Tail::Mark(at + mark as u64));
                }
                let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
                torn_until = torn_until.max(Some(at + last as u64 + 1));
            }
            // A mark may begin in one window and end in the next.
            let step = if length == WINDOW_BYTES { length - (MARK_BYTES - 1) } else { length };
            at += step as u64;
        }
        Ok(Tail::Torn(torn_until))
    }

    /// `length` bytes at `at`; none if the segment ends before.
    fn bytes(&mut self, at: u64, length: usize) -> Result<Option<&[u8]>, Error> {
        if at.checked_add(length as u64).is_none_or(|end| end > self.header.capacity) {
            return Ok(None);
        }
        let inside = at >= self.start && at + length as u64 <= self.start + self.window.len() as u64;
        if !inside {
            let left = usize::try_from(self.header.capacity - at).unwrap_or(usize::MAX);
            // No more than the file holds: its length was compared with the capacity.
            self.window.resize(left.min(length.max(WINDOW_BYTES)), 0);
            self.start = at;
            if let Err(source) = read_exact_at(&*self.file, at, &mut self.window) {
                self.window.clear();
                return Err(Error::io("read", &self.path, source));
            }
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.window.get(from..).and_then(|bytes| bytes.get(..length)))
    }
}
