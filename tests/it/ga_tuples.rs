//! Tables and tuples through the GA door, byte by byte.

use super::ga_support::{HELLO_3_0_0, World, put_header, put_partial, put_tuple, tuple};
use flint::door::Flow;
use flint::value::ColumnType::{self, Double, Int32, Int64};
use flint::value::{Decimal, Time, Value};
use flint::wire::msgpack::{Reader, Write};

const TEXT: ColumnType = ColumnType::String { length: 65536 };
const KV: &str = "CREATE TABLE KV (ID BIGINT PRIMARY KEY, VAL VARCHAR)";

fn kv(id: i64, val: &str) -> Vec<u8> {
    tuple(&[(Int64, Value::Int(id)), (TEXT, Value::Str(val.into()))])
}

fn key(id: i64) -> Vec<u8> {
    tuple(&[(Int64, Value::Int(id))])
}

/// A request of one tuple to the only table.
fn one(op: u8, world: &mut World, tuple: &[u8]) -> Vec<u8> {
    world.ok(0, op, |out| {
        put_header(out, 18, None, 1);
        put_tuple(out, tuple);
    })
}

/// A request of several tuples to the only table.
fn all(op: u8, world: &mut World, tuples: &[Vec<u8>]) -> Vec<u8> {
    world.ok(0, op, |out| {
        put_header(out, 18, None, 1);
        out.put_int(tuples.len() as i64);
        tuples.iter().for_each(|t| put_tuple(out, t));
    })
}

/// A bin value.
fn bin(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_bin(bytes);
    out
}

const NIL: &[u8] = &[1, 0xc0];
const NO: &[u8] = &[1, 0xc2];
const YES: &[u8] = &[1, 0xc3];
const DONE: &[u8] = &[1];

#[test]
fn single_operations() {
    let mut w = World::with_tables(KV);
    let row = |id, val| [DONE, &bin(&kv(id, val))].concat();
    assert_eq!(one(12, &mut w, &key(1)), NIL);
    assert_eq!(one(10, &mut w, &kv(1, "a")), DONE);
    assert_eq!(one(12, &mut w, &key(1)), [1, 0xc4, 5, 0, 1, 2, 1, 0x61]);
    assert_eq!(one(16, &mut w, &kv(2, "b")), NIL);
    assert_eq!(one(16, &mut w, &kv(2, "c")), row(2, "b"));
    assert_eq!(one(18, &mut w, &kv(2, "x")), NO);
    assert_eq!(one(18, &mut w, &kv(3, "d")), YES);
    assert_eq!(one(22, &mut w, &kv(4, "x")), NO);
    assert_eq!(one(22, &mut w, &kv(3, "e")), YES);
    assert_eq!(one(26, &mut w, &kv(4, "x")), NIL);
    assert_eq!(one(26, &mut w, &kv(3, "f")), row(3, "e"));
    assert_eq!(one(30, &mut w, &kv(3, "e")), NO);
    assert_eq!(one(33, &mut w, &key(3)), YES);
    assert_eq!(one(30, &mut w, &kv(3, "f")), YES);
    assert_eq!(one(33, &mut w, &key(3)), NO);
    assert_eq!(one(28, &mut w, &key(3)), NO);
    assert_eq!(one(28, &mut w, &key(2)), YES);
    assert_eq!(one(32, &mut w, &key(2)), NIL);
    assert_eq!(one(32, &mut w, &key(1)), row(1, "a"));
}

#[test]
fn replace_exact_compares_the_whole_row() {
    let mut w = World::with_tables(KV);
    let null = tuple(&[(Int64, Value::Int(1)), (TEXT, Value::Null)]);
    one(10, &mut w, &null);
    let mut exact = |old: &[u8], new: &[u8]| {
        w.ok(0, 24, |out| {
            put_header(out, 18, None, 1);
            put_tuple(out, old);
            put_tuple(out, new);
        })
    };
    assert_eq!(exact(&kv(1, ""), &kv(1, "a")), NO);
    assert_eq!(exact(&null, &kv(1, "a")), YES);
    assert_eq!(exact(&kv(1, "a"), &kv(2, "b")), NO, "another key");
    assert_eq!(one(33, &mut w, &key(2)), NO);
}

