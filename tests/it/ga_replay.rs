//! What real clients sent to an Ignite 3.1.0 node, sent here; the answers are compared field by field.
//!
//! Differences that may be: ids of tables (mapped), hybrid timestamps and flag 1 (the node tells that its partition map
//! moved; there is nothing to move here), trace ids, and these:
//! - the handshake offers feature bit 1 only, so the layouts of the others are taken off the frames first: a flag before
//!   SQL requests, and transactions that begin with their first operation;
//! - partition maps name no node;
//! - in builds without feature `sql` queries and DML are answered as not supported, and the types of parameters
//!   are not told;
//! - a real node's query may see a moment before the last writes.

use super::ga_support::{Reply, WireError, World};
use flint::wire::msgpack::{Family, Reader, Write};
use std::collections::{HashMap, HashSet};

struct Message {
    session: String,
    connection: String,
    to_server: bool,
    request: Option<i64>,
    bytes: Vec<u8>,
    note: String,
}

fn messages() -> Vec<Message> {
    let text = include_str!("../../data/frames/ga/ignite-3.1.0.txt");
    let parse = |line: &str| {
        let mut fields = line.splitn(6, ' ');
        let mut next = || fields.next().unwrap_or_default().to_owned();
        let (session, connection, direction, request, hex) = (next(), next(), next(), next(), next());
        Message {
            session,
            connection,
            to_server: direction == ">",
            request: request.parse().ok(),
            bytes: (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect(),
            note: next(),
        }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

/// One recorded connection and ours.
struct Replay {
    client: usize,
    /// Recorded resource ids to ours.
    resources: HashMap<i64, i64>,
    /// Ours, of transactions that their first operation began, by that operation.
    begun: HashMap<i64, i64>,
}

/// Operations whose body starts with a table's id.
const ABOUT_A_TABLE: &[i64] = &[5, 10, 12, 13, 15, 16, 18, 20, 22, 24, 26, 28, 29, 30, 31, 32, 33, 53, 62, 65, 67];

#[test]
fn recorded_sessions_are_answered_alike() {
    let messages = messages();
    let mut world = World::new();
    // Left from an earlier recording.
    world.sql("CREATE TABLE CAP (ID INT PRIMARY KEY); CREATE TABLE PY1 (ID INT PRIMARY KEY); CREATE TABLE PYT (ID INT PRIMARY KEY)");
    let mut tables: HashMap<i64, i64> = HashMap::new();
    let mut connections: HashMap<String, Replay> = HashMap::new();
    let (mut compared, mut unsupported) = (0, 0);
    for (place, sent) in messages.iter().enumerate().filter(|(_, m)| m.to_server) {
        let answer = messages[place..]
            .iter()
            .find(|m| !m.to_server && m.connection == sent.connection && m.request == sent.request)
            .unwrap_or_else(|| panic!("no answer was recorded to {}", sent.note));
        let Some(_) = sent.request else {
            let client = world.connect();
            let replay = Replay { client, resources: HashMap::new(), begun: HashMap::new() };
            connections.insert(sent.connection.clone(), replay);
            continue;
        };
        let replay = connections.get_mut(&sent.connection).unwrap();
        let theirs = Reply::read(&answer.bytes);
        let mut reader = Reader::new(&sent.bytes);
        let (op, _id) = (reader.i64().unwrap(), reader.i64().unwrap());
        let frame = translate(op, sent, &theirs, replay, &tables, &mut world);
        world.frame(replay.client, &frame);
        let ours = world.drain(replay.client).pop().unwrap_or_else(|| panic!("no answer to {}", sent.note));
        assert_eq!(ours.id, theirs.id, "{}", sent.note);
        match compare(op, sent, &ours, &theirs, replay, &mut tables) {
            true => compared += 1,
            false => unsupported += 1,
        }
    }
    assert_eq!((compared, unsupported), if cfg!(feature = "sql") { (194, 0) } else { (140, 54) });
}

/// The frame with our ids, and in the layouts of feature bit 1.
fn translate(
    op: i64,
    sent: &Message,
    theirs: &Reply,
    replay: &mut Replay,
    tables: &HashMap<i64, i64>,
    world: &mut World,
) -> Vec<u8> {
    let mut reader = Reader::new(&sent.bytes);
    let (_op, id) = (reader.i64().unwrap(), reader.i64().unwrap());
    let mut frame = Vec::new();
    frame.put_int(op);
    frame.put_int(id);
    if op == 50 && sent.session.starts_with("java") {
        reader.bool().unwrap();
    }
    if ABOUT_A_TABLE.contains(&op) {
        let table = reader.i64().unwrap();
        frame.put_int(*tables.get(&table).unwrap_or_else(|| panic!("table {table} in {}", sent.note)));
        if !matches!(op, 5 | 53 | 62 | 65) {
            put_transaction(&mut reader, &mut frame, id, replay, world);
        }
    } else if matches!(op, 50 | 57) {
        put_transaction(&mut reader, &mut frame, id, replay, world);
    } else if matches!(op, 34..=37 | 44..=46 | 55 | 58 | 68) {
        let resource = reader.i64().unwrap();
        frame.put_int(*replay.resources.get(&resource).unwrap_or(&resource));
    }
    let _ = theirs;
    frame.extend_from_slice(reader.rest());
    frame
}

/// A transaction's id with ours; one that begins here is begun first.
fn put_transaction(reader: &mut Reader<'_>, frame: &mut Vec<u8>, request: i64, replay: &mut Replay, world: &mut World) {
    if reader.nil_if_next().unwrap() {
        return frame.put_nil();
    }
    match reader.i64().unwrap() {
        -1 => {
            let (observed, read_only, timeout) = (reader.i64().unwrap(), reader.bool().unwrap(), reader.i64().unwrap());
            let mut begin = vec![43];
            begin.put_int(1_000_000);
            begin.put_bool(read_only);
            begin.put_int(timeout);
            begin.put_int(observed);
            world.frame(replay.client, &begin);
            let reply = world.drain(replay.client).pop().unwrap().ok();
            let resource = Reader::new(&reply).i64().unwrap();
            replay.begun.insert(request, resource);
            frame.put_int(resource);
        }
        id => frame.put_int(*replay.resources.get(&id).unwrap_or(&id)),
    }
}

/// Whether a request asked for partition awareness, as Java's do at their end.
fn theirs_aware(request: &[u8]) -> bool {
    request.last() == Some(&0xc3)
}

/// The columns of a result and its rows.
fn result(reader: &mut Reader<'_>, aware: bool) -> (Vec<String>, HashSet<Vec<u8>>) {
    if !reader.nil_if_next().unwrap() {
        reader.i64().unwrap();
    }
    let flags = [reader.bool().unwrap(), reader.bool().unwrap(), reader.bool().unwrap()];
    assert!(flags[0]);
    assert_eq!(reader.i64().unwrap(), -1);
    let mut columns = Vec::new();
    for _column in 0..reader.i64().unwrap() {
        let parts = reader.i64().unwrap();
        let mut column = format!("{} {}", reader.str().unwrap(), reader.bool().unwrap());
        let (ty, scale, precision) = (reader.i64().unwrap(), reader.i64().unwrap(), reader.i64().unwrap());
        let has_origin = reader.bool().unwrap();
        assert_eq!(parts, if has_origin { 9 } else { 6 });
        // Lengths and fractions of what is calculated differ: they are those of what calculates it.
        let length = matches!(ty, 11 | 12 | 15 | 16) && !has_origin;
        column += &format!(" {ty} {scale} {}", if length { -1 } else { precision });
        for _part in 0..if has_origin { 3 } else { 0 } {
            column += &match reader.family().unwrap() {
                Family::Nil => reader.nil().map(|()| " -".to_owned()).unwrap(),
                Family::Integer => format!(" #{}", reader.i64().unwrap()),
                _ => format!(" {}", reader.str().unwrap()),
            };
        }
        columns.push(column);
    }
    // Partition awareness, which was not offered here: nil, or a table, two lists and a mode.
    if aware && !reader.nil_if_next().unwrap() {
        reader.i64().unwrap();
        for _list in 0..2 {
            for _item in 0..reader.i64().unwrap() {
                reader.i64().unwrap();
            }
        }
        reader.i64().unwrap();
    }
    let count = reader.i64().unwrap();
    (columns, (0..count).map(|_| reader.bin().unwrap().to_vec()).collect())
}

/// Compares two answers. `false`: ours says that the request is not supported yet.
fn compare(
    op: i64,
    sent: &Message,
    ours: &Reply,
    theirs: &Reply,
    replay: &mut Replay,
    tables: &mut HashMap<i64, i64>,
) -> bool {
    let note = &sent.note;
    if matches!(op, 34..=41 | 46 | 54 | 55 | 58 | 68) {
        assert_eq!((ours.flags, theirs.flags & !1), (0, 0), "{note}");
        return compare_jdbc(op, note, Reader::new(&ours.body), Reader::new(&theirs.body), replay);
    }
    if matches!(op, 50..=52 | 57 | 63) && ours.flags == 4 && theirs.flags & 4 == 0 {
        let error = ours.error();
        assert!(error.message.contains("--features sql") || error.message.contains("resource"), "{note}: {error:?}");
        return false;
    }
    if op == 52 {
        assert_eq!((ours.flags, ours.body.as_slice()), (0, &[][..]), "{note}");
        return true;
    }
    assert_eq!(ours.flags & !1, theirs.flags & !1, "{note}: {ours:?}");
    if ours.flags == 4 {
        return compare_errors(note, &ours.error(), &their_error(theirs));
    }
    let mut expected = Reader::new(&theirs.body);
    let mut got = Reader::new(&ours.body);
    match op {
        72 if !expected.nil_if_next().unwrap() => {
            tables.insert(expected.i64().unwrap(), got.i64().unwrap());
        }
        71 => {
            let names = |reader: &mut Reader<'_>| -> HashSet<String> {
                let count = reader.i64().unwrap();
                let one = |reader: &mut Reader<'_>| {
                    reader.i64().unwrap();
                    format!("{}.{}", reader.str().unwrap(), reader.str().unwrap())
                };
                (0..count).map(|_| one(reader)).collect()
            };
            // Tables of other recordings were there too.
            let (theirs, ours) = (names(&mut expected), names(&mut got));
            assert!(!ours.is_empty() && ours.is_subset(&theirs), "{ours:?} {theirs:?}");
            return true;
        }
        72 => got.nil().unwrap(),
        53 => {
            assert_eq!(got.i64().unwrap(), expected.i64().unwrap(), "{note}");
            assert!(!got.bool().unwrap() && got.is_empty());
            return true;
        }
        48 | 65 => {
            nodes(op, &mut expected);
            assert_eq!(nodes(op, &mut got), if op == 48 { 1 } else { 25 });
            return true;
        }
        57 => {
            // Without the query engine parameters are counted, but their types are not told.
            let parameters = |reader: &mut Reader<'_>| {
                let count = reader.i64().unwrap();
                let told = |reader: &mut Reader<'_>| (reader.bool(), reader.i64(), reader.i64(), reader.i64());
                let mut all: Vec<_> = (0..count).map(|_| told(reader)).collect();
                all.retain(|_| cfg!(feature = "sql"));
                (count, all)
            };
            assert_eq!(parameters(&mut got), parameters(&mut expected), "{note}");
        }
        50 if expected.rest().get(1) == Some(&0xc3) => {
            // A real node may answer from a moment before the last writes: its rows are among ours.
            let (columns, rows) = result(&mut got, false);
            let (their_columns, their_rows) = result(&mut expected, theirs_aware(&sent.bytes));
            assert_eq!(columns, their_columns, "{note}");
            // CURRENT_DATE is the day of the recording.
            let today = note.contains("time zone");
            assert!(today || their_rows.is_subset(&rows), "{note}: {rows:02x?} {their_rows:02x?}");
            return true;
        }
        43 => {
            replay.resources.insert(expected.i64().unwrap(), got.i64().unwrap());
        }
        20 => {
            // The rows a batch skipped may come in any order.
            let rows = |reader: &mut Reader<'_>| -> (i64, HashSet<Vec<u8>>) {
                let (version, count) = (reader.i64().unwrap(), reader.i64().unwrap());
                (version, (0..count).map(|_| reader.bin().unwrap().to_vec()).collect())
            };
            assert_eq!(rows(&mut got), rows(&mut expected), "{note}");
            return true;
        }
        _ => {
            if let Some(resource) = replay.begun.get(&ours.id) {
                replay.resources.insert(expected.i64().unwrap(), *resource);
                for _transaction_and_coordinator in 0..2 {
                    expected.ext().unwrap();
                }
                let _timeout = expected.i64().unwrap();
            }
        }
    }
    // Where the request asked for partition awareness, which was not offered, theirs ends with it.
    let expected = expected.rest();
    let expected = if op == 50 { expected.get(..got.rest().len()).unwrap_or(expected) } else { expected };
    assert_eq!(got.rest(), expected, "{note}\nours   {:02x?}\ntheirs {:02x?}", ours.body, theirs.body);
    true
}

