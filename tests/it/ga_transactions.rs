//! Transactions through the GA door: what they see, who waits, who dies, and when they end.

use super::ga_support::{Reply, World, put_header, put_tuple, tuple};
use flint::config::Limits;
use flint::value::ColumnType::{self, Int32};
use flint::value::Value;
use flint::wire::msgpack::{Reader, Write};
use std::time::Duration;

const TEXT: ColumnType = ColumnType::String { length: 65536 };
const KV: &str = "CREATE TABLE KV (ID INT PRIMARY KEY, VAL VARCHAR)";

const UPSERT: u8 = 10;
const GET: u8 = 12;
const DELETE: u8 = 28;

const FINISHED: i64 = 458_765;
const TIMED_OUT: i64 = 458_768;
const CONFLICT: i64 = 458_756;
const LOCK_TIMEOUT: i64 = 458_757;
const READ_ONLY: i64 = 458_760;

/// A world of `clients` clients with an empty table.
fn world(clients: usize) -> World {
    let mut world = World::with_tables(KV);
    for _client in 1..clients {
        world.connect();
    }
    world
}

fn begin_with(w: &mut World, client: usize, read_only: bool, timeout_ms: i64) -> i64 {
    let body = w.ok(client, 43, |out| {
        out.put_bool(read_only);
        out.put_int(timeout_ms);
        out.put_int(0);
    });
    Reader::new(&body).i64().unwrap()
}

fn begin(w: &mut World, client: usize) -> i64 {
    begin_with(w, client, false, 0)
}

fn commit(w: &mut World, client: usize, tx: i64) -> Reply {
    w.call(client, 44, |out| out.put_int(tx))
}

fn rollback(w: &mut World, client: usize, tx: i64) {
    w.ok(client, 45, |out| out.put_int(tx));
}

fn put_row(out: &mut Vec<u8>, id: i64, val: &str) {
    put_tuple(out, &tuple(&[(Int32, Value::Int(id)), (TEXT, Value::Str(val.into()))]));
}

fn put_key(out: &mut Vec<u8>, id: i64) {
    put_tuple(out, &tuple(&[(Int32, Value::Int(id))]));
}

/// Sends an upsert; its request id.
fn upsert(w: &mut World, client: usize, tx: Option<i64>, id: i64, val: &str) -> i64 {
    w.send(client, UPSERT, |out| {
        put_header(out, 18, tx, 1);
        put_row(out, id, val);
    })
}

/// Sends a read; its request id.
fn get(w: &mut World, client: usize, tx: Option<i64>, id: i64) -> i64 {
    w.send(client, GET, |out| {
        put_header(out, 18, tx, 1);
        put_key(out, id);
    })
}

/// The value an answered read found.
fn value(reply: Reply) -> Option<String> {
    let body = reply.ok();
    let mut reader = Reader::new(&body);
    reader.i64().unwrap();
    if reader.nil_if_next().unwrap() {
        return None;
    }
    // One-byte offsets: the header, two offsets, the key in one byte.
    Some(String::from_utf8(reader.bin().unwrap()[4..].to_vec()).unwrap())
}

fn read(w: &mut World, client: usize, tx: Option<i64>, id: i64) -> Option<String> {
    let request = get(w, client, tx, id);
    value(w.take(client, request).expect("the read waits"))
}

fn write(w: &mut World, client: usize, tx: Option<i64>, id: i64, val: &str) {
    let request = upsert(w, client, tx, id, val);
    w.take(client, request).expect("the write waits").ok();
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn writes_show_to_others_at_commit_only() {
    let mut w = world(2);
    write(&mut w, 0, None, 1, "old");
    let tx = begin(&mut w, 0);
    assert_eq!(tx, 1, "resource ids count from 1");
    write(&mut w, 0, Some(tx), 1, "new");
    write(&mut w, 0, Some(tx), 2, "two");
    assert_eq!(read(&mut w, 0, Some(tx), 1), some("new"), "its own writes");
    assert_eq!(read(&mut w, 1, None, 1), some("old"), "a read outside waits for nobody");
    assert_eq!(read(&mut w, 0, None, 2), None);
    assert!(commit(&mut w, 0, tx).ok().is_empty());
    assert_eq!((read(&mut w, 1, None, 1), read(&mut w, 1, None, 2)), (some("new"), some("two")));
    let error = commit(&mut w, 0, tx).error();
    assert_eq!((error.code, error.message.as_str()), (131_071, "Failed to find resource with id: 1"));
    assert_eq!(begin(&mut w, 0), 2);
}

#[test]
fn rollback_and_disconnect_leave_nothing() {
    let mut w = world(2);
    write(&mut w, 0, None, 1, "old");
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "new");
    rollback(&mut w, 0, tx);
    assert_eq!(read(&mut w, 1, None, 1), some("old"));
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "newer");
    w.close(0);
    assert_eq!(read(&mut w, 1, None, 1), some("old"));
    write(&mut w, 1, None, 1, "free");
    assert!(w.engine.locks.is_empty() && w.engine.transactions.is_empty());
}

