//! Codecs: a row of three columns (INT64, STRING, DOUBLE) from msgpack to what is stored, and back.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use flint::store::key::{self, Key};
use flint::store::row::Row;
use flint::value::{ColumnType, UNLIMITED, Value};
use flint::wire::binary_tuple::{Builder, Tuple, is_canonical};
use flint::wire::msgpack::{Reader, Write};
use std::hint::black_box;

const TYPES: [ColumnType; 3] = [ColumnType::Int64, ColumnType::String { length: UNLIMITED }, ColumnType::Double];

fn row() -> [Value<'static>; 3] {
    [Value::Int(123_456_789), Value::Str("twenty characters ok".into()), Value::Double(0.125)]
}

fn message() -> Vec<u8> {
    let mut out = Vec::new();
    out.put_int(123_456_789);
    out.put_str("twenty characters ok");
    out.put_f64(0.125);
    out
}

fn tuple() -> Vec<u8> {
    let mut builder = Builder::new();
    row().iter().zip(TYPES).for_each(|(value, ty)| builder.push(value, ty));
    builder.build()
}

fn msgpack(c: &mut Criterion) {
    let message = message();
    c.bench_function("msgpack/read a row", |b| {
        b.iter(|| {
            let mut reader = Reader::new(black_box(&message));
            (reader.i64().unwrap(), reader.str().unwrap(), reader.f64().unwrap())
        });
    });
    let mut out = Vec::new();
    c.bench_function("msgpack/write a row", |b| {
        b.iter(|| {
            out.clear();
            out.put_int(black_box(123_456_789));
            out.put_str(black_box("twenty characters ok"));
            out.put_f64(black_box(0.125));
            out.len()
        });
    });
    let mut map = Vec::new();
    map.put_map(3);
    for name in ["id", "name", "share"] {
        map.put_str(name);
        map.put_str("value");
    }
    c.bench_function("msgpack/read a map as a tree", |b| b.iter(|| Reader::new(black_box(&map)).any().unwrap()));
}

fn binary_tuple(c: &mut Criterion) {
    let (values, bytes) = (row(), tuple());
    let (mut builder, mut out) = (Builder::new(), Vec::new());
    c.bench_function("binary tuple/pack a row", |b| {
        b.iter(|| {
            builder.clear();
            out.clear();
            black_box(&values).iter().zip(TYPES).for_each(|(value, ty)| builder.push(value, ty));
            builder.write(&mut out);
            out.len()
        });
    });
    c.bench_function("binary tuple/read a row", |b| {
        b.iter(|| {
            let tuple = Tuple::parse(black_box(&bytes), TYPES.len()).unwrap();
            TYPES.iter().enumerate().all(|(n, ty)| !tuple.value(n, *ty).unwrap().is_null())
        });
    });
    c.bench_function("binary tuple/check that a row is canonical", |b| {
        b.iter(|| {
            let tuple = Tuple::parse(black_box(&bytes), TYPES.len()).unwrap();
            TYPES.iter().enumerate().all(|(n, ty)| is_canonical(tuple.element(n).unwrap(), *ty))
        });
    });
}

fn stored(c: &mut Criterion) {
    let (values, bytes) = (row(), tuple());
    for (name, n) in [("INT64", 0), ("STRING", 1)] {
        c.bench_function(&format!("key/{name}"), |b| {
            b.iter(|| {
                let mut out = Key::new();
                key::push(&mut out, black_box(&values[n]), TYPES[n]).unwrap();
                out
            });
        });
    }
    c.bench_function("row/make", |b| b.iter(|| Row::new(1, black_box(&bytes))));
    let stored = Row::new(1, &bytes);
    c.bench_function("row/verify", |b| b.iter(|| Row::verified(black_box(stored.bytes())).unwrap()));
}

criterion_group!(benches, msgpack, binary_tuple, stored);
criterion_main!(benches);
