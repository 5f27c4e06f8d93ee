//! Statements that wait for a row of another transaction: their time may run out, they may be called off, their client may
//! go. None of them leaves anything behind, not even a place in the row's queue.

use crate::ga_support::World;
use flint::op::resolve::Resolver;
use flint::value::Value;
use flint::wire::msgpack::{Reader, Write};
use std::time::Duration;

const TABLES: &str = "CREATE TABLE T (ID INT PRIMARY KEY, V INT NOT NULL)";
const CANCELLED: i64 = (4 << 16) | 6;
const CONSTRAINT: i64 = (4 << 16) | 5;
const FINISHED: i64 = (7 << 16) | 13;
const TIMEOUT_MS: i64 = 5_000;

/// A change of a known key, and where queries are run one that they are run for.
const CHANGES: &[&str] = &[
    "UPDATE T SET V = 5 WHERE ID = 1",
    #[cfg(feature = "sql")]
    "UPDATE T SET V = V + 5 WHERE ID < 2",
];

fn put_optional(out: &mut Vec<u8>, value: Option<i64>) {
    match value {
        Some(value) => out.put_int(value),
        None => out.put_nil(),
    }
}

fn put_statement(out: &mut Vec<u8>, tx: Option<i64>, timeout: Option<i64>, text: &str) {
    put_optional(out, tx);
    // The schema, rows of a page.
    out.put_nil();
    out.put_nil();
    put_optional(out, timeout);
    out.put_nil();
    out.put_nil();
    out.put_int(0);
    out.put_bin(&[]);
    out.put_str(text);
    out.put_nil();
}

fn send(w: &mut World, client: usize, tx: Option<i64>, timeout: Option<i64>, text: &str) -> i64 {
    w.send(client, 50, |out| put_statement(out, tx, timeout, text))
}

fn run(w: &mut World, client: usize, tx: Option<i64>, text: &str) {
    w.ok(client, 50, |out| put_statement(out, tx, None, text));
}

fn begin(w: &mut World, client: usize) -> i64 {
    let body = w.ok(client, 43, |out| {
        out.put_bool(false);
        out.put_int(0);
        out.put_int(0);
    });
    Reader::new(&body).i64().unwrap()
}

/// One row; the first client waits, as a single statement or in an older transaction, for what the second holds.
fn waiting(change: &str, in_transaction: bool, timeout: Option<i64>) -> (World, Option<i64>, i64, i64) {
    let mut w = World::with_tables(TABLES);
    let other = w.connect();
    run(&mut w, 0, None, "INSERT INTO T VALUES (1, 1), (2, 2)");
    let old = in_transaction.then(|| begin(&mut w, 0));
    if old.is_some() {
        run(&mut w, 0, old, "UPDATE T SET V = 9 WHERE ID = 2");
    }
    let young = begin(&mut w, other);
    run(&mut w, other, Some(young), "UPDATE T SET V = 7 WHERE ID = 1");
    let request = send(&mut w, 0, old, timeout, change);
    assert!(w.take(0, request).is_none(), "{change} does not wait");
    (w, old, young, request)
}

/// What waited has failed, its transaction is over, and nobody waits for the row.
fn check_ended(w: &mut World, old: Option<i64>, young: i64, change: &str) {
    if let Some(old) = old {
        let error = w.err(0, 50, |out| put_statement(out, Some(old), None, "SELECT V FROM T WHERE ID = 2"));
        assert_eq!(error.code, FINISHED, "{change}");
    }
    w.ok(1, 44, |out| out.put_int(young));
    assert!(w.engine.locks.is_empty(), "{change}");
    let shown = |id: i64| {
        let table = w.engine.catalog().table(w.table("T")).unwrap();
        let key = Resolver::new(table.newest()).key([Value::Int(id)].into_iter()).unwrap();
        table.newest().value(w.engine.database().get(table.id, &key).unwrap(), 1).unwrap().to_string()
    };
    assert_eq!([shown(1), shown(2)], ["7", "2"], "{change}");
}

#[test]
fn time_runs_out_while_a_statement_waits() {
    for change in CHANGES {
        for in_transaction in [false, true] {
            let (mut w, old, young, request) = waiting(change, in_transaction, Some(TIMEOUT_MS));
            w.advance(Duration::from_millis(TIMEOUT_MS as u64 - 1));
            assert!(w.take(0, request).is_none());
            w.advance(Duration::from_millis(1));
            let error = w.take(0, request).unwrap().error();
            assert_eq!(error.code, CANCELLED, "{error:?}");
            assert!(error.message.contains("Query timeout"), "{error:?}");
            check_ended(&mut w, old, young, change);
        }
    }
}

#[test]
fn a_row_that_comes_in_time_is_changed() {
    let (mut w, _, young, request) = waiting(CHANGES[0], false, Some(TIMEOUT_MS));
    w.ok(1, 45, |out| out.put_int(young));
    w.take(0, request).unwrap().ok();
    // Nothing is left to be woken.
    w.advance(Duration::from_secs(60));
    assert!(w.engine.next_deadline().is_none() && w.engine.locks.is_empty());
}

#[test]
fn a_statement_that_waits_is_called_off() {
    for change in CHANGES {
        for in_transaction in [false, true] {
            let (mut w, old, young, request) = waiting(change, in_transaction, Some(TIMEOUT_MS));
            w.ok(0, 70, |out| out.put_int(request));
            assert_eq!(w.take(0, request).unwrap().error().code, CANCELLED);
            check_ended(&mut w, old, young, change);
        }
    }
}

#[test]
fn a_client_that_waits_goes() {
    for change in CHANGES {
        for in_transaction in [false, true] {
            let (mut w, _, young, _) = waiting(change, in_transaction, Some(TIMEOUT_MS));
            w.close(0);
            check_ended(&mut w, None, young, change);
            w.advance(Duration::from_secs(60));
            assert!(w.engine.next_deadline().is_none());
        }
    }
}

/// A null that the text shows does not validate, which ends nothing; one that comes with a parameter does.
#[test]
fn what_does_not_validate_leaves_the_transaction_alone() {
    let mut w = World::with_tables(TABLES);
    let tx = begin(&mut w, 0);
    for text in [
        "INSERT INTO T VALUES (1, NULL)",
        "INSERT INTO T VALUES (1, DEFAULT)",
        "INSERT INTO T (ID) VALUES (1)",
        "INSERT INTO T VALUES (2, 1), (NULL, 1)",
        #[cfg(feature = "sql")]
        "INSERT INTO T VALUES (1 + 1, NULL)",
        #[cfg(feature = "sql")]
        "INSERT INTO T (ID) SELECT ID FROM T WHERE FALSE",
        #[cfg(feature = "sql")]
        "MERGE INTO T USING T AS S ON T.ID = S.ID WHEN NOT MATCHED THEN INSERT VALUES (S.ID, NULL)",
    ] {
        let error = w.err(0, 50, |out| put_statement(out, Some(tx), None, text));
        assert_eq!(error.code, CONSTRAINT, "{text}: {error:?}");
    }
    run(&mut w, 0, Some(tx), "INSERT INTO T VALUES (1, 1)");
    let error = w.err(0, 50, |out| put_statement(out, Some(tx), None, "INSERT INTO T VALUES (1, 1)"));
    assert_eq!(error.code, CONSTRAINT);
    let error = w.err(0, 50, |out| put_statement(out, Some(tx), None, "INSERT INTO T VALUES (2, 1)"));
    assert_eq!(error.code, FINISHED);
}