#[test]
fn an_older_transaction_waits_and_a_younger_one_dies() {
    let mut w = world(2);
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    write(&mut w, 1, Some(younger), 1, "young");
    let waiting = upsert(&mut w, 0, Some(older), 1, "old");
    assert!(w.take(0, waiting).is_none());
    write(&mut w, 0, Some(older), 2, "old");
    let dies = upsert(&mut w, 1, Some(younger), 2, "young");
    let error = w.take(1, dies).unwrap().error();
    assert_eq!((error.code, error.class.as_str()), (CONFLICT, "org.apache.ignite.tx.TransactionException"));
    // The younger one is rolled back, so the older one got its lock.
    w.take(0, waiting).expect("woken").ok();
    let late = get(&mut w, 1, Some(younger), 3);
    assert_eq!(w.take(1, late).unwrap().error().code, FINISHED);
    assert_eq!(commit(&mut w, 1, younger).error().code, FINISHED);
    assert_eq!(commit(&mut w, 1, younger).error().code, 131_071, "the resource is gone now");
    commit(&mut w, 0, older).ok();
    assert_eq!((read(&mut w, 1, None, 1), read(&mut w, 1, None, 2)), (some("old"), some("old")));
}

#[test]
fn rolling_back_a_dead_transaction_is_no_error() {
    let mut w = world(2);
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    write(&mut w, 0, Some(older), 1, "a");
    let dies = upsert(&mut w, 1, Some(younger), 1, "b");
    assert_eq!(w.take(1, dies).unwrap().error().code, CONFLICT);
    rollback(&mut w, 1, younger);
    rollback(&mut w, 0, older);
}

#[test]
fn a_waiting_request_holds_up_nobody_else() {
    let mut w = world(2);
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    write(&mut w, 1, Some(younger), 1, "young");
    let waiting = get(&mut w, 0, Some(older), 1);
    assert!(w.take(0, waiting).is_none());
    // The same transaction goes on with other rows, the same connection with other requests.
    write(&mut w, 0, Some(older), 2, "meanwhile");
    write(&mut w, 0, None, 3, "outside");
    commit(&mut w, 1, younger).ok();
    assert_eq!(value(w.take(0, waiting).unwrap()), some("young"));
    commit(&mut w, 0, older).ok();
}

#[test]
fn readers_share_and_a_writer_is_not_starved() {
    let mut w = world(4);
    write(&mut w, 0, None, 1, "v");
    let (writer, first, second) = (begin(&mut w, 0), begin(&mut w, 1), begin(&mut w, 2));
    assert_eq!(read(&mut w, 1, Some(first), 1), some("v"));
    assert_eq!(read(&mut w, 2, Some(second), 1), some("v"));
    let waiting = upsert(&mut w, 0, Some(writer), 1, "w");
    assert!(w.take(0, waiting).is_none());
    // A later reader does not pass the writer that waits; being younger, it dies.
    let late = begin(&mut w, 3);
    let request = get(&mut w, 3, Some(late), 1);
    assert_eq!(w.take(3, request).unwrap().error().code, CONFLICT);
    commit(&mut w, 1, first).ok();
    assert!(w.take(0, waiting).is_none());
    commit(&mut w, 2, second).ok();
    w.take(0, waiting).unwrap().ok();
    commit(&mut w, 0, writer).ok();
    assert_eq!(read(&mut w, 1, None, 1), some("w"));
}

#[test]
fn an_absent_row_is_locked_by_its_key() {
    let mut w = world(2);
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    assert_eq!(read(&mut w, 1, Some(younger), 7), None);
    let waiting = upsert(&mut w, 0, Some(older), 7, "x");
    assert!(w.take(0, waiting).is_none(), "the younger one must not see the row appear");
    assert_eq!(read(&mut w, 1, Some(younger), 7), None);
    commit(&mut w, 1, younger).ok();
    w.take(0, waiting).unwrap().ok();
}