#[test]
fn batches_keep_the_order_of_the_request() {
    let mut w = World::with_tables(KV);
    assert_eq!(all(13, &mut w, &[kv(1, "a"), kv(2, "b"), kv(1, "c")]), DONE);
    let got = all(15, &mut w, &[key(2), key(9), key(1)]);
    let expected = [&[1, 3, 0xc3][..], &bin(&kv(2, "b")), &[0xc2, 0xc3], &bin(&kv(1, "c"))].concat();
    assert_eq!(got, expected);
    assert_eq!(all(20, &mut w, &[kv(3, "d"), kv(1, "x")]), [&[1, 1][..], &bin(&kv(1, "x"))].concat());
    assert_eq!(all(67, &mut w, &[key(1), key(2), key(3)]), YES);
    assert_eq!(all(67, &mut w, &[key(1), key(4)]), NO);
    assert_eq!(all(31, &mut w, &[kv(1, "c"), kv(2, "x")]), [&[1, 1][..], &bin(&kv(2, "x"))].concat());
    assert_eq!(all(29, &mut w, &[key(3), key(8), key(2)]), [&[1, 1][..], &bin(&key(8))].concat());
    assert_eq!(all(15, &mut w, &[]), [1, 0]);
    assert_eq!(all(13, &mut w, &[]), DONE);
    assert_eq!(w.engine.database().len(18), 0);
}

#[test]
fn streams_upsert_and_delete() {
    let mut w = World::with_tables(KV);
    all(13, &mut w, &[kv(1, "a"), kv(2, "b")]);
    let body = w.ok(0, 62, |out| {
        out.put_int(18);
        out.put_int(7);
        out.put_ext(8, &[0b010]);
        out.put_int(1);
        out.put_int(3);
        put_tuple(out, &kv(3, "c"));
        put_tuple(out, &key(1));
        put_tuple(out, &kv(2, "z"));
    });
    assert_eq!(body, DONE);
    assert_eq!(one(33, &mut w, &key(1)), NO);
    assert_eq!(one(12, &mut w, &key(2)), [DONE, &bin(&kv(2, "z"))].concat());
    let error = w.err(0, 62, |out| {
        out.put_int(18);
        out.put_int(7);
        out.put_nil();
        out.put_int(2);
        out.put_int(0);
    });
    assert_eq!((error.code, error.expected_version), (131_077, Some(1)));
}

#[test]
fn the_key_may_stand_in_any_columns() {
    let mut w = World::with_tables("CREATE TABLE T (V INT, B VARCHAR, A INT, PRIMARY KEY (A, B))");
    let row = tuple(&[(Int32, Value::Int(7)), (TEXT, Value::Str("b".into())), (Int32, Value::Int(1))]);
    one(10, &mut w, &row);
    let key = tuple(&[(Int32, Value::Int(1)), (TEXT, Value::Str("b".into()))]);
    assert_eq!(one(12, &mut w, &key), [DONE, &bin(&row)].concat());
    // A client may mark the key tuple's columns by table position; the marks mean nothing in a key.
    let body = w.ok(0, 12, |out| {
        put_header(out, 18, None, 1);
        put_partial(out, &[0b001], &key);
    });
    assert_eq!(body, [DONE, &bin(&row)].concat());
    let swapped = tuple(&[(TEXT, Value::Str("b".into())), (Int32, Value::Int(1))]);
    assert_eq!(one(12, &mut w, &swapped), NIL, "b as a number is another key");
    assert_eq!(all(29, &mut w, std::slice::from_ref(&swapped)), [&[1, 1][..], &bin(&swapped)].concat());
}

