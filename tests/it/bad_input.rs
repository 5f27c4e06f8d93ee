//! Broken requests in great numbers: requests of both dialects, random and then damaged, against the real program, which
//! has to go on answering a good client at once, in bounded memory, without a panic.
//!
//! `FLINT_BAD_CONNECTIONS` sets the number of connections, of 25 requests each.

use crate::support::{Process, Seed, number};
use flint::client::{Client, Column, TableId, op};
use flint::value::{ColumnType, UNLIMITED, Value};
use flint::wire::binary_tuple::Builder;
use flint::wire::msgpack::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };
const REQUESTS: usize = 25;
/// Bad connections that are left open at one time.
const LEFT_OPEN: usize = 100;
/// What the server may grow by: what bad requests write, and what its allocator keeps.
const GROWTH_BYTES: u64 = 96 << 20;
/// How long the good client may wait, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Beginnings of values that promise more than there is, or that nobody knows.
const PROMISES: &[&[u8]] = &[
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x7f\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff",
    b"\xc9\x7f\xff\xff\xff\x09",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\0\0\0\0\0\0\0",
    b"\xce\x7f\xff\xff\xff",
    b"\xc1",
    b"\xc0",
    &[0x91; 100],
    &[0x81; 100],
];

/// A request of the draft dialect that is right, or nearly.
fn draft(rng: &mut fastrand::Rng, table: TableId) -> Vec<u8> {
    let code = if rng.u8(0..4) == 0 { rng.i64(0..45) } else { rng.i64(10..34) };
    let mut out = Vec::new();
    out.put_int(code);
    out.put_int(rng.i64(..));
    match code {
        op::TABLE_CREATE => {
            out.put_str(&format!("n{}", rng.u8(..)));
            out.put_map(1);
            out.put_str("columns");
            out.put_array(1);
            out.put_array(4);
            out.put_str("id");
            out.put_int(rng.i64(0..20));
            out.put_bool(true);
            out.put_bool(rng.bool());
        }
        op::TABLE_DROP | op::TABLE_GET => out.put_str(&format!("n{}", rng.u8(..))),
        op::SCHEMAS_GET => {
            table.write(&mut out);
            out.put_array(2);
            out.put_int(1);
            out.put_int(rng.i64(0..3));
        }
        // The codes of maps are those behind the codes of tuples.
        11 | 14 | 17 | 19 | 21 | 23 | 25 | 27 => {
            table.write(&mut out);
            if code == 14 || code == 21 {
                out.put_array(2);
            }
            for _ in 0..2 {
                out.put_map(2);
                out.put_str("id");
                out.put_int(rng.i64(0..50));
                out.put_str(if rng.bool() { "v" } else { "w" });
                out.put_str("value");
            }
        }
        _ => {
            table.write(&mut out);
            out.put_int(rng.i64(0..3));
            if matches!(code, 13 | 15 | 20 | 29 | 31) {
                out.put_int(2);
            }
            for _ in 0..2 {
                out.put_int(rng.i64(0..50));
                if !matches!(code, 12 | 15 | 28 | 29 | 32 | 33) {
                    out.put_str("value");
                }
            }
        }
    }
    out
}

/// A request of the GA dialect that is right, or nearly.
fn ga(rng: &mut fastrand::Rng, table: TableId) -> Vec<u8> {
    const CODES: &[i64] =
        &[1, 3, 4, 5, 10, 12, 13, 15, 16, 18, 20, 22, 24, 26, 28, 29, 30, 31, 32, 33, 43, 44, 45, 50, 53, 57];
    let code = if rng.u8(0..6) == 0 { rng.i64(0..80) } else { CODES[rng.usize(0..CODES.len())] };
    let mut out = Vec::new();
    out.put_int(code);
    out.put_int(rng.i64(..));
    match code {
        43 => {
            out.put_bool(rng.bool());
            out.put_int(1);
            out.put_int(0);
        }
        44 | 45 => out.put_int(rng.i64(0..4)),
        50 => {
            out.put_nil();
            out.put_str("PUBLIC");
            (0..3).for_each(|_| out.put_int(0));
            out.put_nil();
            out.put_int(0);
            out.put_bin(&[0]);
            out.put_str(&format!("CREATE TABLE N{} (ID INT PRIMARY KEY, V VARCHAR DEFAULT 'x')", rng.u8(..)));
            out.put_int(0);
            out.put_int(0);
        }
        _ => {
            let [.., a, b, c, d] = table.0;
            out.put_int(u32::from_be_bytes([a, b, c, d]).into());
            if rng.bool() {
                out.put_nil();
            } else {
                out.put_int(rng.i64(0..3));
            }
            out.put_int(1);
            if matches!(code, 13 | 15 | 20 | 29 | 31) {
                out.put_int(2);
            }
            for _ in 0..2 {
                let mut tuple = Builder::new();
                tuple.push(&Value::Int(rng.i64(0..50)), ColumnType::Int64);
                if !matches!(code, 12 | 15 | 28 | 29 | 32 | 33) {
                    tuple.push(&Value::Str("value".into()), TEXT);
                }
                out.put_ext(8, &[]);
                out.put_bin(&tuple.build());
            }
        }
    }
    out
}