#[test]
fn single_writes_obey_the_locks_of_transactions() {
    let mut w = world(3);
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "tx");
    let one = upsert(&mut w, 1, None, 1, "one");
    let batch = w.send(2, 13, |out| {
        put_header(out, 18, None, 1);
        out.put_int(2);
        put_row(out, 2, "batch");
        put_row(out, 1, "batch");
    });
    assert!(w.take(1, one).is_none() && w.take(2, batch).is_none());
    assert_eq!(read(&mut w, 1, None, 2), None, "a batch is written at once or not yet");
    commit(&mut w, 0, tx).ok();
    w.take(1, one).unwrap().ok();
    w.take(2, batch).unwrap().ok();
    assert_eq!((read(&mut w, 0, None, 1), read(&mut w, 0, None, 2)), (some("batch"), some("batch")));
    assert!(w.engine.locks.is_empty());
}

#[test]
fn a_single_write_gives_up_after_its_time() {
    let mut w = world(2);
    let tx = begin_with(&mut w, 0, false, 120_000);
    write(&mut w, 0, Some(tx), 1, "tx");
    let one = upsert(&mut w, 1, None, 1, "one");
    w.advance(Duration::from_secs(29));
    assert!(w.take(1, one).is_none());
    w.advance(Duration::from_secs(2));
    assert_eq!(w.take(1, one).unwrap().error().code, LOCK_TIMEOUT);
    commit(&mut w, 0, tx).ok();
    assert_eq!(read(&mut w, 1, None, 1), some("tx"));
    assert!(w.engine.locks.is_empty());
}

#[test]
fn a_transaction_ends_with_its_time() {
    let mut w = world(2);
    let tx = begin_with(&mut w, 0, false, 500);
    write(&mut w, 0, Some(tx), 1, "late");
    let waiting = upsert(&mut w, 1, None, 1, "next");
    w.advance(Duration::from_millis(499));
    assert!(w.take(1, waiting).is_none());
    w.advance(Duration::from_millis(2));
    w.take(1, waiting).expect("the lock is free").ok();
    let request = get(&mut w, 0, Some(tx), 2);
    assert_eq!(w.take(0, request).unwrap().error().code, TIMED_OUT);
    assert_eq!(commit(&mut w, 0, tx).error().code, TIMED_OUT);
    assert_eq!(commit(&mut w, 0, tx).error().code, 131_071);
    assert_eq!(read(&mut w, 0, None, 1), some("next"));

    let default = begin(&mut w, 0);
    w.advance(Duration::from_secs(31));
    assert_eq!(commit(&mut w, 0, default).error().code, TIMED_OUT);
    let read_only = begin_with(&mut w, 0, true, 0);
    w.advance(Duration::from_secs(599));
    assert_eq!(read(&mut w, 0, Some(read_only), 9), None);
    w.advance(Duration::from_secs(2));
    let request = get(&mut w, 0, Some(read_only), 9);
    assert_eq!(w.take(0, request).unwrap().error().code, TIMED_OUT);
    commit(&mut w, 0, read_only).ok();
    let refused = w.err(0, 43, |out| {
        out.put_bool(false);
        out.put_int(-5);
        out.put_int(0);
    });
    assert_eq!(refused.code, 65_539);
}

#[test]
fn a_request_that_waits_ends_with_its_transaction() {
    let mut w = world(2);
    let older = begin_with(&mut w, 0, false, 1_000);
    let younger = begin_with(&mut w, 1, false, 60_000);
    write(&mut w, 1, Some(younger), 1, "young");
    let waiting = upsert(&mut w, 0, Some(older), 1, "old");
    w.advance(Duration::from_millis(1_001));
    assert_eq!(w.take(0, waiting).unwrap().error().code, TIMED_OUT);
    commit(&mut w, 1, younger).ok();
    assert_eq!(read(&mut w, 1, None, 1), some("young"));
    // A rollback by its own client ends it too.
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    write(&mut w, 1, Some(younger), 1, "young");
    let waiting = upsert(&mut w, 0, Some(older), 1, "old");
    rollback(&mut w, 0, older);
    assert_eq!(w.take(0, waiting).unwrap().error().code, 131_071);
    commit(&mut w, 1, younger).ok();
    assert!(w.engine.locks.is_empty());
}

#[test]
fn a_disconnect_wakes_who_waited() {
    let mut w = world(3);
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    write(&mut w, 1, Some(younger), 1, "young");
    let waiting = upsert(&mut w, 0, Some(older), 1, "old");
    let single = upsert(&mut w, 2, None, 1, "single");
    w.close(2);
    w.close(1);
    w.take(0, waiting).expect("woken").ok();
    commit(&mut w, 0, older).ok();
    assert_eq!(read(&mut w, 0, None, 1), some("old"));
    assert!(w.take(2, single).is_none() && w.engine.locks.is_empty());
}

