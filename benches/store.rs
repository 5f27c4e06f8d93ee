//! The database value: 8-byte keys and 100-byte values, in the order of the keys and at random.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flint::store::database::Database;
use flint::store::key::{self, Key};
use flint::store::row::Row;
use flint::value::{ColumnType, Value};
use std::hint::black_box;

const TABLE: u32 = 18;
const ROWS: [(&str, u64); 3] = [("1k", 1_000), ("100k", 100_000), ("1M", 1_000_000)];

fn key(n: u64) -> Key {
    let mut key = Key::new();
    key::push(&mut key, &Value::Int(n as i64), ColumnType::Int64).unwrap();
    key
}

fn filled(rows: u64) -> (Database, fastrand::Rng) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut db = Database::new();
    for n in 0..rows {
        db.set(TABLE, key(n), Some(row(&mut rng)));
    }
    (db, rng)
}

fn row(rng: &mut fastrand::Rng) -> Row {
    let mut value = [0; 100];
    rng.fill(&mut value);
    Row::new(1, &value)
}

fn by_key(c: &mut Criterion) {
    for (name, rows) in ROWS {
        // A smoke run is about the code, not about a million rows.
        let rows = if smoke() { rows.min(1_000) } else { rows };
        let (mut db, mut rng) = filled(rows);
        c.bench_function(&format!("get/{name} rows"), |b| {
            b.iter(|| {
                let row = db.get(TABLE, &key(rng.u64(..rows))).unwrap();
                black_box(row.clone())
            });
        });
        c.bench_function(&format!("upsert/{name} rows"), |b| {
            b.iter_batched(
                || (key(rng.u64(..rows)), row(&mut rng)),
                |(key, row)| db.set(TABLE, key, Some(row)),
                BatchSize::SmallInput,
            );
        });
        let snapshot = db.clone();
        c.bench_function(&format!("upsert while a snapshot is held/{name} rows"), |b| {
            b.iter_batched(
                || (snapshot.clone(), key(rng.u64(..rows)), row(&mut rng)),
                |(mut db, key, row)| {
                    db.set(TABLE, key, Some(row));
                    db
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn whole(c: &mut Criterion) {
    let rows = if smoke() { 1_000 } else { 100_000 };
    let (db, mut rng) = filled(rows);
    let mut group = c.benchmark_group("whole table");
    group.throughput(Throughput::Elements(rows)).sample_size(20);
    group.bench_function("scan", |b| b.iter(|| db.scan(TABLE).map(|(_, row)| row.bytes().len()).sum::<usize>()));
    let content: Vec<_> = (0..rows).map(|n| (key(n), row(&mut rng))).collect();
    group.bench_function("load in key order", |b| {
        b.iter_batched(
            || content.clone(),
            |content| {
                let mut db = Database::new();
                for (key, row) in content {
                    db.set(TABLE, key, Some(row));
                }
                db
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    c.bench_function("snapshot", |b| b.iter(|| db.clone()));
}

/// Whether every bench runs only once, as under `cargo test --benches`.
fn smoke() -> bool {
    !std::env::args().any(|arg| arg == "--bench")
}

criterion_group!(benches, by_key, whole);
criterion_main!(benches);
