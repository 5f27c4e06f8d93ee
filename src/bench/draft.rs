//! The draft dialect: preparing the table and the requests.

use super::workload::{Reading, Shape, Workload};
use super::{Error, Operation, Options, Progress, Result};
use crate::client::{Client, Column, Pipeline, Table, append_frame, op};
use crate::value::{ColumnType, UNLIMITED};
use crate::wire::frame::{HEADER_BYTES, MAGIC};
use crate::wire::msgpack::Write as _;
use std::time::Instant;

/// Rows of one request while loading, at most.
const LOAD_ROWS: u64 = 500;
/// Bytes of one request while loading, about.
const LOAD_BYTES: usize = 1 << 20;
/// Requests in flight while loading.
const LOAD_DEPTH: usize = 8;

/// Creates and loads the table, and tries each operation once.
pub(super) fn prepare(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Workload> {
    let mut client = Client::connect(options.addr)?;
    client.table_drop(&options.table)?;
    let columns = [Column::key("ID", ColumnType::Int64), Column::value("VAL", ColumnType::Bytes { length: UNLIMITED })];
    let id = client.table_create(&options.table, &columns)?;
    let table = client.table(id)?;
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let started = Instant::now();
    load(&mut client, &table, options, &mut rng)?;
    progress(Progress::Loaded(options.keys, started.elapsed()));
    let shapes = options.mix.0.iter().map(|(operation, weight)| {
        let mut shape = shape(*operation, *weight, &table, options, &mut rng)?;
        try_once(&mut client, &mut shape)?;
        Ok(shape)
    });
    let shapes = shapes.collect::<Result<_>>()?;
    let mut hello = MAGIC.to_vec();
    append_frame(&mut hello, |out| {
        [3, 0, 0, 2].into_iter().for_each(|n| out.put_int(n));
        out.put_bin(&[]);
        out.put_map(0);
    })?;
    let mut welcome = hello.clone();
    if let Some(code) = welcome.get_mut(MAGIC.len() + HEADER_BYTES + 3) {
        *code = 0;
    }
    Ok(Workload {
        shapes,
        reading: Reading::Draft,
        hello: hello.into(),
        welcome: welcome.into(),
        welcome_rest: 0,
        keys: options.keys,
        depth: options.depth,
    })
}

/// Drops the table.
pub(super) fn clean_up(options: &Options) -> Result<()> {
    Ok(Client::connect(options.addr)?.table_drop(&options.table)?)
}

fn load(client: &mut Client, table: &Table, options: &Options, rng: &mut fastrand::Rng) -> Result<()> {
    let rows_max = LOAD_ROWS.min((LOAD_BYTES / (options.value_bytes + 16)).max(1) as u64);
    let mut pipeline = Pipeline::new(client, LOAD_DEPTH, |reply| reply.reader().map(drop));
    let mut value = vec![0; options.value_bytes];
    let mut first = 0;
    while first < options.keys {
        let last = (first + rows_max).min(options.keys);
        pipeline.send(op::UPSERT_ALL, |out| {
            table.write_head(out);
            out.put_uint(last - first);
            for key in first..last {
                rng.fill(&mut value);
                out.put_uint(key);
                out.put_bin(&value);
            }
        })?;
        first = last;
    }
    Ok(pipeline.finish()?)
}

fn shape(
    operation: Operation,
    weight: u32,
    table: &Table,
    options: &Options,
    rng: &mut fastrand::Rng,
) -> Result<Shape> {
    let (code, rows, has_values) = match operation {
        Operation::Get => (op::GET, None, false),
        Operation::Upsert => (op::UPSERT, None, true),
        Operation::GetAll => (op::GET_ALL, Some(options.batch), false),
        Operation::UpsertAll => (op::UPSERT_ALL, Some(options.batch), true),
    };
    let mut value = vec![0; options.value_bytes];
    let (mut id_at, mut keys_at, mut values_at) = (0, Vec::new(), Vec::new());
    let mut frame = Vec::new();
    append_frame(&mut frame, |out| {
        out.put_int(code);
        // All places that change have one width, whatever the number.
        out.push(0xcd);
        id_at = out.len();
        out.extend_from_slice(&[0; 2]);
        table.write_head(out);
        if let Some(rows) = rows {
            out.put_uint(rows as u64);
        }
        for _ in 0..rows.unwrap_or(1) {
            out.push(0xcf);
            keys_at.push(out.len());
            out.extend_from_slice(&[0; 8]);
            if has_values {
                rng.fill(&mut value);
                out.put_bin(&value);
                if let (8.., Some(at)) = (value.len(), out.len().checked_sub(value.len())) {
                    values_at.push(at);
                }
            }
        }
    })?;
    // The first key that is tried is 0 for single rows, and for batches the first rows.
    for (key, at) in (0_u64..).zip(&keys_at) {
        frame.iter_mut().skip(*at).zip(key.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    }
    let rows = rows.unwrap_or(1);
    let answer = match operation {
        Operation::Get => options.value_bytes + 2..=options.value_bytes + 10,
        Operation::GetAll => rows * options.value_bytes..=rows * (options.value_bytes + 16) + 32,
        Operation::Upsert | Operation::UpsertAll => 0..=0,
    };
    Ok(Shape { name: operation.name(), frame, id_at, keys_at, values_at, answer, answer_bytes: 0, weight })
}

/// Sends the shape's frame as it is, and remembers the size of the answer.
fn try_once(client: &mut Client, shape: &mut Shape) -> Result<()> {
    client.write_raw(&shape.frame)?;
    let payload = client.read_frame()?;
    let data = payload.len().checked_sub(3);
    match data {
        Some(bytes) if payload.starts_with(&[0, 0, 0]) && shape.answer.contains(&bytes) => {
            shape.answer_bytes = bytes;
            Ok(())
        }
        _ => Err(Error::Answer(format!(
            "the server answered {} with {} bytes: {payload:02x?}",
            shape.name,
            payload.len()
        ))),
    }
}