#[test]
fn a_read_only_transaction_sees_one_moment() {
    let mut w = world(2);
    write(&mut w, 0, None, 1, "old");
    let tx = begin_with(&mut w, 0, true, 0);
    write(&mut w, 1, None, 1, "new");
    write(&mut w, 1, None, 2, "new");
    assert_eq!((read(&mut w, 0, Some(tx), 1), read(&mut w, 0, Some(tx), 2)), (some("old"), None));
    let request = upsert(&mut w, 0, Some(tx), 1, "x");
    let error = w.take(0, request).unwrap().error();
    assert_eq!(error.code, READ_ONLY);
    assert!(error.message.starts_with("Failed to enlist read-write operation into read-only transaction txId={"));
    let request = w.send(0, DELETE, |out| {
        put_header(out, 18, Some(tx), 1);
        put_key(out, 1);
    });
    assert_eq!(w.take(0, request).unwrap().error().code, READ_ONLY);
    assert_eq!(read(&mut w, 0, Some(tx), 1), some("old"), "it goes on");
    commit(&mut w, 0, tx).ok();
}

#[test]
fn an_upgrade_waits_for_the_other_readers() {
    let mut w = world(2);
    write(&mut w, 0, None, 1, "0");
    let (older, younger) = (begin(&mut w, 0), begin(&mut w, 1));
    assert_eq!(read(&mut w, 0, Some(older), 1), some("0"));
    assert_eq!(read(&mut w, 1, Some(younger), 1), some("0"));
    let upgrade = upsert(&mut w, 0, Some(older), 1, "1");
    assert!(w.take(0, upgrade).is_none());
    let dies = upsert(&mut w, 1, Some(younger), 1, "1");
    assert_eq!(w.take(1, dies).unwrap().error().code, CONFLICT, "no update is lost");
    w.take(0, upgrade).unwrap().ok();
    commit(&mut w, 0, older).ok();
}

#[test]
fn ids_belong_to_their_connection() {
    let mut w = world(2);
    let tx = begin(&mut w, 0);
    let request = get(&mut w, 1, Some(tx), 1);
    assert_eq!(w.take(1, request).unwrap().error().message, format!("Failed to find resource with id: {tx}"));
    assert_eq!(w.err(1, 45, |out| out.put_int(tx)).code, 131_071);
}

#[test]
fn open_transactions_are_limited() {
    let mut w = World::with_limits(Limits { resources: 3, ..Limits::default() });
    w.sql(KV);
    w.connect();
    let first = begin(&mut w, 0);
    begin(&mut w, 0);
    begin(&mut w, 0);
    let error = w.err(0, 43, |out| out.extend_from_slice(&[0xc2, 0, 0]));
    assert!(error.message.contains("limit is 3"), "{}", error.message);
    rollback(&mut w, 0, first);
    begin(&mut w, 0);
}

#[test]
fn a_dropped_table_fails_what_wrote_to_it() {
    const INCOMPATIBLE: i64 = 458_763;
    let mut w = world(1);
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "a");
    w.sql("DROP TABLE KV");
    let error = commit(&mut w, 0, tx).error();
    assert_eq!((error.code, error.class.as_str()), (INCOMPATIBLE, "org.apache.ignite.tx.IncompatibleSchemaException"));
    assert_eq!(error.message, "Commit failed because a table was already dropped [table=KV]");
    assert!(w.engine.locks.is_empty());

    let mut w = world(1);
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "a");
    w.sql("DROP TABLE KV");
    let request = upsert(&mut w, 0, Some(tx), 2, "b");
    let error = w.take(0, request).unwrap().error();
    assert_eq!((error.code, error.message.as_str()), (INCOMPATIBLE, "Table was dropped [tableId=18]"));
    assert_eq!(commit(&mut w, 0, tx).error().code, FINISHED);
    let request = upsert(&mut w, 0, None, 2, "b");
    assert_eq!(w.take(0, request).unwrap().error().code, 131_074);
}

