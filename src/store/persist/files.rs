//! The few file operations that durability rests on, as a trait, so that tests can put a disk below the store that
//! loses, tears, refuses and fills up ([`super::faulty`]).
//!
//! The contract is POSIX's, read pessimistically: a write is durable only after [`File::sync`] returned, a name only
//! after [`Files::sync_dir`] of its directory did, and a rename replaces its target in one step.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file system, as far as the store needs one.
pub trait Files: Send + Sync + 'static {
    /// Creates `dir` and what is missing above it; no error if it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The names in `dir`, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Creates a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Renames a file; one that has the new name already is replaced in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock file at `path`, creating it, until the result is dropped or the process ends.
    ///
    /// `WouldBlock` if another process, or another holder in this one, has it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
    /// An empty directory of the operating system's own file system, for what insists on paths: `name` below `dir`
    /// if `dir` is real. Nothing in it is expected to survive.
    fn scratch(&self, dir: &Path, name: &str) -> io::Result<PathBuf>;
}

/// Holds a lock while it lives.
pub type Lock = Box<dyn Send + Sync>;

/// An open file.
pub trait File: Send {
    /// Reads up to `buf.len()` bytes at `offset`; 0 only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Extends the file to `len` bytes of zeros and reserves the room for them.
    fn preallocate(&mut self, len: u64) -> io::Result<()>;
    /// Makes contents and length durable. After an error nothing is known of what was written since the last success.
    fn sync(&mut self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Reads exactly `buf.len()` bytes at `offset`, or says `UnexpectedEof`.
pub fn read_exact_at(file: &dyn File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        let n = file.read_at(offset, buf)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += n as u64;
        buf = &mut buf[n..];
    }
    Ok(())
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::open(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::options().read(true).write(true).open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut options = fs::File::options();
        Ok(Box::new(RealFile(options.read(true).write(true).create(true).truncate(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = fs::File::options().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn scratch(&self, dir: &Path, name: &str) -> io::Result<PathBuf> {
        let path = dir.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&path)?,
        }
        Ok(path)
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, len) {
            // A file system without fallocate: the length alone is set, and the room is not reserved.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.0.set_len(len),
            result => Ok(result?),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_files_read_what_was_written_and_lock_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = RealFiles.create(&path).unwrap();
        file.preallocate(100).unwrap();
        file.write_at(98, b"abcd").unwrap();
        file.sync().unwrap();
        assert_eq!(file.len().unwrap(), 102);
        let mut buf = [0; 6];
        read_exact_at(&*RealFiles.open(&path).unwrap(), 96, &mut buf).unwrap();
        assert_eq!(&buf, b"\0\0abcd");
        let eof = read_exact_at(&*file, 98, &mut buf).unwrap_err();
        assert_eq!(eof.kind(), io::ErrorKind::UnexpectedEof);

        let lock = dir.path().join("lock");
        let held = RealFiles.lock(&lock).unwrap();
        assert_eq!(RealFiles.lock(&lock).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        RealFiles.lock(&lock).unwrap();
    }
}