#[test]
fn what_is_not_given_is_the_default() {
    let mut w = World::with_tables(
        "CREATE TABLE T (ID INT PRIMARY KEY, D VARCHAR DEFAULT 'dflt', N INT, M INT NOT NULL, C INT NOT NULL DEFAULT 5)",
    );
    let row =
        |d: Value<'static>, n, m, c| tuple(&[(Int32, Value::Int(1)), (TEXT, d), (Int32, n), (Int32, m), (Int32, c)]);
    let (one, two, five) = (Value::Int(1), Value::Int(2), Value::Int(5));
    let mut put = |no_value: u8, bytes: &[u8]| {
        w.call(0, 10, |out| {
            put_header(out, 18, None, 1);
            put_partial(out, &[no_value], bytes);
        })
    };
    let got = put(0b10110, &row(Value::Null, Value::Null, two.clone(), Value::Null)).ok();
    assert_eq!(got, DONE);
    let refused = put(0b01000, &row(Value::Null, Value::Null, Value::Null, one.clone())).error();
    assert_eq!((refused.code, refused.class.as_str()), (1_441_793, "org.apache.ignite.lang.MarshallerException"));
    assert_eq!(refused.message, "Column 'M' does not allow NULLs");
    let refused = put(0, &row(Value::Null, Value::Null, one.clone(), Value::Null)).error();
    assert_eq!(refused.message, "Column 'C' does not allow NULLs");
    let refused =
        put(1, &tuple(&[(Int32, Value::Null), (TEXT, Value::Null), (Int32, one), (Int32, two.clone())])).error();
    assert_eq!(refused.code, 196_610, "a tuple of four for five columns");
    let stored = self::one(12, &mut w, &tuple(&[(Int32, Value::Int(1))]));
    assert_eq!(stored, [DONE, &bin(&row(Value::Str("dflt".into()), Value::Null, two, five))].concat());

    let no_key = tuple(&[
        (Int32, Value::Null),
        (TEXT, Value::Null),
        (Int32, Value::Null),
        (Int32, Value::Int(1)),
        (Int32, Value::Int(1)),
    ]);
    let refused = w.err(0, 10, |out| {
        put_header(out, 18, None, 1);
        put_partial(out, &[1], &no_key);
    });
    assert_eq!(refused.code, 1_441_793);
}

#[test]
fn a_key_has_to_be_given_even_where_it_has_a_default() {
    let mut w = World::with_tables("CREATE TABLE T (ID UUID DEFAULT RAND_UUID PRIMARY KEY, V INT)");
    let error = w
        .call(0, 10, |out| {
            put_header(out, 18, None, 1);
            put_partial(out, &[1], &tuple(&[(ColumnType::Uuid, Value::Null), (Int32, Value::Int(1))]));
        })
        .error();
    assert_eq!((error.code, error.message.as_str()), (1_441_793, "Missed key column: ID"));
}

#[test]
fn a_client_reloads_the_schema_and_sends_again() {
    let mut w = World::with_tables(KV);
    one(10, &mut w, &kv(1, "a"));
    w.sql("ALTER TABLE KV ADD COLUMN N INT DEFAULT 7");
    let send = |w: &mut World, op: u8, version: i64, bytes: &[u8]| {
        w.call(0, op, |out| {
            put_header(out, 18, None, version);
            put_tuple(out, bytes);
        })
    };
    for op in [10, 16, 18, 22, 26, 30] {
        let error = send(&mut w, op, 1, &kv(2, "b")).error();
        assert_eq!((error.code, error.expected_version), (131_077, Some(2)), "{op}");
    }
    // Keys never change, so an older version's key will do.
    let wide = tuple(&[(Int64, Value::Int(1)), (TEXT, Value::Str("a".into())), (Int32, Value::Int(7))]);
    assert_eq!(send(&mut w, 12, 1, &key(1)).ok(), [&[2][..], &bin(&wide)].concat());
    assert_eq!(send(&mut w, 12, 3, &key(1)).error().expected_version, Some(2));
    assert_eq!(send(&mut w, 12, 0, &key(1)).error().expected_version, Some(2));

    let schema = w.ok(0, 5, |out| {
        out.put_int(18);
        out.put_int(1);
        out.put_int(2);
    });
    let mut reader = Reader::new(&schema);
    assert_eq!((reader.i64().unwrap(), reader.i64().unwrap(), reader.i64().unwrap()), (1, 2, 3));
    let old = w.ok(0, 5, |out| {
        out.put_int(18);
        out.put_int(1);
        out.put_int(1);
    });
    assert_eq!(&old[..3], [1, 1, 2]);
    let new = tuple(&[(Int64, Value::Int(2)), (TEXT, Value::Str("b".into())), (Int32, Value::Null)]);
    assert_eq!(send(&mut w, 10, 2, &new).ok(), [2]);
    let unknown = w.err(0, 5, |out| {
        out.put_int(18);
        out.put_int(1);
        out.put_int(9);
    });
    assert_eq!(unknown.code, 131_071);

    w.sql("ALTER TABLE KV DROP COLUMN VAL");
    let narrow = tuple(&[(Int64, Value::Int(1)), (Int32, Value::Int(7))]);
    assert_eq!(send(&mut w, 12, 1, &key(1)).ok(), [&[3][..], &bin(&narrow)].concat());
}

