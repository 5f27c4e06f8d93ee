//! kill -9: clients of both dialects write to the real program, which is killed at a random moment, also while it makes a
//! checkpoint and while it starts; then everybody's rows and schema versions are compared with what they did.
//!
//! 20 rounds by default. The long run:
//! `FLINT_KILL_ROUNDS=1000 cargo test --release --test it kill:: -- --nocapture`

use crate::lanes::{Fleet, Shared};
use crate::support::{Process, Seed, number};
use flint::control;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// One life of the server, from its start to its end.
fn live_and_die(fleet: &mut Fleet, server: Process, dir: &Path, rng: &mut fastrand::Rng) -> Shared {
    let shared = Shared::default();
    let lifetime = Duration::from_micros(rng.u64(0..200_000));
    let checkpoint = (rng.u8(0..3) == 0).then(|| lifetime.mul_f64(rng.f64()));
    thread::scope(|scope| {
        fleet.work(scope, server.addr(), &shared, rng);
        if let Some(delay) = checkpoint {
            scope.spawn(move || {
                thread::sleep(delay);
                // It may not live to answer.
                let _ = control::ask(dir, "checkpoint");
            });
        }
        thread::sleep(lifetime);
        let log = server.kill();
        assert!(!log.contains("panicked") && !log.contains("disk failed"), "{log}");
    });
    shared
}

fn start(dir: &Path, rng: &mut fastrand::Rng) -> Process {
    let bytes = ["4k", "32k", "256k", "64m"][rng.usize(0..4)];
    Process::start_on(dir, &["--checkpoint-log", bytes])
}

/// Starts that do not get far.
fn die_young(dir: &Path, rng: &mut fastrand::Rng) -> usize {
    let deaths = rng.usize(0..3);
    for _ in 0..deaths {
        let mut child = Process::spawn(&["--data-dir", dir.to_str().unwrap()]);
        thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("panicked"), "{log}");
    }
    deaths
}

fn check(dir: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_flint")).arg("check").arg("--data-dir").arg(dir).output().unwrap();
    assert!(output.status.success(), "flint check: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_was_acknowledged_survives_and_nothing_is_torn() {
    let seed = Seed::new();
    let rng = &mut seed.rng(0);
    let rounds = number("FLINT_KILL_ROUNDS", 20);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let mut server = start(&dir, rng);
    let mut fleet = Fleet::new(server.addr());
    let (begin, mut answered, mut unknown, mut young) = (Instant::now(), 0, 0, 0);
    for round in 1..=rounds {
        let shared = live_and_die(&mut fleet, server, &dir, rng);
        young += die_young(&dir, rng);
        if round % 5 == 0 {
            check(&dir);
        }
        server = start(&dir, rng);
        let (yes, no) = fleet.settle(server.addr(), &shared);
        answered += yes;
        unknown += no;
        if round % 100 == 0 {
            eprintln!("{round} rounds in {:?}", begin.elapsed());
        }
    }
    eprintln!(
        "{rounds} rounds and {young} starts cut short in {:?}: {answered} writes answered, {unknown} not",
        begin.elapsed()
    );
    assert!(answered > rounds, "hardly anything was written");
}
