//! Runs an operation: takes its locks, or says that it waits, then runs it on the value or in its transaction.

use super::tuple::{Action, Reply, run};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Change, Table};
use crate::store::column::Column;
use crate::store::engine::{Engine, Overlay};
use crate::store::key::Key;
use crate::store::locks::Verdict;
use crate::store::tx::{self, State, Ticket, TxId, Waiting};
use std::sync::Arc;

/// Which transaction an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// None: it is one of its own.
    Single,
    /// This one.
    In(TxId),
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran.
    Done(Reply),
    /// It waits for a lock; the engine will name its ticket, and the request is to be run again from its start.
    Waits,
}

/// A tuple operation, resolved against the newest schema of its table.
#[derive(Debug)]
pub struct Operation {
    /// The table.
    pub table: Arc<Table>,
    /// Columns that a live schema gains first, in one new version; rows are packed for it.
    pub grow: Vec<Column>,
    /// What to do.
    pub action: Action,
}

/// Runs `operation`. `ticket` names the request, should it have to wait.
///
/// # Errors
/// Of a transaction: why it is dead, `WriteInReadOnlyTransaction`, `LockConflict` (it is rolled back then). Of a single
/// operation: `LockTimeout`. Of both: `ReadOnlyStore`, `OutOfMemory`.
pub fn execute(engine: &mut Engine, scope: Scope, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    match scope {
        Scope::Single => single(engine, ticket, operation),
        Scope::In(id) => in_transaction(engine, id, ticket, operation),
    }
}

fn single(engine: &mut Engine, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    // A read outside a transaction sees what is committed; nobody's lock concerns it.
    if operation.action.is_read() {
        let mut access = Overlay { db: engine.database(), writes: None };
        return Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)));
    }
    let waiting = engine.transactions.resume(ticket);
    if (waiting.is_some() || !engine.locks.is_empty()) && !admitted(engine, ticket, &operation, waiting)? {
        return Ok(Outcome::Waits);
    }
    engine.check_writable(operation.action.bytes())?;
    let mut commit = engine.begin_commit();
    let table = match operation.grow.is_empty() {
        true => operation.table,
        false => {
            commit.change(&Change::AlterTable { id: operation.table.id, add: operation.grow, drop: Vec::new() })?;
            commit.table(operation.table.id)?
        }
    };
    let reply = run(&mut commit, &table, operation.action);
    commit.finish();
    Ok(Outcome::Done(reply))
}

/// Whether no other transaction is in the way of a single operation. It waits for one row at a time and holds nothing
/// while it waits, so it cannot be part of a deadlock.
fn admitted(engine: &mut Engine, ticket: Ticket, operation: &Operation, waiting: Option<Waiting>) -> Result<bool> {
    let (id, deadline) = match &waiting {
        Some(w) => (w.tx, w.deadline),
        None => (engine.transactions.next_id(), engine.now() + engine.limits.transaction),
    };
    let (mode, keys) = operation.action.keys();
    let mut taken: Vec<(u32, Key)> = Vec::with_capacity(keys.len());
    let mut blocked = None;
    let expired = waiting.as_ref().is_some_and(|w| w.expired);
    if !expired {
        for key in keys {
            let row = (operation.table.id, key.clone());
            match engine.locks.acquire(id, row.clone(), mode, ticket, false) {
                Verdict::Granted => taken.push(row),
                Verdict::Waits | Verdict::Dies(_) => {
                    blocked = Some(row);
                    break;
                }
            }
        }
    }
    // The operation runs within this call, so no lock outlives it; only a place in a queue does.
    for row in &taken {
        engine.release_row(id, row);
    }
    if let Some(old) = waiting.filter(|w| blocked.as_ref() != Some(&w.row) && !taken.contains(&w.row)) {
        engine.release_row(id, &old.row);
    }
    if expired {
        return Err(Error::new(
            Kind::LockTimeout,
            format!("a lock was not granted within {:?}", engine.limits.transaction),
        ));
    }
    let Some(row) = blocked else { return Ok(true) };
    engine.transactions.wait(ticket, Waiting { tx: id, row, deadline, expired: false });
    Ok(false)
}

fn in_transaction(engine: &mut Engine, id: TxId, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    let tx = engine.transactions.get(id).ok_or_else(|| tx::finished(id))?;
    tx.check_alive()?;
    if let State::ReadOnly(db) = &tx.state {
        if !operation.action.is_read() {
            return Err(Error::new(
                Kind::WriteInReadOnlyTransaction,
                format!("Failed to enlist read-write operation into read-only transaction txId={{{id}}}"),
            ));
        }
        let mut access = Overlay { db, writes: None };
        return Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)));
    }
    if let State::ReadWrite(writes) = &tx.state
        && !operation.action.is_read()
        && let Err(error) = writes.check_write(&operation.table)
    {
        engine.kill(id, error.clone());
        return Err(error);
    }
    if !lock(engine, id, ticket, &operation)? {
        return Ok(Outcome::Waits);
    }
    let bytes = operation.action.bytes();
    engine.check_writable(bytes)?;
    let (db, transactions) = engine.parts();
    let Some(State::ReadWrite(writes)) = transactions.get_mut(id).map(|tx| &mut tx.state) else {
        return Err(Error::new(Kind::Internal, "a transaction changed its kind"));
    };
    let mut access = Overlay { db, writes: Some(writes) };
    Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)))
}

