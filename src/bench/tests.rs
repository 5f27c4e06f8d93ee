use super::floor::Floor;
use super::workload::{Reading, Shape, Workload};
use super::*;
use std::sync::Arc;

fn workload(depth: usize) -> Workload {
    let shape = |name, request_bytes: u8, answer_bytes, weight| Shape {
        name,
        frame: [vec![0, 0, 0, request_bytes], vec![0; request_bytes.into()]].concat(),
        id_at: 4,
        keys_at: Vec::new(),
        values_at: Vec::new(),
        answer: 0..=0,
        answer_bytes,
        weight,
    };
    Workload {
        shapes: Arc::from([shape("get", 43, 104, 3), shape("upsert", 145, 0, 1)]),
        reading: Reading::Draft,
        hello: Arc::from([]),
        welcome: Arc::from([]),
        welcome_rest: 0,
        keys: 1,
        depth,
    }
}

#[test]
fn the_floor_answers_as_many_bytes_as_asked() {
    let floor = Floor::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (addr, stop) = (floor.addr(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| floor.run(Duration::ZERO, || stop.load(Ordering::Relaxed)));
        let workload = workload(300).floor();
        let mut measured = Measured::new("floor", &workload);
        for (connections, depth) in [(3, 1), (2, 300)] {
            let mut driver = Driver::connect(addr, connections, depth, workload.clone(), 1).unwrap();
            for _ in 0..2 {
                let operations = AtomicU64::new(0);
                let before = measured.count();
                driver.run(Instant::now() + Duration::from_millis(30), &mut measured, &operations).unwrap();
                assert_eq!(operations.into_inner(), measured.count() - before);
                assert!(measured.count() - before >= (connections * depth) as u64);
            }
        }
        let count = |n: usize| measured.operations[n].1.len();
        assert!(count(0) > count(1) && count(1) > 0);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn answers_are_judged() {
    let workload = workload(1);
    assert_eq!(workload.read(&[0, 5, 0, 1, 2]), Ok((5, 2)));
    assert_eq!(workload.read(&[0, 0xcc, 200, 0]), Ok((200, 0)));
    assert_eq!(workload.read(&[0, 0xcd, 1, 0, 0]), Ok((256, 0)));
    let error = workload.read(&[0, 5, 1, 0xa2, b'n', b'o']).unwrap_err();
    assert_eq!(error, "the server answered request 5 with status 1: no");
    assert!(workload.read(&[]).is_err());
    let ga = Workload { reading: Reading::Ga, ..workload };
    assert_eq!(ga.read(&[5, 0, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 1]), Ok((5, 1)));
    assert_eq!(ga.read(&[0xcd, 1, 0, 0, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xc0]), Ok((256, 2)));
    let mut answer = vec![5, 4, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1];
    let error = crate::error::Error::new(crate::error::Kind::LockTimeout, "no");
    crate::door::igni::ga::error::put_body(&mut answer, &error, 1, None);
    let text = "the server answered request 5 with error 458757, org.apache.ignite.tx.TransactionException: no";
    assert_eq!(ga.read(&answer).unwrap_err(), text);
}

#[test]
fn a_mix_reads_as_it_is_written() {
    let mix: Mix = "get=90,upsert=10,get_all".parse().unwrap();
    assert_eq!(mix.to_string(), "get=90,upsert=10,get_all=1");
    assert!("put=1".parse::<Mix>().unwrap_err().contains("there are get, upsert, get_all, upsert_all"));
    assert!("get=0".parse::<Mix>().is_err());
}

#[test]
fn the_sync_floor_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut measured = Measured::of_appends("sync floor");
    let mut floor = SyncFloor::create(dir.path(), 100).unwrap();
    floor.run(Instant::now() + Duration::from_millis(5), &mut measured, &AtomicU64::new(0)).unwrap();
    drop(floor);
    assert!(measured.count() > 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
