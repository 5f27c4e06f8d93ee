//! Power loss and failing disks under the whole server: clients of both dialects write to a server whose disk loses,
//! tears and reorders what was not synced, fails any single operation, or is full.
//!
//! A server whose disk has failed goes on to show what is durable, and nothing else: what it shows is compared, and must
//! be there after the next start. `FLINT_POWER_LOSS_ROUNDS` sets the number of rounds.

use crate::lanes::{Fleet, Shared};
use crate::support::{Seed, number};
use flint::TestServer;
use flint::store::persist::faulty::{Fault, FaultyFiles};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

fn start(files: &FaultyFiles, rng: &mut fastrand::Rng) -> TestServer {
    let bytes = [4 << 10, 32 << 10, 256 << 10, 64 << 20][rng.usize(0..4)];
    let files = Arc::new(files.clone());
    TestServer::builder().files(files).limits(|limits| limits.checkpoint_log_bytes = bytes).start()
}

fn has_failed(server: &TestServer) -> bool {
    server.handle().unwrap().with(|engine| engine.check_writable(0).is_err()).unwrap()
}

#[test]
fn what_was_acknowledged_survives_any_failure_of_the_disk() {
    let seed = Seed::new();
    let rng = &mut seed.rng(0);
    let rounds = number("FLINT_POWER_LOSS_ROUNDS", 30);
    let mut files = FaultyFiles::new();
    let mut server = start(&files, rng);
    let mut fleet = Fleet::new(server.addr());
    let (begin, mut answered, mut unknown, mut failed) = (Instant::now(), 0, 0, 0);
    for _ in 0..rounds {
        let shared = Shared::default();
        let kind = rng.u8(0..3);
        let loss = thread::scope(|scope| {
            fleet.work(scope, server.addr(), &shared, rng);
            let error = [ErrorKind::Other, ErrorKind::TimedOut, ErrorKind::StorageFull][rng.usize(0..3)];
            match kind {
                0 => files.fail_at(files.operations() + rng.u64(0..400), Fault::Once(error)),
                1 => files.limit(Some(files.used() + rng.u64(0..300_000))),
                _ => {}
            }
            if rng.bool() {
                files.delay_syncs(Duration::from_micros(rng.u64(0..3000)));
            }
            thread::sleep(Duration::from_micros(rng.u64(0..80_000)));
            let loss = (kind == 2).then(|| files.after_power_loss(rng.u64(..)));
            // Time to notice.
            thread::sleep(Duration::from_millis(10));
            shared.stop.store(true, Ordering::Relaxed);
            loss
        });
        if has_failed(&server) {
            failed += 1;
            fleet.look(server.addr(), &shared);
        }
        files = match loss {
            Some(files) => files,
            None if rng.bool() => files.after_power_loss(rng.u64(..)),
            None => files.after_kill(),
        };
        drop(server);
        server = start(&files, rng);
        let (yes, no) = fleet.settle(server.addr(), &shared);
        answered += yes;
        unknown += no;
    }
    eprintln!(
        "{rounds} rounds, {failed} with a failed disk, in {:?}: {answered} writes answered, {unknown} not",
        begin.elapsed()
    );
    assert!(answered > rounds && failed > 0, "hardly anything happened");
}
