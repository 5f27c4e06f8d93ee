//! A store's life without faults.

use super::*;

#[test]
fn commits_and_checkpoints_survive_on_real_files() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    for round in 0..4 {
        let mut db = Db::open(&dir, RealFiles).unwrap();
        assert_eq!(db.model, Model::at(round * 30));
        for _ in 0..10 {
            assert!(db.commit(2));
        }
        assert!(db.store.log_bytes() > 0);
        if round != 1 {
            let info = db.checkpoint().unwrap();
            assert_eq!((info.commit, info.rows), (db.model.commit, db.model.rows.len() as u64));
            assert_eq!(db.store.log_bytes(), 0);
        }
        db.submit(10);
        assert_eq!(db.store.close().map(|error| error.to_string()), None);
        let report = check(&dir, &RealFiles).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.commit, (round + 1) * 30);
    }
    let mut names = RealFiles.list(&dir).unwrap();
    names.sort();
    assert!(
        matches!(&names[..], [a, b, c, d] if a == "MANIFEST" && b.starts_with("checkpoint-") && c == "lock" && d.starts_with("log-")),
        "{names:?}"
    );
}

#[test]
fn a_second_process_is_kept_out() {
    let temp = tempfile::tempdir().unwrap();
    let db = Db::open(temp.path(), RealFiles).unwrap();
    assert!(matches!(Db::open(temp.path(), RealFiles).err().unwrap(), Error::Locked { .. }));
    assert!(matches!(check(temp.path(), &RealFiles).unwrap_err(), Error::Locked { .. }));
    db.store.close();
    Db::open(temp.path(), RealFiles).unwrap();
}

#[test]
fn an_interval_gathers_commits_and_a_stop_flushes() {
    let disk = FaultyFiles::new();
    let hour = Duration::from_secs(3600);
    let options = Options { durability: Durability::Interval(hour), ..options() };
    let store = open(&dir(), Arc::new(disk.clone()), options.clone(), &mut Model::default(), Arc::new(|| {})).unwrap();
    for commit in 1..=20 {
        let mut records = Vec::new();
        append_record(&mut records, commit, &payload(commit));
        store.submit(commit, records);
    }
    assert_eq!(store.durable(), 0);
    assert!(store.close().is_none());
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::at(20));

    let options = Options { durability: Durability::Interval(Duration::from_millis(5)), ..options };
    let (send, woken) = channel();
    let send = parking_lot::Mutex::new(send);
    let notify = Arc::new(move || send.lock().send(()).unwrap_or_default());
    let store = open(&dir(), Arc::new(disk), options, &mut Model::default(), notify).unwrap();
    let mut records = Vec::new();
    append_record(&mut records, 21, &payload(21));
    store.submit(21, records);
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(store.durable(), 21);
}

#[test]
fn a_crash_writes_nothing_more() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(3));
    disk.delay_syncs(Duration::from_millis(10));
    db.submit(3);
    db.store.crash();
    let found = contents(&dir(), &disk).unwrap();
    assert!(found.commit == 3 || found.commit == 6);
    assert_eq!(found, Model::at(found.commit));
}

#[test]
fn commit_numbers_have_no_gaps() {
    let disk = FaultyFiles::new();
    let db = Db::open(&dir(), disk.clone()).unwrap();
    let mut records = Vec::new();
    append_record(&mut records, 2, b"");
    db.store.submit(2, records);
    while db.store.failure().is_none() {
        let _ = db.woken.recv_timeout(Duration::from_millis(100));
    }
    let failure = db.store.close().unwrap().to_string();
    assert_eq!(failure, "commit 2 was handed to the log after commit 0");
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::default());
}

#[test]
fn a_group_longer_than_a_segment_gets_one_of_its_own() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(200));
    assert!(db.commit(1));
    db.store.close();
    assert!(disk.contents(&dir().join("log-0000000002")).len() as u64 > options().segment_bytes);
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::at(201));
}

