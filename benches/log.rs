//! The commit log on this machine's disk, beside a bare write and sync of the same bytes; and a start.
//!
//! The directory is `FLINT_BENCH_DIR`, or the system's for temporary files: name one on the disk that counts.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flint::store::persist::{Files, Options, RealFiles, Recover, Source, Store, append_record, open};

/// Bytes of a commit that upserts one row of 100 bytes, about.
const PAYLOAD_BYTES: usize = 130;
const GROUPS: [u64; 3] = [1, 64, 1000];

struct Count(u64);

impl Recover for Count {
    fn meta(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn row(&mut self, _: u32, key: &[u8], row: &[u8]) -> Result<(), String> {
        black_box((key, row));
        self.0 += 1;
        Ok(())
    }

    fn record(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
        self.0 += 1;
        Ok(())
    }
}

fn temp() -> tempfile::TempDir {
    match std::env::var_os("FLINT_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir().unwrap(),
    }
}

fn start(dir: &Path) -> (Store, mpsc::Receiver<()>) {
    let (wake, woken) = mpsc::sync_channel(1);
    let notify = Arc::new(move || {
        // A wake-up that is pending already is enough.
        let _ = wake.try_send(());
    });
    (open(dir, Arc::new(RealFiles), Options::default(), &mut Count(0), notify).unwrap(), woken)
}

fn group(first: u64, commits: u64) -> Vec<u8> {
    let mut records = Vec::new();
    (first..first + commits).for_each(|commit| append_record(&mut records, commit, &[7; PAYLOAD_BYTES]));
    records
}

fn durable_groups(c: &mut Criterion) {
    let temp = temp();
    let mut benches = c.benchmark_group("durable commits");
    for commits in GROUPS {
        benches.throughput(Throughput::Elements(commits));
        let (store, woken) = start(&temp.path().join(commits.to_string()));
        let mut last = 0;
        benches.bench_function(BenchmarkId::new("log", commits), |b| {
            b.iter(|| {
                let records = group(last + 1, commits);
                last += commits;
                store.submit(last, records);
                while store.durable() < last {
                    let _ = woken.recv_timeout(Duration::from_secs(1));
                }
            });
        });
        assert!(store.close().is_none());

        let bytes = group(1, commits);
        let length = 16 << 20;
        let mut file = RealFiles.create(&temp.path().join(format!("floor-{commits}"))).unwrap();
        file.preallocate(length).unwrap();
        file.sync().unwrap();
        let mut offset = 0;
        benches.bench_function(BenchmarkId::new("bare write and sync", commits), |b| {
            b.iter(|| {
                if offset + bytes.len() as u64 > length {
                    offset = 0;
                }
                file.write_at(offset, &bytes).unwrap();
                file.sync().unwrap();
                offset += bytes.len() as u64;
            });
        });
    }
}

fn append(c: &mut Criterion) {
    let mut out = Vec::new();
    c.bench_function("append a record of 130 bytes", |b| {
        b.iter(|| {
            out.clear();
            append_record(&mut out, 1, black_box(&[7; PAYLOAD_BYTES]));
        });
    });
}

/// Rows with keys of 8 bytes and values of 100.
struct Rows(Vec<([u8; 8], [u8; 100])>);

impl Source for Rows {
    fn commit(&self) -> u64 {
        0
    }

    fn meta(&self) -> Vec<u8> {
        Vec::new()
    }

    fn row_count(&self) -> u64 {
        self.0.len() as u64
    }

    fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_> {
        Box::new(self.0.iter().map(|(key, row)| (18, &key[..], &row[..])))
    }
}

fn starts(c: &mut Criterion) {
    let mut random = fastrand::Rng::with_seed(1);
    // A smoke run is about the code, not about a million rows.
    let smoke = !std::env::args().any(|arg| arg == "--bench");
    for (name, rows) in [("1k", 1_000), ("1M", if smoke { 1_000 } else { 1_000_000_u64 })] {
        let temp = temp();
        let (store, _woken) = start(temp.path());
        let mut row = || {
            let mut row = [0; 100];
            random.fill(&mut row);
            row
        };
        let rows = Rows((0..rows).map(|n| (n.to_be_bytes(), row())).collect());
        let (send, done) = mpsc::channel();
        store.checkpoint(Box::new(rows), Box::new(move |result| send.send(result.unwrap()).unwrap()));
        done.recv().unwrap();
        store.close();
        let mut benches = c.benchmark_group("start");
        benches.sample_size(10);
        benches.bench_function(format!("and stop, {name} rows in a checkpoint"), |b| b.iter(|| start(temp.path())));
    }
}

criterion_group!(benches, append, durable_groups, starts);
criterion_main!(benches);