/// Compares two answers to JDBC, which begin with a status and a text.
fn compare_jdbc(op: i64, note: &str, mut ours: Reader<'_>, mut theirs: Reader<'_>, replay: &mut Replay) -> bool {
    let status = |reader: &mut Reader<'_>| {
        let status = reader.i64().unwrap();
        let text = if reader.nil_if_next().unwrap() { String::new() } else { reader.str().unwrap().to_owned() };
        (status, text)
    };
    let (found, expected) = (status(&mut ours), status(&mut theirs));
    if cfg!(not(feature = "sql")) && found.0 != 0 && found != expected {
        assert!(found.1.contains("--features sql") || found.1.contains("cursor"), "{note}: {found:?}");
        return false;
    }
    assert_eq!(found, expected, "{note}");
    if expected.0 == 0 && matches!(op, 34 | 54 | 58) {
        match theirs.nil_if_next().unwrap() {
            true => ours.nil().unwrap(),
            false => {
                replay.resources.insert(theirs.i64().unwrap(), ours.i64().unwrap());
            }
        }
    }
    if expected.0 == 0 && matches!(op, 34 | 58) && theirs.bool().unwrap() {
        assert!(ours.bool().unwrap(), "{note}");
        assert_eq!(jdbc_rows(ours), jdbc_rows(theirs), "{note}");
        return true;
    }
    if matches!(op, 34 | 58) && expected.0 == 0 {
        assert!(!ours.bool().unwrap(), "{note}");
    }
    assert_eq!(ours.rest(), theirs.rest(), "{note}");
    true
}

