//! Every byte of a small database flipped, every file cut and removed: a refusal that names the file, or exactly the
//! right rows.

use super::super::backup::{backup_dir, restore_to};
use super::super::manifest::{MANIFEST, Manifest};
use super::*;

/// Checks one damaged copy: right, or refused with the file's name.
fn assert_noticed(disk: &FaultyFiles, path: &Path, at: usize, right: &Model, what: &str) {
    match contents(&dir(), disk) {
        Ok(found) => assert_eq!(&found, right, "{what}"),
        Err(Error::Damaged { path: named, offset, .. }) => {
            assert_eq!(named, path, "{what}");
            assert!(offset <= at as u64, "{what}: said to be at {offset}");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Flips one bit of every `step`th byte of every file that `which` wants.
fn flip(disk: &FaultyFiles, right: &Model, step: usize, which: impl Fn(&str) -> bool) -> usize {
    let mut flips = 0;
    for path in disk.paths() {
        let bytes = disk.contents(&path);
        for at in (0..bytes.len()).step_by(step).filter(|_| which(&path.to_string_lossy())) {
            let damaged = disk.fork();
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at * 5 % 8);
            damaged.set_contents(&path, bytes);
            assert_noticed(&damaged, &path, at, right, &format!("{} flipped at {at}", path.display()));
            flips += 1;
        }
    }
    flips
}

/// Where the frames of the first segment end.
fn log_end(disk: &FaultyFiles) -> usize {
    let store = replay::store_of(disk, &dir(), 1).unwrap();
    replay::replay(disk, &dir(), store, 1, 0, &[1], &mut |_, _, _, _| Ok(())).unwrap().end as usize
}

/// A database that is only log: two full segments and the beginning of one.
fn log_only() -> (FaultyFiles, Model) {
    let disk = FaultyFiles::new();
    let options = Options { segment_bytes: 1200, ..options() };
    let store = open(&dir(), Arc::new(disk.clone()), options, &mut Model::default(), Arc::new(|| {})).unwrap();
    let mut commit = 0;
    while !disk.paths().contains(&dir().join("log-0000000003")) || commit % 3 != 0 {
        commit += 1;
        let mut records = Vec::new();
        append_record(&mut records, commit, &payload(commit));
        store.submit(commit, records);
        while store.durable() < commit {
            std::thread::yield_now();
        }
    }
    store.close();
    (disk, Model::at(commit))
}

#[test]
fn every_flipped_byte_of_the_log_is_noticed() {
    let (disk, right) = log_only();
    assert!(flip(&disk, &right, 1, |_| true) > 3600);
}

#[test]
fn every_flipped_byte_of_a_checkpoint_is_noticed() {
    let disk = FaultyFiles::new();
    let right = sample(&disk);
    let whole = contents(&dir(), &disk).unwrap();
    assert_eq!(whole, right);
    assert!(flip(&disk, &right, 1, |name| name.contains("MANIFEST") || name.contains("conf")) > 200);
    assert!(flip(&disk, &right, 7, |name| name.contains("/db")) > 300);
    assert!(flip(&disk, &right, 97, |name| name.contains("log-")) > 100);
}

#[test]
fn every_cut_and_removed_file_is_noticed() {
    let disk = FaultyFiles::new();
    let right = sample(&disk);
    let (log, log_right) = log_only();
    for (disk, right) in [(disk, right), (log, log_right)] {
        for path in disk.paths() {
            let bytes = disk.contents(&path);
            let lengths = (0..bytes.len()).step_by(bytes.len() / 150 + 1).chain(bytes.len().checked_sub(1));
            for length in lengths {
                let damaged = disk.fork();
                damaged.set_contents(&path, bytes[..length].to_vec());
                let error = contents(&dir(), &damaged).unwrap_err();
                let what = format!("{} cut to {length}: {error}", path.display());
                assert!(matches!(&error, Error::Damaged { path: named, .. } if *named == path), "{what}");
            }
            let damaged = disk.fork();
            damaged.remove(&path).unwrap();
            match Db::open(&dir(), damaged) {
                Ok(db) => assert!(path.ends_with("lock") && db.model == right),
                Err(Error::Damaged { path: named, .. }) => assert_eq!(named, path),
                Err(error) => panic!("{} removed: {error}", path.display()),
            }
        }
    }
}

#[test]
fn a_killed_process_leaves_a_log_whose_damage_is_noticed() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    let before = disk.operations();
    assert!(db.commit(4));
    // The group, its sync, and the mark that is written once the group was acknowledged.
    while disk.operations() < before + 3 {
        std::thread::yield_now();
    }
    db.store.crash();
    let disk = disk.after_kill();
    let log = dir().join("log-0000000001");
    for at in log::HEADER_BYTES..log_end(&disk) - log::MARK_BYTES {
        let mut bytes = disk.contents(&log);
        bytes[at] ^= 0x40;
        let damaged = disk.fork();
        damaged.set_contents(&log, bytes);
        assert!(matches!(contents(&dir(), &damaged), Err(Error::Damaged { .. })), "flipped at {at}");
    }
}

#[test]
fn a_torn_tail_is_cut_and_told() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(4));
    db.store.close();
    let path = dir().join("log-0000000001");
    let mut bytes = disk.contents(&path);
    let end = log_end(&disk);
    let mut torn = Vec::new();
    (5..9).for_each(|commit| append_record(&mut torn, commit, &payload(commit)));
    // A group of which the first sector did not reach the disk, but later ones did.
    torn[..10].fill(0);
    bytes[end..end + torn.len()].copy_from_slice(&torn);
    disk.set_contents(&path, bytes);
    let report = check(&dir(), &disk).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.commit, report.torn.as_ref().map(|torn| torn.1)), (4, Some(end as u64)));
    // What is written next must not connect to the torn group's end.
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(1));
    db.store.crash();
    let disk = disk.after_kill();
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::at(5));
    assert_eq!(check(&dir(), &disk).unwrap().torn, None);
}