/// Takes all locks of an operation in a read-write transaction. `false`: it waits for one of them.
fn lock(engine: &mut Engine, id: TxId, ticket: Ticket, operation: &Operation) -> Result<bool> {
    let (mode, keys) = operation.action.keys();
    for key in keys {
        let row = (operation.table.id, key.clone());
        let verdict = engine.locks.acquire(id, row.clone(), mode, ticket, true);
        if let Verdict::Dies(older) = verdict {
            let error = tx::conflict(id, older);
            engine.kill(id, error.clone());
            return Err(error);
        }
        let Some(State::ReadWrite(writes)) = engine.transactions.get_mut(id).map(|tx| &mut tx.state) else { continue };
        writes.locked.insert(row);
        if verdict == Verdict::Waits {
            writes.waiting.insert(ticket);
            return Ok(false);
        }
        writes.waiting.remove(&ticket);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::op::resolve::{Resolver, grown, growth};
    use crate::op::table::{self, Create, NewColumn, NewDefault};
    use crate::op::tuple::{Many, NewTuple};
    use crate::store::catalog::TableOptions;
    use crate::store::clock::{Clock, ManualClock};
    use crate::store::database::Database;
    use crate::value::{ColumnType, UNLIMITED, Value};
    use smallvec::smallvec;
    use std::time::Duration;

    const STRING: ColumnType = ColumnType::String { length: UNLIMITED };

    struct World {
        engine: Engine,
        clock: Arc<ManualClock>,
        table: u32,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::default());
            let rng = fastrand::Rng::with_seed(1);
            let mut engine = Engine::new(Database::new(), None, u64::MAX, Limits::default(), clock.clone(), rng);
            let column = |name: &str, ty| NewColumn {
                name: name.into(),
                ty,
                nullable: true,
                default: NewDefault::Value(Value::Null),
            };
            let create = Create {
                schema: "PUBLIC".into(),
                name: "t".into(),
                draft_name: "t".into(),
                columns: vec![column("id", ColumnType::Int64), column("v", STRING)],
                key: vec!["id".into()],
                colocation: vec![],
                live: true,
                options: TableOptions::default(),
            };
            let table = table::create(&mut engine, &create).unwrap().id;
            Self { engine, clock, table }
        }

        fn tuple(&mut self, id: i64, v: &str) -> NewTuple {
            let schema = Arc::clone(self.engine.catalog().table(self.table).unwrap().newest());
            let mut values = vec![Some(Value::Int(id)), Some(Value::Str(v.to_owned().into()))];
            values.resize(schema.columns.len(), None);
            Resolver::new(&schema).tuple(values.into_iter(), &mut self.engine.rng).unwrap()
        }

        fn key(&mut self, id: i64) -> Key {
            self.tuple(id, "").key
        }

        fn run(&mut self, scope: Scope, request: i64, action: Action) -> Result<Outcome> {
            let table = Arc::clone(self.engine.catalog().table(self.table).unwrap());
            let ticket = Ticket { connection: 1, request };
            execute(&mut self.engine, scope, ticket, Operation { table, grow: vec![], action })
        }

        fn upsert(&mut self, scope: Scope, request: i64, id: i64, v: &str) -> Result<Outcome> {
            let tuple = self.tuple(id, v);
            self.run(scope, request, Action::Upsert(smallvec![tuple]))
        }

        fn read(&mut self, scope: Scope, request: i64, id: i64) -> Result<Option<String>> {
            let key = self.key(id);
            let table = Arc::clone(self.engine.catalog().table(self.table).unwrap());
            match self.run(scope, request, Action::Get(smallvec![key]))? {
                Outcome::Done(Reply::Rows(rows)) => {
                    Ok(rows[0].as_ref().map(|row| match table.newest().value(row, 1).unwrap() {
                        Value::Str(s) => s.into_owned(),
                        other => panic!("{other}"),
                    }))
                }
                other => panic!("{other:?}"),
            }
        }

        fn woken(&mut self) -> Vec<i64> {
            self.engine.take_woken().iter().map(|t| t.request).collect()
        }
    }

    fn done() -> Outcome {
        Outcome::Done(Reply::Done)
    }

    #[test]
    fn single_operations_do_what_they_say() {
        let mut w = World::new();
        let (a, b) = (w.tuple(1, "a"), w.tuple(1, "b"));
        let c = w.tuple(2, "c");
        let two: Many<NewTuple> = smallvec![a.clone(), c.clone()];
        let run = |w: &mut World, action| match w.run(Scope::Single, 0, action).unwrap() {
            Outcome::Done(reply) => reply,
            Outcome::Waits => panic!("waits"),
        };
        assert_eq!(run(&mut w, Action::Replace(a.clone())), Reply::Bool(false));
        assert_eq!(run(&mut w, Action::Insert(smallvec![a.clone()])), Reply::Skipped(vec![]));
        assert_eq!(run(&mut w, Action::Insert(two.clone())), Reply::Skipped(vec![0]));
        assert_eq!(run(&mut w, Action::ReplaceExact { old: b.clone(), new: b.clone() }), Reply::Bool(false));
        assert_eq!(run(&mut w, Action::ReplaceExact { old: a.clone(), new: b.clone() }), Reply::Bool(true));
        assert_eq!(run(&mut w, Action::GetAndUpsert(a.clone())), Reply::Row(Some(b.row.clone())));
        assert_eq!(run(&mut w, Action::GetAndReplace(b.clone())), Reply::Row(Some(a.row.clone())));
        assert_eq!(run(&mut w, Action::Contains(smallvec![a.key.clone(), c.key.clone()])), Reply::Bool(true));
        assert_eq!(run(&mut w, Action::DeleteExact(two)), Reply::Skipped(vec![0]));
        let nine = w.key(9);
        assert_eq!(run(&mut w, Action::Delete(smallvec![nine.clone(), c.key.clone()])), Reply::Skipped(vec![0, 1]));
        assert_eq!(run(&mut w, Action::GetAndDelete(nine)), Reply::Row(None));
        assert_eq!(run(&mut w, Action::Stream(vec![(c.key.clone(), Some(c.row)), (b.key.clone(), None)])), Reply::Done);
        assert_eq!(run(&mut w, Action::Contains(smallvec![b.key])), Reply::Bool(false));
        assert_eq!(w.read(Scope::Single, 0, 2).unwrap().as_deref(), Some("c"));
    }

    #[test]
    fn a_live_schema_grows_with_the_tuple_or_not_at_all() {
        let mut w = World::new();
        w.upsert(Scope::Single, 0, 1, "old").unwrap();
        let table = Arc::clone(w.engine.catalog().table(w.table).unwrap());
        let extra = Value::Int(7);
        let columns =
            growth(&table, [("x", &extra, None), ("v", &extra, None), ("x", &extra, None)].into_iter()).unwrap();
        assert_eq!(columns.iter().map(|c| (&*c.name, c.ty)).collect::<Vec<_>>(), [("x", ColumnType::Int64)]);
        let schema = grown(&table, &columns);
        let values = [Some(Value::Int(2)), None, Some(extra.clone())];
        let tuple = Resolver::new(&schema).tuple(values.into_iter(), &mut w.engine.rng).unwrap();
        let operation =
            Operation { table: Arc::clone(&table), grow: columns, action: Action::Upsert(smallvec![tuple]) };
        execute(&mut w.engine, Scope::Single, Ticket { connection: 1, request: 0 }, operation).unwrap();
        let newest = Arc::clone(w.engine.catalog().table(w.table).unwrap());
        assert_eq!(newest.newest().version, 2);
        assert_eq!(w.read(Scope::Single, 0, 1).unwrap().as_deref(), Some("old"));

        let text = Value::Str("x".into());
        let refused = |named: Vec<(&str, &Value<'_>)>| {
            growth(&newest, named.into_iter().map(|(n, v)| (n, v, None))).unwrap_err().kind
        };
        assert_eq!(refused(vec![("y", &Value::Null)]), Kind::LiveSchemaRefused);
        assert_eq!(refused(vec![("y", &extra), ("y", &text)]), Kind::TypeMismatch);
        table::set_live(&mut w.engine, newest.id, false).unwrap();
        let strict = w.engine.catalog().table(w.table).unwrap();
        let error = growth(strict, [("y", &extra, None)].into_iter()).unwrap_err();
        assert!(error.kind == Kind::SchemaMismatch && error.message.contains("strict and has no column y"), "{error}");
    }

    #[test]
    fn a_transaction_sees_its_own_writes_and_others_see_them_at_commit() {
        let mut w = World::new();
        w.upsert(Scope::Single, 0, 1, "old").unwrap();
        let snapshot = w.engine.begin(true, None);
        let tx = w.engine.begin(false, None);
        assert_eq!(w.upsert(Scope::In(tx), 1, 1, "new").unwrap(), done());
        assert_eq!(w.read(Scope::In(tx), 1, 1).unwrap().as_deref(), Some("new"));
        assert_eq!(w.read(Scope::Single, 1, 1).unwrap().as_deref(), Some("old"));
        w.engine.commit_transaction(tx).unwrap();
        assert_eq!(w.read(Scope::Single, 1, 1).unwrap().as_deref(), Some("new"));
        assert_eq!(w.read(Scope::In(snapshot), 1, 1).unwrap().as_deref(), Some("old"));
        assert_eq!(w.upsert(Scope::In(snapshot), 1, 1, "x").unwrap_err().kind, Kind::WriteInReadOnlyTransaction);
        assert_eq!(w.upsert(Scope::In(tx), 1, 1, "x").unwrap_err().kind, Kind::TransactionFinished);
        assert!(w.engine.locks.is_empty());
    }

    #[test]
    fn the_older_waits_the_younger_dies_and_single_operations_queue() {
        let mut w = World::new();
        let (old, young) = (w.engine.begin(false, None), w.engine.begin(false, None));
        assert_eq!(w.upsert(Scope::In(young), 1, 1, "young").unwrap(), done());
        assert_eq!(w.upsert(Scope::Single, 2, 1, "single").unwrap(), Outcome::Waits);
        assert_eq!(w.upsert(Scope::In(old), 3, 1, "old").unwrap(), Outcome::Waits);
        assert_eq!(w.upsert(Scope::In(old), 4, 2, "old").unwrap(), done());
        let error = w.upsert(Scope::In(young), 5, 2, "young").unwrap_err();
        assert_eq!(error.kind, Kind::LockConflict);
        assert_eq!(w.engine.commit_transaction(young).unwrap_err().kind, Kind::LockConflict);
        assert_eq!(w.woken(), [2]);
        assert_eq!(w.upsert(Scope::Single, 2, 1, "single").unwrap(), done());
        assert_eq!(w.woken(), [3]);
        assert_eq!(w.upsert(Scope::In(old), 3, 1, "old").unwrap(), done());
        w.engine.commit_transaction(old).unwrap();
        assert_eq!(w.read(Scope::Single, 6, 1).unwrap().as_deref(), Some("old"));
        assert!(w.engine.locks.is_empty());
    }

    #[test]
    fn what_waits_too_long_is_told_so() {
        let mut w = World::new();
        let tx = w.engine.begin(false, Some(Duration::from_secs(100)));
        w.upsert(Scope::In(tx), 1, 1, "x").unwrap();
        assert_eq!(w.upsert(Scope::Single, 2, 1, "y").unwrap(), Outcome::Waits);
        w.clock.advance(Duration::from_secs(31));
        w.engine.tick(w.clock.now());
        assert_eq!(w.woken(), [2]);
        assert_eq!(w.upsert(Scope::Single, 2, 1, "y").unwrap_err().kind, Kind::LockTimeout);
        w.clock.advance(Duration::from_secs(70));
        w.engine.tick(w.clock.now());
        assert_eq!(w.upsert(Scope::In(tx), 3, 1, "z").unwrap_err().kind, Kind::TransactionTimedOut);
        assert!(w.engine.locks.is_empty());
        w.engine.rollback(tx);
        assert!(w.engine.transactions.is_empty());
    }

    #[test]
    fn closing_a_connection_gives_up_its_places() {
        let mut w = World::new();
        let tx = w.engine.begin(false, None);
        w.upsert(Scope::In(tx), 1, 1, "x").unwrap();
        assert_eq!(w.upsert(Scope::Single, 2, 1, "y").unwrap(), Outcome::Waits);
        w.engine.forget_waiting(1);
        w.engine.rollback(tx);
        assert!(w.engine.locks.is_empty() && w.woken().is_empty());
        assert_eq!(w.read(Scope::Single, 3, 1).unwrap(), None);
    }

    #[test]
    fn a_full_memory_refuses_writes_and_takes_deletes() {
        let mut w = World::new();
        w.upsert(Scope::Single, 0, 1, "x").unwrap();
        let full = w.engine.database().bytes();
        let db = w.engine.database().clone();
        let rng = fastrand::Rng::with_seed(2);
        w.engine = Engine::new(db, None, full, Limits::default(), w.clock.clone(), rng);
        let error = w.upsert(Scope::Single, 0, 2, "y").unwrap_err();
        assert!(error.kind == Kind::OutOfMemory && error.message.contains("--max-memory"), "{error}");
        let key = w.key(1);
        assert_eq!(
            w.run(Scope::Single, 0, Action::Delete(smallvec![key])).unwrap(),
            Outcome::Done(Reply::Skipped(vec![]))
        );
        assert_eq!(w.upsert(Scope::Single, 0, 2, "y").unwrap(), done());
    }
}