/// What follows the first flag of a result with rows: two more flags, columns, rows.
fn jdbc_rows(mut reader: Reader<'_>) -> (bool, bool, Vec<String>, Vec<Vec<u8>>) {
    let (next, more) = (reader.bool().unwrap(), reader.bool().unwrap());
    let mut columns = Vec::new();
    for _column in 0..reader.i64().unwrap() {
        assert_eq!((reader.i64(), reader.nil()), (Ok(0), Ok(())));
        let mut column = String::new();
        for _name in 0..4 {
            column += if reader.nil_if_next().unwrap() { "-" } else { reader.str().unwrap() };
            column.push(' ');
        }
        let has_origin = !column.ends_with("- - - ");
        let (ty, nullable) = (reader.i64().unwrap(), reader.bool().unwrap());
        let (precision, scale) = (reader.i64().unwrap(), reader.i64().unwrap());
        // Lengths and fractions of what is calculated differ, as in other answers.
        let length = matches!(ty, 11 | 12 | 15 | 16) && !has_origin;
        columns.push(format!("{column}{ty} {nullable} {} {scale}", if length { -1 } else { precision }));
    }
    let count = reader.i64().unwrap();
    let rows = (0..count).map(|_| reader.bin().unwrap().to_vec()).collect();
    assert!(reader.is_empty());
    (next, more, columns, rows)
}