#[test]
fn values_are_cut_to_the_column_and_packed_shortest() {
    let mut w = World::with_tables("CREATE TABLE T (ID BIGINT PRIMARY KEY, D DECIMAL(5, 2), T TIME(2), F DOUBLE)");
    let decimal = ColumnType::Decimal { precision: 5, scale: 2 };
    let any = ColumnType::Decimal { precision: 9, scale: 9 };
    let (cut, full) = (ColumnType::Time { precision: 2 }, ColumnType::Time { precision: 9 });
    let time = Time::new(1, 2, 3, 987_654_321).unwrap();
    let dec = |text| Value::Decimal(Decimal::parse(text).unwrap());
    let sent =
        tuple(&[(Int64, Value::Int(1)), (any, dec("1.005")), (full, Value::Time(time)), (Double, Value::Double(1.5))]);
    one(10, &mut w, &sent);
    let stored = tuple(&[
        (Int64, Value::Int(1)),
        (decimal, dec("1.01")),
        (cut, Value::Time(time.truncated(2))),
        (Double, Value::Double(1.5)),
    ]);
    assert_eq!(one(12, &mut w, &key(1)), [DONE, &bin(&stored)].concat());

    // Wide offsets, a key in eight bytes, a double in eight: the same row.
    let mut wide = vec![1, 8, 0, 8, 0, 8, 0, 16, 0];
    wide.extend_from_slice(&1_i64.to_le_bytes());
    wide.extend_from_slice(&1.5_f64.to_le_bytes());
    one(10, &mut w, &wide);
    let plain =
        tuple(&[(Int64, Value::Int(1)), (decimal, Value::Null), (cut, Value::Null), (Double, Value::Double(1.5))]);
    assert_eq!(one(12, &mut w, &key(1)), [DONE, &bin(&plain)].concat());
    assert_eq!(w.engine.database().len(18), 1);

    let error = w.err(0, 10, |out| {
        put_header(out, 18, None, 1);
        put_tuple(
            out,
            &tuple(&[(Int64, Value::Int(1)), (any, dec("1000")), (cut, Value::Null), (Double, Value::Null)]),
        );
    });
    assert_eq!(error.code, 1_441_793);
    assert!(error.message.contains('D'), "{}", error.message);
}

#[test]
fn minus_zero_is_a_key_of_its_own() {
    let mut w = World::with_tables("CREATE TABLE T (ID DOUBLE PRIMARY KEY)");
    let zero = |v| tuple(&[(Double, Value::Double(v))]);
    one(10, &mut w, &zero(0.0));
    assert_eq!(one(33, &mut w, &zero(-0.0)), NO);
    one(10, &mut w, &zero(-0.0));
    assert_eq!(w.engine.database().len(18), 2);
}