/// Damages a payload, mostly.
fn damaged(mut payload: Vec<u8>, rng: &mut fastrand::Rng) -> Vec<u8> {
    let at = rng.usize(0..=payload.len());
    match rng.u8(0..6) {
        0 => payload.truncate(at),
        1 => {
            let promise = PROMISES[rng.usize(0..PROMISES.len())];
            payload.splice(at..(at + rng.usize(0..3)).min(payload.len()), promise.iter().copied());
        }
        2 => {
            let again = payload[at..].to_vec();
            payload.extend(again);
        }
        3 => {}
        _ => {
            for _ in 0..rng.usize(1..5) {
                let at = rng.usize(0..payload.len());
                payload[at] = rng.u8(..);
            }
        }
    }
    payload
}

fn framed(payload: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let right = payload.len() as u32;
    let length = match rng.u8(0..60) {
        0 => rng.u32(..),
        1 => right.wrapping_add(rng.u32(0..9)).wrapping_sub(4),
        2 => 1 << 30,
        _ => right,
    };
    [&length.to_be_bytes(), payload].concat()
}

/// A bad client's whole conversation.
fn conversation(rng: &mut fastrand::Rng, table: TableId) -> Vec<u8> {
    let is_ga = rng.bool();
    let hello: &[u8] = if is_ga { b"\x03\0\0\x02\xc4\0\0" } else { b"\x03\0\0\x02\xc4\0\x80" };
    let mut bytes = b"IGNI".to_vec();
    if rng.u8(0..10) == 0 {
        bytes.extend(framed(&damaged(hello.to_vec(), rng), rng));
    }
    bytes.extend([&[0, 0, 0, 7], hello].concat());
    for _ in 0..REQUESTS {
        let request = if is_ga { ga(rng, table) } else { draft(rng, table) };
        bytes.extend(framed(&damaged(request, rng), rng));
    }
    bytes
}

fn bad_client(addr: SocketAddr, bytes: &[u8], rng: &mut fastrand::Rng, open: &mut Vec<TcpStream>) {
    let mut stream = TcpStream::connect(addr).unwrap();
    // The server may have closed it by then.
    let _ = stream.write_all(bytes);
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    match rng.u8(0..4) {
        0 => drop(stream),
        1 => {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        }
        2 => {
            let _ = stream.read(&mut [0; 4096]);
        }
        _ => open.push(stream),
    }
    if open.len() > LEFT_OPEN {
        open.swap_remove(rng.usize(0..LEFT_OPEN));
    }
}

#[test]
fn damaged_requests_disturb_nobody() {
    let seed = Seed::new();
    let rng = &mut seed.rng(0);
    let server = Process::start(&["--in-memory"]);
    let columns = [Column::key("id", ColumnType::Int64), Column::value("v", TEXT)];
    let mut client = Client::connect(server.addr()).unwrap();
    let victim = client.table_create_with("victim", &columns, &["live"]).unwrap();
    let good = client.table_create("good", &columns).unwrap();
    let good = client.table(good).unwrap();
    let before = server.resident_bytes();
    let mut open = Vec::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..number("FLINT_BAD_CONNECTIONS", 3000) {
        let bytes = conversation(rng, victim);
        bad_client(server.addr(), &bytes, rng, &mut open);
        let begin = Instant::now();
        // Ids of GA tables are small, so a damaged request may meet this one; it will not meet this key.
        let key = Value::Int(rng.i64(..) | 1 << 62);
        good.upsert(&mut client, &[key.clone(), Value::Str("here".into())]).unwrap();
        assert_eq!(good.get(&mut client, &[key]).unwrap(), Some(vec![Value::Str("here".into())]));
        slowest = slowest.max(begin.elapsed());
    }
    let grown = server.resident_bytes().saturating_sub(before);
    // Enough of it was right to get far, in both dialects.
    let names: Vec<String> = client.tables_get().unwrap().into_values().collect();
    assert!(names.iter().any(|name| name.starts_with('n')) && names.iter().any(|name| name.starts_with("PUBLIC.N")));
    assert!(client.table(victim).unwrap().version > 1);
    drop(open);
    let log = server.kill();
    assert!(!log.contains("panicked"), "{log}");
    assert!(slowest < PATIENCE, "the good client waited {slowest:?}");
    assert!(grown < GROWTH_BYTES, "the server grew by {grown} bytes");
}
