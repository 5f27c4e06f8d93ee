//! The operation codes of the GA dialect.

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What a request asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Opcode {
            $($(#[$doc])* $name = $code,)*
        }

        impl Opcode {
            /// The operation with this code, if there is one.
            pub fn from_code(code: i64) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The code on the wire.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The name in upper case, as the protocol writes it.
            pub fn name(self) -> String {
                let name = match self {
                    $(Self::$name => stringify!($name),)*
                };
                let mut upper = String::new();
                for (i, c) in name.char_indices() {
                    if i > 0 && c.is_ascii_uppercase() {
                        upper.push('_');
                    }
                    upper.push(c.to_ascii_uppercase());
                }
                upper
            }

            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

opcodes! {
    /// Nothing; keeps the connection alive.
    Heartbeat = 1,
    /// Names and ids of all tables.
    TablesGet = 3,
    /// The id of a table by its canonical name.
    TableGet = 4,
    /// Schemas of a table: the latest, or given versions.
    SchemasGet = 5,
    /// Writes a row.
    TupleUpsert = 10,
    /// Reads a row.
    TupleGet = 12,
    /// Writes rows.
    TupleUpsertAll = 13,
    /// Reads rows.
    TupleGetAll = 15,
    /// Writes a row and answers the one it replaced.
    TupleGetAndUpsert = 16,
    /// Writes a row if its key is free.
    TupleInsert = 18,
    /// Writes the rows whose keys are free and answers the others.
    TupleInsertAll = 20,
    /// Writes a row if its key exists.
    TupleReplace = 22,
    /// Writes a row if the stored one equals another given row.
    TupleReplaceExact = 24,
    /// Writes a row if its key exists and answers the old row.
    TupleGetAndReplace = 26,
    /// Deletes a row.
    TupleDelete = 28,
    /// Deletes rows and answers the keys that did not exist.
    TupleDeleteAll = 29,
    /// Deletes a row that equals the given one.
    TupleDeleteExact = 30,
    /// Deletes the rows that equal the given ones and answers the others.
    TupleDeleteAllExact = 31,
    /// Deletes a row and answers it.
    TupleGetAndDelete = 32,
    /// Whether a key exists.
    TupleContainsKey = 33,
    /// JDBC: runs SQL text.
    JdbcExec = 34,
    /// JDBC: the next page of a cursor.
    JdbcNext = 35,
    /// JDBC: runs several SQL texts.
    JdbcExecBatch = 36,
    /// JDBC: closes a cursor.
    JdbcCursorClose = 37,
    /// JDBC: tables that match a pattern.
    JdbcTableMeta = 38,
    /// JDBC: columns that match a pattern.
    JdbcColumnMeta = 39,
    /// JDBC: schemas that match a pattern.
    JdbcSchemasMeta = 40,
    /// JDBC: primary keys of tables that match a pattern.
    JdbcPrimaryKeyMeta = 41,
    /// Begins a transaction.
    TxBegin = 43,
    /// Commits a transaction.
    TxCommit = 44,
    /// Rolls a transaction back.
    TxRollback = 45,
    /// JDBC: runs one SQL text with several argument lists.
    JdbcPreparedBatch = 46,
    /// Compute: runs a job on a node.
    ComputeExecute = 47,
    /// The cluster's nodes.
    ClusterGetNodes = 48,
    /// Compute: runs a job where a key lives.
    ComputeExecuteColocated = 49,
    /// Runs one SQL statement.
    SqlExec = 50,
    /// The next page of an SQL cursor.
    SqlCursorNextPage = 51,
    /// Closes an SQL cursor.
    SqlCursorClose = 52,
    /// Which node holds each partition of a table.
    PartitionAssignmentGet = 53,
    /// JDBC: opens a connection context.
    JdbcConnect = 54,
    /// JDBC: ends the transaction of a connection context.
    JdbcTxFinish = 55,
    /// Runs an SQL script.
    SqlExecScript = 56,
    /// Describes an SQL statement without running it.
    SqlQueryMeta = 57,
    /// JDBC: the result of the next statement of a script.
    JdbcMoreResults = 58,
    /// Compute: the state of a job.
    ComputeGetState = 59,
    /// Compute: cancels a job.
    ComputeCancel = 60,
    /// Compute: changes the priority of a queued job.
    ComputeChangePriority = 61,
    /// Writes and deletes a batch of a data stream.
    StreamerBatchSend = 62,
    /// Runs one SQL statement with several argument lists.
    SqlExecBatch = 63,
    /// Compute: runs a map-reduce task.
    ComputeExecuteMapReduce = 64,
    /// The primary replica of each partition of a table.
    PrimaryReplicasGet = 65,
    /// Hands a batch of a data stream to a receiver.
    StreamerWithReceiverBatchSend = 66,
    /// Whether all keys exist.
    TupleContainsAllKeys = 67,
    /// JDBC: cancels a running statement.
    JdbcCancel = 68,
    /// Compute: runs a job where a partition lives.
    ComputeExecutePartitioned = 69,
    /// Cancels a running operation of this connection.
    OperationCancel = 70,
    /// Qualified names and ids of all tables.
    TablesGetQualified = 71,
    /// The id of a table by its qualified name.
    TableGetQualified = 72,
    /// A client's answer to a request of the server; this server makes none.
    ServerOpResponse = 73,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_operations_agree() {
        for op in Opcode::ALL {
            assert_eq!(Opcode::from_code(i64::from(op.code())), Some(*op));
        }
        assert_eq!(Opcode::TupleGetAndUpsert.name(), "TUPLE_GET_AND_UPSERT");
        for unknown in [-1, 0, 2, 11, 42, 74, 256 + 10, i64::MAX] {
            assert_eq!(Opcode::from_code(unknown), None, "{unknown}");
        }
    }
}