#[test]
fn long_texts_and_long_keys() {
    let mut w = World::with_tables("CREATE TABLE T (ID VARCHAR(700000) PRIMARY KEY, V VARCHAR(3))");
    let row =
        |id: &str, v: &str| tuple(&[(TEXT, Value::Str(id.to_owned().into())), (TEXT, Value::Str(v.to_owned().into()))]);
    let long = "k".repeat(60_000);
    one(10, &mut w, &row(&long, "äöü"));
    let key = tuple(&[(TEXT, Value::Str(long.clone().into()))]);
    assert_eq!(one(12, &mut w, &key), [DONE, &bin(&row(&long, "äöü"))].concat());
    let put = |w: &mut World, bytes: &[u8]| {
        w.err(0, 10, |out| {
            put_header(out, 18, None, 1);
            put_tuple(out, bytes);
        })
    };
    let error = put(&mut w, &row("a", "abcd"));
    assert_eq!(error.code, 1_441_793);
    assert!(error.message.contains("column='V'"), "{}", error.message);
    let error = put(&mut w, &row(&"k".repeat(600_000), "a"));
    assert!(error.message.contains("the limit is 524288"), "{}", error.message);
}

#[test]
fn tables_are_found_by_name() {
    let mut w = World::with_tables("CREATE TABLE A (ID INT PRIMARY KEY); CREATE TABLE \"b.c\" (ID INT PRIMARY KEY)");
    assert_eq!(w.ok(0, 3, |_| {}), [&[2, 18, 0xa1, b'A', 19, 0xa5][..], b"\"b.c\""].concat());
    assert_eq!(w.ok(0, 71, |_| {}), [&[2, 18][..], b"\xa6PUBLIC\xa1A\x13\xa6PUBLIC\xa3b.c"].concat());
    assert_eq!(w.ok(0, 4, |out| out.put_str("public.a")), [18, 0xa1, b'A']);
    assert_eq!(w.ok(0, 4, |out| out.put_str("\"b.c\"")), [&[19][..], b"\xa5\"b.c\""].concat());
    assert_eq!(w.ok(0, 4, |out| out.put_str("nothing")), [0xc0]);
    let mut qualified = |name| {
        w.ok(0, 72, |out| {
            out.put_str("PUBLIC");
            out.put_str(name);
        })
    };
    assert_eq!(qualified("a"), [0xc0]);
    assert_eq!(qualified("b.c"), [&[19][..], b"\xa6PUBLIC\xa3b.c"].concat());
    assert_eq!(w.err(0, 4, |out| out.put_str("\"a")).code, 65_539);
}

#[test]
fn a_dropped_table_is_told_by_its_id() {
    let mut w = World::with_tables(KV);
    w.sql("DROP TABLE KV");
    let error = w.err(0, 12, |out| {
        put_header(out, 18, None, 1);
        put_tuple(out, &key(1));
    });
    assert_eq!((error.code, error.class.as_str()), (131_074, "org.apache.ignite.lang.TableNotFoundException"));
    w.sql(KV);
    assert_eq!(w.table("KV"), 19, "ids are never reused");
}

#[test]
fn cluster_and_partitions() {
    let mut w = World::with_tables(KV);
    let nodes = w.ok(0, 48, |_| {});
    let mut reader = Reader::new(&nodes);
    assert_eq!((reader.i64().unwrap(), reader.i64().unwrap()), (1, 4));
    assert_eq!(reader.ext().unwrap().0, 3);
    assert_eq!((reader.str().unwrap(), reader.str().unwrap(), reader.i64().unwrap()), ("flint", "127.0.0.1", 10800));
    let assignment = w.ok(0, 53, |out| {
        out.put_int(18);
        out.put_int(0);
    });
    assert_eq!(assignment, [25, 0xc2]);
    let older = w.connect_with(HELLO_3_0_0);
    let assignment = w.ok(older, 53, |out| {
        out.put_int(18);
        out.put_int(77);
    });
    assert_eq!(assignment, [&[25, 0xc3, 77][..], &b"\xa5flint".repeat(25)].concat());
    assert_eq!(w.ok(0, 65, |out| out.put_int(18))[0], 25);
    assert_eq!(w.err(0, 65, |out| out.put_int(99)).code, 131_074);
}

