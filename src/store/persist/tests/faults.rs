//! Failing operations, lost power, full and slow disks.

use std::io;

use super::*;

/// One run of everything: a start with a log to replay, commits, a checkpoint while commits go on, a stop.
/// Afterwards the last commit that was durable and the last that was submitted.
fn everything(disk: &FaultyFiles) -> Result<(u64, u64), Error> {
    let mut db = Db::open(&dir(), disk.clone())?;
    for _ in 0..4 {
        db.commit(2);
    }
    let checkpoint = db.start_checkpoint();
    db.commit(1);
    // Its outcome does not matter: it must come, and the store must be right.
    let _ = checkpoint.recv_timeout(Duration::from_secs(20)).expect("the checkpoint ends");
    db.commit(2);
    let (durable, submitted) = (db.store.durable(), db.model.commit);
    assert!(durable == submitted || db.store.failure().is_some());
    db.store.close();
    Ok((durable, submitted))
}

/// Opens what is left and compares it with what must be there.
fn assert_right(disk: &FaultyFiles, acknowledged: u64, submitted: u64, what: &str) {
    let found = match contents(&dir(), disk) {
        Err(Error::NotFound { .. }) if acknowledged == 0 => Model::default(),
        found => found.unwrap_or_else(|error| panic!("{what}: {error}")),
    };
    assert!(found.commit >= acknowledged, "{what}: commit {acknowledged} was lost, {} is the last", found.commit);
    assert!(found.commit <= submitted, "{what}: commit {} was never made", found.commit);
    assert_eq!(found, Model::at(found.commit), "{what}");
    // It can also be opened and written, and read again after that.
    let mut db = Db::open(&dir(), disk.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(db.model, found, "{what}");
    assert!(db.commit(1), "{what}");
    db.store.close();
    assert_eq!(contents(&dir(), disk).unwrap(), Model::at(found.commit + 1), "{what}");
}

#[test]
fn every_operation_of_a_start_a_commit_and_a_checkpoint_fails_once() {
    let before = FaultyFiles::new();
    sample(&before);
    let whole = before.fork();
    let (acknowledged, _) = everything(&whole).unwrap();
    let operations = whole.operations();
    assert!(operations > 60, "{operations}");
    for operation in 0..operations {
        for fault in [Fault::Once(io::ErrorKind::Other), Fault::Once(io::ErrorKind::StorageFull), Fault::PowerOff] {
            let disk = before.fork();
            disk.fail_at(operation, fault);
            let what = format!("{fault:?} at operation {operation}");
            let first = acknowledged - 11;
            let (durable, submitted) = everything(&disk).unwrap_or((first, first));
            assert_right(&disk.after_power_loss(operation), durable, submitted, &what);
        }
    }
}

#[test]
fn every_operation_of_a_first_start_fails_once() {
    for fault in [Fault::Once(io::ErrorKind::Other), Fault::PowerOff] {
        for operation in 0.. {
            let disk = FaultyFiles::new();
            disk.fail_at(operation, fault);
            let opened = Db::open(&dir(), disk.clone());
            let done = opened.is_ok() && disk.operations() <= operation;
            drop(opened);
            let after = disk.after_power_loss(operation);
            let mut db = Db::open(&dir(), after.clone()).unwrap_or_else(|error| panic!("{operation}: {error}"));
            assert!(db.commit(1));
            db.store.close();
            assert_eq!(contents(&dir(), &after).unwrap(), Model::at(1));
            if done {
                break;
            }
        }
    }
}

/// More rounds: `FLINT_POWER_LOSSES=3000 cargo test --lib power_losses`.
#[test]
fn power_losses_lose_nothing_acknowledged_and_tear_nothing() {
    let rounds = std::env::var("FLINT_POWER_LOSSES").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut disk = FaultyFiles::new();
    let mut checkpoints = 0;
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut acknowledged = 0;
        let mut submitted = 0;
        if seed % 40 == 0 {
            disk = FaultyFiles::new();
        }
        let before = contents_commit(&disk);
        let in_start = random.u8(0..4) == 0;
        if in_start {
            disk.fail_at(disk.operations() + random.u64(2..60), Fault::PowerOff);
        }
        if let Ok(mut db) = Db::open(&dir(), disk.clone()) {
            if !in_start {
                disk.fail_at(disk.operations() + random.u64(5..400), Fault::PowerOff);
            }
            while db.store.failure().is_none() {
                db.submit(random.u64(1..6));
                match random.u8(0..12) {
                    0 => drop(db.start_checkpoint()),
                    1 => checkpoints += u64::from(db.checkpoint().is_ok()),
                    2..=7 => drop(db.wait()),
                    _ => {}
                }
            }
            acknowledged = db.store.durable();
            submitted = db.model.commit;
            db.store.crash();
        }
        let what = format!("seed {seed}");
        let (acknowledged, submitted) = (acknowledged.max(before), submitted.max(before));
        disk = if random.u8(0..4) == 0 { disk.after_kill() } else { disk.after_power_loss(seed) };
        assert_right(&disk, acknowledged, submitted, &what);
    }
    assert!(checkpoints > rounds / 10, "{checkpoints} checkpoints");
}

