//! The commands that work on a data directory nobody uses: `check`, `backup`, `restore`.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use crate::store::persist::{self, RealFiles};

/// `flint check DIR`: verifies everything and reports it to `out`. An error if the next start would be refused.
pub fn check(dir: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let report = persist::check(dir, &RealFiles)?;
    writeln!(out, "{}: format {}", dir.display(), report.format)?;
    match report.generation {
        0 => writeln!(out, "checkpoint: none yet")?,
        generation => {
            let persist::CheckReport { rows, checkpoint_bytes: bytes, checkpoint_commit: commit, .. } = report;
            writeln!(out, "checkpoint {generation}: {rows} rows, {bytes} bytes, up to commit {commit}")?;
        }
    }
    writeln!(out, "log: {} segments, {} commits after the checkpoint", report.segments, report.records)?;
    writeln!(out, "last commit: {}", report.commit)?;
    if let Some((path, offset, bytes)) = &report.torn {
        let path = path.display();
        writeln!(out, "{path}: {bytes} bytes at byte {offset} were being written when the server stopped")?;
        writeln!(out, "no client was told that they are durable; the next start cuts them off")?;
    }
    for damage in &report.damage {
        writeln!(out, "{damage}")?;
    }
    match report.damage.len() {
        0 => Ok(writeln!(out, "no damage found")?),
        1 => Err(format!("{} is damaged in one place", dir.display()).into()),
        n => Err(format!("{} is damaged in {n} files", dir.display()).into()),
    }
}

/// `flint backup DIR FILE`: writes all that `dir` holds to one checked file.
pub fn backup(dir: &Path, file: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let info = persist::backup_dir(dir, &RealFiles, file)?;
    Ok(describe("backed up to", file, info, out)?)
}

/// `flint restore FILE DIR`: makes a data directory from a backup.
pub fn restore(file: &Path, dir: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let info = persist::restore(file, dir)?;
    Ok(describe("restored to", dir, info, out)?)
}

fn describe(done: &str, path: &Path, info: persist::BackupInfo, out: &mut dyn Write) -> std::io::Result<()> {
    let persist::BackupInfo { commit, rows, records } = info;
    writeln!(out, "{done} {}: {rows} rows and {records} later commits, up to commit {commit}", path.display())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::persist::{Options, Recover, append_record};

    struct Ignore;

    impl Recover for Ignore {
        fn meta(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
            Ok(())
        }

        fn row(&mut self, _: u32, _: &[u8], _: &[u8]) -> Result<(), String> {
            Ok(())
        }

        fn record(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
    }

    fn text(run: impl FnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>) -> String {
        let mut out = Vec::new();
        run(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_database_is_checked_backed_up_and_restored() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let files = Arc::new(RealFiles);
        let store = persist::open(&path("a"), files, Options::default(), &mut Ignore, Arc::new(|| {})).unwrap();
        let mut records = Vec::new();
        append_record(&mut records, 1, b"one");
        append_record(&mut records, 2, b"two");
        store.submit(2, records);
        assert_eq!(store.close().map(|error| error.to_string()), None);

        let report = text(|out| check(&path("a"), out));
        assert!(report.ends_with("2 commits after the checkpoint\nlast commit: 2\nno damage found\n"), "{report}");
        let done = text(|out| backup(&path("a"), &path("file"), out));
        assert!(done.ends_with("0 rows and 2 later commits, up to commit 2\n"), "{done}");
        text(|out| restore(&path("file"), &path("b"), out));
        assert!(text(|out| check(&path("b"), out)).contains("last commit: 2\n"));
        let again = restore(&path("file"), &path("b"), &mut Vec::new()).unwrap_err().to_string();
        assert!(again.contains("is not empty"), "{again}");
        let nothing = check(&path("c"), &mut Vec::new()).unwrap_err().to_string();
        assert!(nothing.contains("not a flint data directory"), "{nothing}");
    }
}