#[test]
fn what_is_not_served_is_refused_and_the_connection_goes_on() {
    let mut w = World::with_tables(KV);
    for op in [47, 49, 64, 66, 69] {
        let error = w.err(0, op, |_| {});
        assert_eq!((error.code, error.class.as_str()), (1_048_579, "org.apache.ignite.compute.ComputeException"));
    }
    for op in [59, 60, 61] {
        assert_eq!(w.ok(0, op, |_| {}), [0xc0]);
    }
    let error = w.err(0, 99, |_| {});
    assert_eq!((error.code, error.message.as_str()), (196_610, "Unexpected operation code: 99"));
    assert_eq!(w.err(0, 51, |out| out.put_int(3)).message, "Failed to find resource with id: 3");
    assert!(w.ok(0, 1, |_| {}).is_empty());
    assert!(w.ok(0, 70, |out| out.put_int(1)).is_empty());
    assert_eq!(w.send(0, 73, |out| out.put_int(4)), w.send(0, 1, |_| {}) - 1);
    assert_eq!(w.drain(0).len(), 1, "the answer of a server request is not answered");
}

#[test]
fn sql_makes_tables() {
    let mut w = World::new();
    let client = w.connect();
    let sql = |w: &mut World, text: &str| {
        w.call(client, 50, |out| {
            out.put_nil();
            out.put_str("\"PUBLIC\"");
            out.put_int(1024);
            out.put_int(0);
            out.put_nil();
            out.put_nil();
            out.put_int(0);
            out.put_bin(&[0]);
            out.put_str(text);
            out.put_nil();
            out.put_int(0);
        })
    };
    const APPLIED: &[u8] = &[0xc0, 0xc2, 0xc2, 0xc3, 0xff, 0];
    const SAME: &[u8] = &[0xc0, 0xc2, 0xc2, 0xc2, 0xff, 0];
    assert_eq!(sql(&mut w, KV).ok(), APPLIED);
    assert_eq!(sql(&mut w, "CREATE TABLE IF NOT EXISTS kv (ID INT PRIMARY KEY)").ok(), SAME);
    assert_eq!(sql(&mut w, "ALTER TABLE KV ADD COLUMN A INT, ").error().code, 262_147);
    assert_eq!(sql(&mut w, "DROP TABLE IF EXISTS public.nothing").ok(), SAME);
    for (text, code, part) in [
        (KV, 262_148, "Failed to validate query. Table with name 'PUBLIC.KV' already exists."),
        ("DROP TABLE X", 262_148, "Table with name 'PUBLIC.X' not found."),
        ("ALTER TABLE KV ADD COLUMN VAL INT", 262_148, "Column with name 'VAL' already exists."),
        ("ALTER TABLE KV DROP COLUMN ID", 262_148, "belonging to primary key"),
        ("ALTER TABLE KV DROP COLUMN X", 262_148, "'X' not found"),
        ("CREATE TABLE A.B (ID INT PRIMARY KEY)", 262_148, "Schema with name 'A' not found."),
        ("DROP TABLE KV; DROP TABLE KV", 262_148, "Multiple statements are not allowed."),
        ("", 262_147, "Failed to parse query: Not a statement"),
        ("SELEC 1", 262_147, "Non-query expression encountered in illegal context. At line 1, column 1"),
    ] {
        let error = sql(&mut w, text).error();
        assert_eq!(error.code, code, "{text}: {error:?}");
        assert!(error.message.contains(part), "{text}: {error:?}");
    }
    let describe = |w: &mut World, text: &str| {
        w.call(client, 57, |out| {
            out.put_nil();
            out.put_str("PUBLIC");
            out.put_str(text);
        })
    };
    if cfg!(not(feature = "sql")) {
        for text in ["SELECT 1", "INSERT INTO KV SELECT 1, 'a'"] {
            let error = sql(&mut w, text).error();
            assert!(error.code == 262_148 && error.message.contains("--features sql"), "{error:?}");
        }
        assert_eq!(describe(&mut w, "SELECT 1").error().code, 262_148);
    }
    assert_eq!(sql(&mut w, "DROP TABLE kv").ok(), APPLIED);
    let applied = describe(&mut w, "DROP TABLE KV").ok();
    assert_eq!(applied, *b"\0\x01\x06\xa7APPLIED\xc2\x01\xd2\x80\0\0\0\x01\xc2");
    assert_eq!(describe(&mut w, "DELETE FROM KV").ok(), *b"\0\x01\x06\xa8ROWCOUNT\xc2\x05\xd2\x80\0\0\0\xff\xc2");
}