#[test]
fn one_checkpoint_at_a_time_and_none_of_the_future() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(3));
    disk.delay_syncs(Duration::from_millis(20));
    let first = db.start_checkpoint();
    assert!(matches!(*db.checkpoint().unwrap_err(), Error::Busy));
    assert_eq!(first.recv().unwrap().unwrap().commit, 3);
    let ahead = Model::at(4);
    let (send, receive) = channel();
    db.store.checkpoint(Box::new(ahead), Box::new(move |result| send.send(result).unwrap_or_default()));
    assert!(matches!(*receive.recv().unwrap().unwrap_err(), Error::Misuse(_)));
    // A stop does not wait for a checkpoint's end, and its answer comes all the same.
    let last = db.start_checkpoint();
    db.store.close();
    assert!(last.recv().unwrap().is_ok_and(|info| info.commit == 3) || contents(&dir(), &disk).is_ok());
}

#[test]
fn a_checkpoint_of_an_older_value_keeps_the_log_it_needs() {
    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(10));
    let old = db.model.clone();
    for _ in 0..30 {
        assert!(db.commit(3));
    }
    let (send, receive) = channel();
    db.store.checkpoint(Box::new(old), Box::new(move |result| send.send(result).unwrap_or_default()));
    assert_eq!(receive.recv().unwrap().unwrap().commit, 10);
    db.store.close();
    assert_eq!(contents(&dir(), &disk).unwrap(), Model::at(100));
}

#[test]
fn a_source_that_lies_or_panics_makes_an_error() {
    struct Bad(u8);

    impl Source for Bad {
        fn commit(&self) -> u64 {
            1
        }

        fn meta(&self) -> Vec<u8> {
            Vec::new()
        }

        fn row_count(&self) -> u64 {
            2
        }

        fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_> {
            let row = |key: &'static [u8]| (1, key, &b"row"[..]);
            match self.0 {
                0 => Box::new([row(b"b"), row(b"a")].into_iter()),
                1 => Box::new([row(b"a")].into_iter()),
                _ => panic!("no rows today"),
            }
        }
    }

    let disk = FaultyFiles::new();
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    assert!(db.commit(1));
    for (kind, text) in [(0, "not sorted"), (1, "1 rows were given where 2 were announced"), (2, "no rows today")] {
        let (send, receive) = channel();
        db.store.checkpoint(Box::new(Bad(kind)), Box::new(move |result| send.send(result).unwrap_or_default()));
        let error = receive.recv().unwrap().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(db.commit(1));
    db.checkpoint().unwrap();
}

#[test]
fn rows_of_any_length_pass_through_a_checkpoint_and_a_backup() {
    let mut model = Model { commit: 0, ..Model::default() };
    for (i, length) in [0, 1, 100, 4096, 130_000, 300_000, 3_000_000, 7].into_iter().enumerate() {
        model.rows.insert((1, vec![i as u8; 2]), vec![i as u8; length]);
    }
    model.rows.insert((2, vec![9; 64 << 10]), vec![1; 5]);
    (0..50_000_u32).for_each(|i| drop(model.rows.insert((3, i.to_be_bytes().to_vec()), vec![i as u8; 60])));
    let temp = tempfile::tempdir().unwrap();
    let (data, file) = (temp.path().join("data"), temp.path().join("backup"));
    let db = Db::open(&data, RealFiles).unwrap();
    let (send, receive) = channel();
    db.store.checkpoint(Box::new(model.clone()), Box::new(move |result| send.send(result).unwrap_or_default()));
    let info = receive.recv().unwrap().unwrap();
    assert_eq!(info.rows, model.rows.len() as u64);
    db.store.close();
    assert_eq!(contents(&data, &RealFiles).unwrap(), model);
    backup(&model, &file).unwrap();
    let other = temp.path().join("other");
    assert_eq!(restore(&file, &other).unwrap().rows, info.rows);
    assert_eq!(contents(&other, &RealFiles).unwrap(), model);
}