/// The texts are those of Ignite 3.1.0.
#[test]
fn a_transaction_keeps_the_schema_it_began_with() {
    let mut w = world(1);
    let wide = |w: &mut World, tx, version| {
        let row = tuple(&[(Int32, Value::Int(2)), (TEXT, Value::Str("x".into())), (Int32, Value::Null)]);
        w.call(0, UPSERT, |out| {
            put_header(out, 18, Some(tx), version);
            put_tuple(out, &row);
        })
    };
    let tx = begin(&mut w, 0);
    write(&mut w, 0, Some(tx), 1, "a");
    w.sql("ALTER TABLE KV ADD COLUMN W INT");
    let error = wide(&mut w, tx, 2).error();
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            458_763,
            "Table schema was updated after the transaction was started [table=KV, startSchema=1, operationSchema=2]"
        )
    );
    let request = get(&mut w, 0, Some(tx), 1);
    let error = w.take(0, request).unwrap().error();
    assert_eq!(error.code, FINISHED);
    assert!(error.message.ends_with(", readOnly=false]."), "{}", error.message);
    rollback(&mut w, 0, tx);

    let tx = begin(&mut w, 0);
    wide(&mut w, tx, 2).ok();
    w.sql("ALTER TABLE KV ADD COLUMN X INT");
    commit(&mut w, 0, tx).ok();

    let tx = begin(&mut w, 0);
    w.ok(0, DELETE, |out| {
        put_header(out, 18, Some(tx), 3);
        put_key(out, 2);
    });
    w.sql("ALTER TABLE KV DROP COLUMN X");
    assert_eq!(
        commit(&mut w, 0, tx).error().message,
        "Commit failed because schema is not forward-compatible [fromSchemaVersion=3, toSchemaVersion=4, table=KV, \
         details=Columns were dropped]"
    );
    let tx = begin(&mut w, 0);
    w.ok(0, DELETE, |out| {
        put_header(out, 18, Some(tx), 4);
        put_key(out, 2);
    });
    w.sql("ALTER TABLE KV ADD COLUMN N INT NOT NULL");
    assert!(commit(&mut w, 0, tx).error().message.contains("Not null column added without default value"));
}

/// Transfers between accounts from many clients, in a random interleaving: the sum stays, and a reader of all accounts
/// in one transaction sees the sum at every moment.
#[test]
fn transfers_keep_the_sum() {
    const CLIENTS: usize = 8;
    const ACCOUNTS: i64 = 5;
    let mut w = world(CLIENTS);
    for id in 0..ACCOUNTS {
        write(&mut w, 0, None, id, "100");
    }
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut committed, mut died) = (0, 0);
    // Per client: the transaction, what is still to be asked, the request that is out.
    let mut running: Vec<Option<Transfer>> = (0..CLIENTS).map(|_| None).collect();
    for _step in 0..20_000 {
        let client = rng.usize(..CLIENTS);
        let transfer = running[client].take();
        running[client] = match transfer {
            None => {
                let (from, to) = (rng.i64(0..ACCOUNTS), rng.i64(0..ACCOUNTS));
                let tx = begin(&mut w, client);
                let request = get(&mut w, client, Some(tx), from);
                (from != to).then_some(Transfer { tx, from, to, request, balance: None, step: 0 }).or_else(|| {
                    rollback(&mut w, client, tx);
                    None
                })
            }
            Some(transfer) => match w.take(client, transfer.request) {
                None => Some(transfer),
                Some(reply) if reply.flags != 0 => {
                    assert!(matches!(reply.error().code, CONFLICT | FINISHED), "{:?}", reply.error());
                    died += 1;
                    rollback(&mut w, client, transfer.tx);
                    None
                }
                Some(reply) => {
                    let next = transfer.go_on(&mut w, client, reply);
                    committed += usize::from(next.is_none());
                    next
                }
            },
        };
        let audit = begin_with(&mut w, 0, true, 0);
        let sum: i64 = (0..ACCOUNTS).map(|id| read(&mut w, 0, Some(audit), id).unwrap().parse::<i64>().unwrap()).sum();
        rollback(&mut w, 0, audit);
        assert_eq!(sum, 100 * ACCOUNTS);
    }
    assert!(committed > 500 && died > 100, "{committed} committed, {died} died");
}

struct Transfer {
    tx: i64,
    from: i64,
    to: i64,
    request: i64,
    balance: Option<i64>,
    step: u8,
}

impl Transfer {
    /// Takes the answer to the request that was out and sends the next; none after the commit.
    fn go_on(mut self, w: &mut World, client: usize, reply: Reply) -> Option<Self> {
        let tx = Some(self.tx);
        self.request = match self.step {
            0 => {
                self.balance = Some(value(reply).unwrap().parse().unwrap());
                upsert(w, client, tx, self.from, &(self.balance.unwrap() - 1).to_string())
            }
            1 => get(w, client, tx, self.to),
            2 => {
                let balance: i64 = value(reply).unwrap().parse().unwrap();
                upsert(w, client, tx, self.to, &(balance + 1).to_string())
            }
            _ => {
                commit(w, client, self.tx).ok();
                return None;
            }
        };
        self.step += 1;
        Some(self)
    }
}