/// One request of every operation that reads a body, as it would succeed.
fn samples() -> Vec<(u8, Vec<u8>)> {
    let mut samples: Vec<(u8, Vec<u8>)> = vec![
        (4, bin_str(&["KV"])),
        (72, bin_str(&["PUBLIC", "KV"])),
        (5, vec![18, 0xc0]),
        (5, vec![18, 1, 1]),
        (43, vec![0xc2, 0, 0]),
        (44, vec![1]),
        (45, vec![2]),
        (53, vec![18, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1]),
        (65, vec![18]),
        (51, vec![1]),
        (62, [&[18, 3, 0xc0, 1, 1][..], &sample_tuple(&kv(1, "a"))].concat()),
        (62, [&[18, 3, 0xd4, 8, 1, 1, 1][..], &sample_tuple(&key(1))].concat()),
    ];
    let header = [18, 0xc0, 1];
    let (row, key) = (sample_tuple(&kv(1, "a")), sample_tuple(&key(1)));
    for op in [10, 16, 18, 22, 26, 30] {
        samples.push((op, [&header[..], &row].concat()));
    }
    for op in [12, 28, 32, 33] {
        samples.push((op, [&header[..], &key].concat()));
    }
    for op in [13, 20, 31] {
        samples.push((op, [&header[..], &[2], &row, &row].concat()));
    }
    for op in [15, 29, 67] {
        samples.push((op, [&header[..], &[2], &key, &key].concat()));
    }
    samples.push((24, [&header[..], &row, &row].concat()));
    let sql = |text: &str| {
        let mut out = b"\xa6PUBLIC\xcd\x04\0\0\0\xa7Etc/UTC\0\xc4\x01\0".to_vec();
        out.put_str(text);
        out.extend_from_slice(&[0xc0, 0]);
        out
    };
    samples.push((50, [&[0xc0][..], &sql("DROP TABLE IF EXISTS X")].concat()));
    samples.push((56, sql("DROP TABLE IF EXISTS X; DROP TABLE IF EXISTS Y")));
    samples.push((57, [&[0xc0][..], &bin_str(&["PUBLIC", "DROP TABLE X"])].concat()));
    samples
}

fn sample_tuple(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_tuple(&mut out, bytes);
    out
}

fn bin_str(texts: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    texts.iter().for_each(|text| out.put_str(text));
    out
}

#[test]
fn every_message_cut_at_every_length_is_answered_once() {
    for (op, body) in samples() {
        let mut w = World::with_tables(KV);
        for _transaction in 0..2 {
            w.ok(0, 43, |out| out.extend_from_slice(&[0xc2, 0, 0]));
        }
        for cut in 0..=body.len() {
            let reply = w.call(0, op, |out| out.extend_from_slice(&body[..cut]));
            if cut == body.len() && op != 51 {
                // The transactions may be gone already, by a cut that only lost trailing bytes.
                assert!(reply.flags == 0 || matches!(op, 44 | 45), "{op}: {:?}", reply.error());
            } else if reply.flags != 0 {
                let code = reply.error().code;
                assert!(
                    [196_610, 131_071, 131_074, 131_077, 262_147, 262_148, 65_539].contains(&code),
                    "{op} {cut}: {code}"
                );
            }
        }
    }
}

