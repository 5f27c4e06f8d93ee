//! Views of what goes on: transactions, queries, locks.

use super::Source::{Like, NotNull, Own};
use super::{Definition, INT, Row, TEXT, text};
use crate::config::NODE_NAME;
use crate::sql::activity::{HeldLock, OpenTransaction, RunningQuery};
use crate::value::{ColumnType, Timestamp, Value};

const NODE: super::Source = NotNull(ColumnType::String { length: 65_536 });
const TIME: super::Source = Own(ColumnType::Timestamp { precision: 9 });

const fn letters(length: u32) -> super::Source {
    Own(ColumnType::String { length })
}

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        name: "TRANSACTIONS",
        of_node: true,
        columns: &[
            ("COORDINATOR_NODE_ID", NODE),
            ("TRANSACTION_STATE", letters(64)),
            ("TRANSACTION_ID", letters(64)),
            ("TRANSACTION_START_TIME", TIME),
            ("TRANSACTION_TYPE", letters(64)),
            ("TRANSACTION_PRIORITY", letters(64)),
            ("STATE", Like("TRANSACTION_STATE")),
            ("ID", Like("TRANSACTION_ID")),
            ("START_TIME", Like("TRANSACTION_START_TIME")),
            ("TYPE", Like("TRANSACTION_TYPE")),
            ("PRIORITY", Like("TRANSACTION_PRIORITY")),
        ],
        rows: |scene| scene.activity.transactions.iter().map(transaction).collect(),
    },
    Definition {
        name: "SQL_QUERIES",
        of_node: true,
        columns: &[
            ("INITIATOR_NODE", NODE),
            ("QUERY_ID", letters(36)),
            ("QUERY_PHASE", letters(10)),
            ("QUERY_TYPE", letters(10)),
            ("QUERY_DEFAULT_SCHEMA", letters(32_767)),
            ("SQL", letters(32_767)),
            ("QUERY_START_TIME", TIME),
            ("TRANSACTION_ID", letters(36)),
            ("PARENT_QUERY_ID", letters(36)),
            ("QUERY_STATEMENT_ORDINAL", INT),
            ("ID", Like("QUERY_ID")),
            ("PHASE", Like("QUERY_PHASE")),
            ("TYPE", Like("QUERY_TYPE")),
            ("SCHEMA", Like("QUERY_DEFAULT_SCHEMA")),
            ("START_TIME", Like("QUERY_START_TIME")),
            ("PARENT_ID", Like("PARENT_QUERY_ID")),
            ("STATEMENT_NUM", Like("QUERY_STATEMENT_ORDINAL")),
        ],
        rows: |scene| scene.activity.queries.iter().map(query).collect(),
    },
    Definition {
        name: "LOCKS",
        of_node: true,
        columns: &[
            ("OWNING_NODE_ID", NODE),
            ("TRANSACTION_ID", letters(36)),
            ("OBJECT_ID", TEXT),
            ("LOCK_MODE", letters(2)),
            ("TX_ID", Like("TRANSACTION_ID")),
            ("MODE", Like("LOCK_MODE")),
        ],
        rows: |scene| scene.activity.locks.iter().map(lock).collect(),
    },
];

fn time(millis: u64) -> Value<'static> {
    let nanos = (millis % 1_000) as u32 * 1_000_000;
    Value::Timestamp(Timestamp { seconds: (millis / 1_000) as i64, nanos })
}

fn transaction(tx: &OpenTransaction) -> Row {
    vec![
        text(NODE_NAME),
        text("PENDING"),
        text(&tx.id.to_string()),
        time(tx.started),
        text(if tx.read_only { "READ_ONLY" } else { "READ_WRITE" }),
        text("NORMAL"),
    ]
}

fn query(query: &RunningQuery) -> Row {
    vec![
        text(NODE_NAME),
        text(&query.id.to_string()),
        text("EXECUTION"),
        text(if query.is_change { "DML" } else { "QUERY" }),
        text(&query.schema),
        text(&query.sql),
        time(query.started),
        query.transaction.map_or(Value::Null, |id| text(&id.to_string())),
        Value::Null,
        Value::Null,
    ]
}

fn lock(lock: &HeldLock) -> Row {
    vec![
        text(NODE_NAME),
        text(&lock.transaction.to_string()),
        text(&lock.object),
        text(if lock.exclusive { "X" } else { "S" }),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sql::activity::{Activity, QueryId};
    use crate::store::tx::TxId;

    /// One of each.
    pub(in super::super) fn fill(activity: &mut Activity) {
        activity.transactions.push(OpenTransaction { id: TxId(1), read_only: true, started: 1_234 });
        activity.locks.push(HeldLock { transaction: TxId(1), object: "18:81".into(), exclusive: true });
        activity.queries.push(RunningQuery {
            id: QueryId(1),
            sql: "SELECT 1".into(),
            schema: "PUBLIC".into(),
            is_change: false,
            started: 0,
            transaction: None,
        });
    }

    #[test]
    fn times_are_milliseconds() {
        assert_eq!(time(1_234), Value::Timestamp(Timestamp { seconds: 1, nanos: 234_000_000 }));
    }
}