fn their_error(theirs: &Reply) -> WireError {
    WireError::read(&mut Reader::new(&theirs.body))
}

/// Code and class are the same; so is the text, but for the parts that name this run.
fn compare_errors(note: &str, ours: &WireError, theirs: &WireError) -> bool {
    let stem = |error: &WireError| match error.message.split_once("txId=") {
        Some((stem, _)) => stem.to_owned(),
        None => error.message.clone(),
    };
    if theirs.code == 262_149 || theirs.message.contains("not found") {
        // They come from DML and queries; a real node tells the place in the text, too.
        if cfg!(not(feature = "sql")) && ours.message.contains("--features sql") {
            return false;
        }
        assert_eq!((ours.code, &ours.class), (theirs.code, &theirs.class), "{note}: {ours:?}");
        return true;
    }
    assert_eq!((ours.code, &ours.class, stem(ours)), (theirs.code, &theirs.class, stem(theirs)), "{note}");
    true
}

fn nodes(op: i64, reader: &mut Reader<'_>) -> i64 {
    let count = reader.i64().unwrap();
    for place in 0..count {
        if op == 65 {
            assert_eq!(reader.i64().unwrap(), place);
        }
        assert_eq!(reader.i64().unwrap(), 4);
        reader.ext().unwrap();
        reader.str().unwrap();
        assert_eq!(reader.str().unwrap(), "127.0.0.1");
        reader.i64().unwrap();
    }
    assert!(reader.is_empty());
    count
}