#[test]
fn damage_is_listed_for_every_file() {
    let disk = FaultyFiles::new();
    sample(&disk);
    let mut expected = Vec::new();
    for path in disk.paths() {
        let mut bytes = disk.contents(&path);
        if path.ends_with("db") || path.ends_with("conf") || path.to_string_lossy().contains("log-") {
            bytes[17] ^= 1;
            disk.set_contents(&path, bytes);
            expected.push(path);
        }
    }
    let damage = check(&dir(), &disk).unwrap().damage;
    let named: Vec<PathBuf> = damage
        .into_iter()
        .map(|error| match error {
            Error::Damaged { path, .. } => path,
            error => panic!("{error}"),
        })
        .collect();
    // Behind a damaged segment the log cannot be followed.
    assert!(named.len() >= 3 && named.iter().all(|path| expected.contains(path)), "{named:?}");
}

#[test]
fn a_newer_format_is_refused_and_said_so() {
    let disk = FaultyFiles::new();
    sample(&disk);
    let path = dir().join(MANIFEST);
    let text = "flint-data 2\nsomething new\n";
    disk.set_contents(&path, format!("{text}crc32 {:08x}\n", crc32fast::hash(text.as_bytes())).into_bytes());
    for error in [Db::open(&dir(), disk.clone()).err().unwrap(), check(&dir(), &disk).unwrap_err()] {
        assert!(matches!(error, Error::Newer { found: 2, supported: 1, .. }), "{error}");
    }
}

#[test]
fn a_record_that_cannot_be_applied_is_named() {
    struct Picky;

    impl Recover for Picky {
        fn meta(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
            Ok(())
        }

        fn row(&mut self, _: u32, _: &[u8], _: &[u8]) -> Result<(), String> {
            Ok(())
        }

        fn record(&mut self, commit: u64, _: &[u8]) -> Result<(), String> {
            if commit == 30 { Err("an unknown change".to_owned()) } else { Ok(()) }
        }
    }

    let disk = FaultyFiles::new();
    sample(&disk);
    let text = read(&dir(), &disk, &mut Picky).unwrap_err().to_string();
    assert!(text.contains("commit 30") && text.contains("an unknown change") && text.contains("log-"), "{text}");
}