/// The last commit on a disk whose faults have not begun; 0 if nothing is there yet.
fn contents_commit(disk: &FaultyFiles) -> u64 {
    contents(&dir(), &disk.fork()).map_or(0, |model| model.commit)
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_what_was_acknowledged() {
    for room in (0..60_000).step_by(1500) {
        let disk = FaultyFiles::new();
        let before = sample(&disk).commit;
        disk.limit(Some(disk.used() + room));
        let what = format!("{room} bytes of room");
        let (durable, submitted) = match everything(&disk) {
            Ok(commits) => commits,
            Err(error) => {
                assert!(error.is_disk_full(), "{what}: {error}");
                (before, before)
            }
        };
        disk.limit(None);
        assert_right(&disk, durable, submitted, &what);
    }
}

#[test]
fn a_checkpoint_without_room_changes_nothing() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(30));
    let first = db.checkpoint().unwrap();
    assert!(db.commit(3));
    let before = disk.paths().len();
    disk.limit(Some(disk.used() + options().segment_bytes + 100));
    let error = db.checkpoint().unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    // One more log segment, and nothing of the checkpoint.
    assert_eq!(disk.paths().len(), before + 1);
    assert!(db.store.failure().is_none());
    assert!(db.commit(3));
    disk.limit(None);
    assert_eq!(db.checkpoint().unwrap().generation, first.generation + 1);
    db.store.close();
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::at(36));
}

#[test]
fn a_failed_sync_is_final() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(5));
    // The mark of the group before, the group's own write, its sync.
    while disk.contents(&dir().join("log-0000000001"))[64..].iter().rposition(|byte| *byte != 0).is_none() {}
    db.submit(1);
    disk.fail_at(disk.operations(), Fault::Once(io::ErrorKind::Other));
    disk.fail_at(disk.operations() + 1, Fault::Once(io::ErrorKind::Other));
    while db.wait() {
        disk.fail_at(disk.operations() + 1, Fault::Once(io::ErrorKind::Other));
        db.submit(1);
    }
    let durable = db.store.durable();
    let text = db.store.failure().unwrap().to_string();
    assert!(text.contains("log-0000000001"), "{text}");
    db.submit(1);
    assert_eq!((db.store.durable(), db.store.backlog_bytes()), (durable, 0));
    assert_eq!(db.checkpoint().unwrap_err().to_string(), text);
    let submitted = db.model.commit;
    assert_eq!(db.store.close().unwrap().to_string(), text);
    assert_right(&disk.after_power_loss(1), durable, submitted, "after a failed sync");
}

#[test]
fn commits_gather_while_the_disk_is_slow() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    disk.delay_syncs(Duration::from_millis(20));
    let before = disk.operations();
    (0..100).for_each(|_| db.submit(1));
    assert!(db.store.backlog_bytes() > 0);
    assert!(db.wait());
    assert_eq!(db.store.backlog_bytes(), 0);
    let operations = disk.operations() - before;
    assert!(operations < 60, "{operations} operations for 100 commits");
}

/// After a failed sync the kernel takes the lost pages for clean: a process that starts on them reads what is not on the
/// disk, and its syncs do not write it.
#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_written_again() {
    for seed in 0..60 {
        let disk = FaultyFiles::new();
        let mut db = Db::open(&dir(), disk.clone()).unwrap();
        for _ in 0..seed {
            assert!(db.commit(1));
        }
        // Whether this is the mark, the group or its sync depends on the committer: among many runs it is each of them.
        while db.wait() {
            disk.fail_at(disk.operations() + seed % 3, Fault::Once(io::ErrorKind::Other));
            db.submit(1);
        }
        let acknowledged = db.store.durable();
        let killed = disk.after_kill();
        drop(db);

        let mut db = Db::open(&dir(), killed.clone()).unwrap();
        assert!(db.model.commit >= acknowledged);
        assert!(db.commit(2));
        let right = db.model.clone();
        let lost = killed.after_power_loss(seed);
        drop(db);
        assert_eq!(contents(&dir(), &lost).unwrap(), right, "seed {seed}");
    }
}