#[test]
fn a_request_without_code_or_id_ends_the_connection() {
    let mut w = World::with_tables(KV);
    for frame in [&[][..], &[0xa1], &[10], &[10, 0xc0], &[10, 0xa1, b'x']] {
        assert_eq!(w.frame(0, frame), Flow::Close, "{frame:02x?}");
    }
}

#[test]
fn bad_bytes_are_refused_with_a_sentence() {
    let mut w = World::with_tables(KV);
    let header = |out: &mut Vec<u8>| put_header(out, 18, None, 1);
    let mut refused = |op: u8, body: &[u8]| {
        let error = w.err(0, op, |out| {
            header(out);
            out.extend_from_slice(body);
        });
        assert!(!error.message.is_empty());
        error.code
    };
    // A text where the bit set belongs, another extension, a count that the frame cannot hold, a negative one.
    assert_eq!(refused(10, &[0xa1, b'x', 0xc4, 1, 0]), 196_610);
    assert_eq!(refused(10, &[0xd4, 3, 0, 0xc4, 1, 0]), 196_610);
    assert_eq!(refused(13, &[0xce, 0x7f, 0xff, 0xff, 0xff]), 196_610);
    assert_eq!(refused(13, &[0xff]), 196_610);
    // Tuples: none, offsets of width 3, offsets that go back, offsets beyond the end, bytes that are no UTF-8.
    for bytes in [&[][..], &[3, 1, 1], &[0, 2, 1, 0, 0], &[0, 1, 9, 1], &[0, 1, 2, 1, 0xff], &[0, 3, 3, 1, 2, 3]] {
        let code = refused(10, &[&[0xc7, 0, 8][..], &bin(bytes)].concat());
        assert!(matches!(code, 196_610 | 1_441_793), "{bytes:02x?}: {code}");
    }
    assert_eq!(w.engine.database().len(18), 0);
    let tx = w.err(0, 12, |out| put_header(out, 18, Some(-1), 1));
    assert_eq!((tx.code, tx.message.contains("not offered")), (196_610, true));
    let resource = w.err(0, 12, |out| put_header(out, 18, Some(5), 1));
    assert_eq!((resource.code, resource.message.as_str()), (131_071, "Failed to find resource with id: 5"));
}

#[test]
fn timestamps_never_go_back() {
    let mut w = World::with_tables(KV);
    let mut last = 0;
    for _ in 0..50 {
        let reply = w.call(0, 1, |_| {});
        assert!(reply.timestamp > last);
        last = reply.timestamp;
    }
}

/// Bytes of good requests changed, cut and doubled at random: each is answered once, or ends the connection.
#[test]
fn damaged_requests_are_answered_once_or_end_the_connection() {
    let samples = samples();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut w = World::with_tables(KV);
    for _round in 0..20_000 {
        let (op, body) = rng.choice(&samples).unwrap();
        let mut frame = vec![*op, 1];
        frame.extend_from_slice(body);
        for _change in 0..rng.usize(1..4) {
            let at = rng.usize(0..frame.len());
            match rng.u8(0..4) {
                0 => frame.truncate(at.max(1)),
                1 => frame.insert(at, rng.u8(..)),
                2 => frame.extend_from_within(at..),
                _ => frame[at] = rng.u8(..),
            }
        }
        let flow = w.frame(0, &frame);
        let answers = w.drain(0).len();
        // An operation that became SERVER_OP_RESPONSE has no answer.
        let silent = frame.first() == Some(&73);
        // The end of a transaction answers those who waited for it, too.
        let expected = if matches!(frame.first(), Some(44 | 45)) { answers.max(1) } else { usize::from(!silent) };
        assert!(flow != Flow::Continue || answers == expected, "{frame:02x?}");
        if w.engine.catalog().tables().count() != 1 {
            w = World::with_tables(KV);
        }
    }
}