#[test]
fn a_backup_restores_and_every_flipped_byte_of_it_is_noticed() {
    let disk = FaultyFiles::new();
    let right = sample(&disk);
    let (log, log_right) = log_only();
    for (disk, right) in [(disk, right), (log, log_right)] {
        let (file, other) = (PathBuf::from("/data/../backup"), PathBuf::from("/other"));
        disk.create_dir(file.parent().unwrap()).unwrap();
        let info = backup_dir(&dir(), &disk, &file).unwrap();
        assert_eq!(info.commit, right.commit);
        let target = disk.fork();
        assert_eq!(restore_to(&target, &file, &other).unwrap(), info);
        assert_eq!(contents(&other, &target).unwrap(), right);
        assert!(matches!(restore_to(&target, &file, &other).unwrap_err(), Error::NotEmpty { .. }));
        let mut db = Db::open(&other, target).unwrap();
        assert!(db.commit(1));
        let bytes = disk.contents(&file);
        let refused = |bytes: Vec<u8>, what: String| {
            let disk = disk.fork();
            disk.set_contents(&file, bytes);
            let error = restore_to(&disk, &file, &other).unwrap_err();
            assert!(matches!(&error, Error::Damaged { path, .. } if *path == file), "{what}: {error}");
            assert!(disk.list(&other).is_ok_and(|names| names.is_empty()), "{what}");
        };
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at * 3 % 8);
            refused(bytes, format!("flipped at {at}"));
        }
        for length in (0..bytes.len()).step_by(13).chain([bytes.len() - 1]) {
            refused(bytes[..length].to_vec(), format!("cut to {length}"));
        }
        let mut longer = bytes.clone();
        longer.push(0);
        refused(longer, "longer".to_owned());
    }
}

#[test]
fn an_interrupted_restore_is_not_taken_for_a_database() {
    let disk = FaultyFiles::new();
    let right = sample(&disk);
    let (file, other) = (PathBuf::from("/data/../backup"), PathBuf::from("/other"));
    disk.create_dir(file.parent().unwrap()).unwrap();
    backup_dir(&dir(), &disk, &file).unwrap();
    let whole = disk.fork();
    restore_to(&whole, &file, &other).unwrap();
    for operation in 0..whole.operations() {
        let disk = disk.fork();
        disk.fail_at(operation, Fault::PowerOff);
        let restored = restore_to(&disk, &file, &other).is_ok();
        let after = disk.after_power_loss(operation);
        let manifest = Manifest::read(&after, &other).unwrap();
        match contents(&other, &after) {
            Ok(found) => assert_eq!(found, right),
            Err(error) => assert!(!restored && manifest.is_none(), "{operation}: {error}"),
        }
    }
}

#[test]
fn damage_is_told_from_a_torn_tail_over_megabytes() {
    let disk = FaultyFiles::new();
    let options = Options { segment_bytes: 8 << 20, ..options() };
    let store = open(&dir(), Arc::new(disk.clone()), options, &mut Model::default(), Arc::new(|| {})).unwrap();
    for commit in 1..=3 {
        let mut records = Vec::new();
        append_record(&mut records, commit, &[&payload(commit)[..8], &[7; 2 << 20]].concat());
        store.submit(commit, records);
        while store.durable() < commit {
            std::thread::yield_now();
        }
    }
    store.close();
    let log = dir().join("log-0000000001");
    let (bytes, end) = (disk.contents(&log), log_end(&disk));
    let flipped = |at: usize, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        disk.set_contents(&log, bytes);
        check(&dir(), &disk).unwrap()
    };
    for at in [100, (2 << 20) + 500, (4 << 20) + 500, end - 100] {
        assert!(!flipped(at, &bytes).is_sound(), "{at}");
    }
    // Without the last mark, the last group may be a torn write.
    let mut unmarked = bytes;
    unmarked[end - log::MARK_BYTES..end].fill(0);
    let report = flipped((4 << 20) + 500, &unmarked);
    assert!(report.is_sound());
    assert_eq!((report.commit, report.records), (2, 2));
    let torn_bytes = report.torn.unwrap().2 as usize;
    assert_eq!(torn_bytes, log::RECORD_HEADER_BYTES + 8 + (2 << 20));
}
