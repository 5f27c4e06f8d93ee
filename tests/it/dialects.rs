//! One row, two dialects: what one of them puts, the other one reads as the same value, of every type.

use super::ga_client::Ga;
use super::ga_support::{put_header, put_tuple, tuple};
use flint::client::{Client, Column, TableId};
use flint::door::igni::draft::codec;
use flint::fixture::TestServer;
use flint::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use flint::wire::msgpack::{Reader, Write};

const ID: ColumnType = ColumnType::Int32;

fn values() -> Vec<(ColumnType, Value<'static>)> {
    let date = Date::new(2024, 2, 29).unwrap();
    let time = Time::new(10, 20, 30, 123_456_789).unwrap();
    let dec = |text| Value::Decimal(Decimal::parse(text).unwrap());
    vec![
        (ColumnType::Boolean, Value::Bool(true)),
        (ColumnType::Int8, Value::Int(-128)),
        (ColumnType::Int16, Value::Int(300)),
        (ColumnType::Int32, Value::Int(-70_000)),
        (ColumnType::Int64, Value::Int(1 << 40)),
        (ColumnType::Float, Value::Float(-0.0)),
        (ColumnType::Double, Value::Double(0.1)),
        (ColumnType::Decimal { precision: 10, scale: 3 }, dec("-12.345")),
        (ColumnType::Number { precision: 30 }, dec("123456789012345678901234567890")),
        (ColumnType::Date, Value::Date(date)),
        (ColumnType::Time { precision: 9 }, Value::Time(time)),
        (ColumnType::Datetime { precision: 9 }, Value::Datetime(date, time)),
        (ColumnType::Timestamp { precision: 9 }, Value::Timestamp(Timestamp::new(-1, 5).unwrap())),
        (ColumnType::Uuid, Value::Uuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        (ColumnType::String { length: UNLIMITED }, Value::Str("".into())),
        (ColumnType::String { length: 9 }, Value::Str("äöü".into())),
        (ColumnType::Bytes { length: UNLIMITED }, Value::Bytes(vec![0x80, 1].into())),
        (ColumnType::Bitmask { bits: 20 }, Value::Bytes(vec![0x05, 0x80].into())),
        (ColumnType::Int8, Value::Null),
    ]
}

#[test]
fn a_row_is_the_same_in_both() {
    let server = TestServer::start();
    let mut draft = Client::connect(server.addr()).unwrap();
    let mut ga = Ga::connect(server.addr()).unwrap();
    for (i, (ty, value)) in values().into_iter().enumerate() {
        let columns = [Column::key("id", ID), Column::value("v", ty)];
        let id = server.create_table(&format!("T{i}"), &columns).unwrap();
        let table = u32::from_be_bytes(id.0[20..].try_into().unwrap());
        let row = |key| tuple(&[(ID, Value::Int(key)), (ty, value.clone())]);

        // GA puts, the draft reads.
        ga.call(10, |out| {
            put_header(out, table, None, 1);
            put_tuple(out, &row(1));
        })
        .unwrap();
        assert_eq!(draft_get(&mut draft, &id, 1, ty), value, "{ty}");

        // The draft puts, GA reads the bytes it would have sent itself.
        draft
            .request(10, |out| {
                id.write(out);
                out.put_int(1);
                out.put_int(2);
                codec::write_typed(out, &value, ty);
            })
            .unwrap();
        let answer = ga
            .call(12, |out| {
                put_header(out, table, None, 1);
                put_tuple(out, &tuple(&[(ID, Value::Int(2))]));
            })
            .unwrap();
        let mut expected = vec![1];
        expected.put_bin(&row(2));
        assert_eq!(answer, expected, "{ty}");
    }
}

fn draft_get(client: &mut Client, table: &TableId, key: i64, ty: ColumnType) -> Value<'static> {
    let reply = client
        .request(12, |out| {
            table.write(out);
            out.put_int(1);
            out.put_int(key);
        })
        .unwrap();
    let mut reader = Reader::new(reply.data());
    assert_eq!(reader.i64().unwrap(), 1);
    codec::read(&mut reader, ty).unwrap().into_owned()
}

/// A live table that a draft tuple made grow has a new schema version for clients of today.
#[test]
fn live_growth_is_a_schema_change_to_the_other() {
    let server = TestServer::start();
    let id = server.create_table("L", &[Column::key("id", ID)]).unwrap();
    server.set_live("L", true).unwrap();
    let table = u32::from_be_bytes(id.0[20..].try_into().unwrap());
    let mut draft = Client::connect(server.addr()).unwrap();
    let mut ga = Ga::connect(server.addr()).unwrap();
    draft
        .request(11, |out| {
            id.write(out);
            out.put_map(2);
            out.put_str("id");
            out.put_int(1);
            out.put_str("name");
            out.put_str("x");
        })
        .unwrap();
    let stale = ga
        .call(10, |out| {
            put_header(out, table, None, 1);
            put_tuple(out, &tuple(&[(ID, Value::Int(2))]));
        })
        .unwrap_err();
    assert!(matches!(stale, flint::client::Error::Server { status: 131_077, .. }), "{stale:?}");
    let row = tuple(&[(ID, Value::Int(1)), (ColumnType::String { length: UNLIMITED }, Value::Str("x".into()))]);
    let answer = ga
        .call(12, |out| {
            put_header(out, table, None, 2);
            put_tuple(out, &tuple(&[(ID, Value::Int(1))]));
        })
        .unwrap();
    let mut expected = vec![2];
    expected.put_bin(&row);
    assert_eq!(answer, expected);
}

/// A draft write waits for the lock of a transaction of the other dialect.
#[test]
fn the_draft_obeys_the_locks_of_transactions() {
    let server = TestServer::start();
    let id = server.create_table("P", &[Column::key("id", ID), Column::value("v", ID)]).unwrap();
    let table = u32::from_be_bytes(id.0[20..].try_into().unwrap());
    let mut draft = Client::connect(server.addr()).unwrap();
    let mut ga = Ga::connect(server.addr()).unwrap();
    let pair = |v| tuple(&[(ID, Value::Int(1)), (ID, Value::Int(v))]);
    let tx = ga.begin(false).unwrap();
    ga.call(10, |out| {
        put_header(out, table, Some(tx), 1);
        put_tuple(out, &pair(10));
    })
    .unwrap();
    let waiting = draft
        .send(10, |out| {
            id.write(out);
            out.put_int(1);
            out.put_int(1);
            out.put_int(20);
        })
        .unwrap();
    let reading = draft
        .send(12, |out| {
            id.write(out);
            out.put_int(1);
            out.put_int(1);
        })
        .unwrap();
    draft.flush().unwrap();
    // The read overtakes the write that waits, and sees what is committed: nothing.
    let read = draft.receive().unwrap();
    assert_eq!((read.id, read.data()), (reading, &[0xc0][..]));
    ga.commit(tx).unwrap();
    assert_eq!(draft.receive().unwrap().id, waiting);
    assert_eq!(draft_get(&mut draft, &id, 1, ID), Value::Int(20));
}
