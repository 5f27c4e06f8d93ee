//! The draft's operations: their codes, and what their requests and answers carry.
//!
//! The table is the one place that knows the layouts; requests, answers and traces are read and written by it. Each
//! schemaless operation is its plain twin in another [`Form`].

/// An operation of the draft dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Creates a table.
    TableCreate,
    /// Drops a table.
    TableDrop,
    /// Lists all tables.
    TablesGet,
    /// Finds a table by its name.
    TableGet,
    /// Lists columns, of the newest or of given schema versions.
    SchemasGet,
    /// Reads or writes tuples.
    Tuple(Action, Form),
    /// An operation of the SQL family, by code.
    Sql(SqlOp),
}

/// How the tuples of a request are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Values in the order of a schema version that the request names.
    Plain,
    /// Maps from column name to value; unknown names make a live table grow.
    Schemaless,
}

/// What is done with tuples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    Upsert,
    Get,
    UpsertAll,
    GetAll,
    GetAndUpsert,
    Insert,
    InsertAll,
    Replace,
    ReplaceExact,
    GetAndReplace,
    Delete,
    DeleteAll,
    DeleteExact,
    DeleteAllExact,
    GetAndDelete,
    ContainsKey,
}

/// The SQL family, for JDBC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SqlOp {
    Exec,
    Next,
    ExecBatch,
    CursorClose,
    TableMeta,
    ColumnMeta,
    SchemasMeta,
    PrimaryKeyMeta,
    QueryMeta,
}

/// The tuples of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// One tuple.
    One,
    /// Two tuples of one schema: the one expected, the one to put.
    Two,
    /// A count, then as many tuples.
    Many,
}

/// The columns of a tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// The key columns.
    Key,
    /// All columns.
    All,
    /// The value columns.
    Value,
}

/// What an answer carries behind its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// A boolean.
    Bool,
    /// Nil, or a schema version and one tuple.
    OptionalTuple(Columns),
    /// Nil, or a schema version, a count and as many tuples.
    OptionalTuples(Columns),
    /// Nil, or an array of maps.
    OptionalMaps,
}

impl Action {
    /// What a request carries: how many tuples, of which columns.
    pub fn request(self) -> (Carries, Columns) {
        match self {
            Self::Get | Self::Delete | Self::GetAndDelete | Self::ContainsKey => (Carries::One, Columns::Key),
            Self::GetAll | Self::DeleteAll => (Carries::Many, Columns::Key),
            Self::UpsertAll | Self::InsertAll | Self::DeleteAllExact => (Carries::Many, Columns::All),
            Self::ReplaceExact => (Carries::Two, Columns::All),
            Self::Upsert
            | Self::GetAndUpsert
            | Self::Insert
            | Self::Replace
            | Self::GetAndReplace
            | Self::DeleteExact => (Carries::One, Columns::All),
        }
    }

    /// What an answer carries.
    pub fn answer(self, form: Form) -> Answer {
        match (self, form) {
            (Self::Upsert | Self::UpsertAll, _) => Answer::Nothing,
            (
                Self::Insert
                | Self::Replace
                | Self::ReplaceExact
                | Self::Delete
                | Self::DeleteExact
                | Self::ContainsKey,
                _,
            ) => Answer::Bool,
            (Self::GetAndUpsert | Self::GetAndReplace, Form::Schemaless) => Answer::OptionalTuple(Columns::All),
            (Self::Get | Self::GetAndUpsert | Self::GetAndReplace | Self::GetAndDelete, _) => {
                Answer::OptionalTuple(Columns::Value)
            }
            (Self::InsertAll, Form::Schemaless) => Answer::OptionalMaps,
            (Self::DeleteAll, _) => Answer::OptionalTuples(Columns::Key),
            (Self::GetAll | Self::InsertAll | Self::DeleteAllExact, _) => Answer::OptionalTuples(Columns::All),
        }
    }
}

/// Every operation: code, name, meaning.
const TABLE: [(i32, &str, Opcode); 38] = {
    use Action as A;
    use Form::{Plain, Schemaless};
    use Opcode::{Sql, Tuple};
    [
        (1, "TABLE_CREATE", Opcode::TableCreate),
        (2, "TABLE_DROP", Opcode::TableDrop),
        (3, "TABLES_GET", Opcode::TablesGet),
        (4, "TABLE_GET", Opcode::TableGet),
        (5, "SCHEMAS_GET", Opcode::SchemasGet),
        (10, "TUPLE_UPSERT", Tuple(A::Upsert, Plain)),
        (11, "TUPLE_UPSERT_SCHEMALESS", Tuple(A::Upsert, Schemaless)),
        (12, "TUPLE_GET", Tuple(A::Get, Plain)),
        (13, "TUPLE_UPSERT_ALL", Tuple(A::UpsertAll, Plain)),
        (14, "TUPLE_UPSERT_ALL_SCHEMALESS", Tuple(A::UpsertAll, Schemaless)),
        (15, "TUPLE_GET_ALL", Tuple(A::GetAll, Plain)),
        (16, "TUPLE_GET_AND_UPSERT", Tuple(A::GetAndUpsert, Plain)),
        (17, "TUPLE_GET_AND_UPSERT_SCHEMALESS", Tuple(A::GetAndUpsert, Schemaless)),
        (18, "TUPLE_INSERT", Tuple(A::Insert, Plain)),
        (19, "TUPLE_INSERT_SCHEMALESS", Tuple(A::Insert, Schemaless)),
        (20, "TUPLE_INSERT_ALL", Tuple(A::InsertAll, Plain)),
        (21, "TUPLE_INSERT_ALL_SCHEMALESS", Tuple(A::InsertAll, Schemaless)),
        (22, "TUPLE_REPLACE", Tuple(A::Replace, Plain)),
        (23, "TUPLE_REPLACE_SCHEMALESS", Tuple(A::Replace, Schemaless)),
        (24, "TUPLE_REPLACE_EXACT", Tuple(A::ReplaceExact, Plain)),
        (25, "TUPLE_REPLACE_EXACT_SCHEMALESS", Tuple(A::ReplaceExact, Schemaless)),
        (26, "TUPLE_GET_AND_REPLACE", Tuple(A::GetAndReplace, Plain)),
        (27, "TUPLE_GET_AND_REPLACE_SCHEMALESS", Tuple(A::GetAndReplace, Schemaless)),
        (28, "TUPLE_DELETE", Tuple(A::Delete, Plain)),
        (29, "TUPLE_DELETE_ALL", Tuple(A::DeleteAll, Plain)),
        (30, "TUPLE_DELETE_EXACT", Tuple(A::DeleteExact, Plain)),
        (31, "TUPLE_DELETE_ALL_EXACT", Tuple(A::DeleteAllExact, Plain)),
        (32, "TUPLE_GET_AND_DELETE", Tuple(A::GetAndDelete, Plain)),
        (33, "TUPLE_CONTAINS_KEY", Tuple(A::ContainsKey, Plain)),
        (34, "SQL_EXEC", Sql(SqlOp::Exec)),
        (35, "SQL_NEXT", Sql(SqlOp::Next)),
        (36, "SQL_EXEC_BATCH", Sql(SqlOp::ExecBatch)),
        (37, "SQL_CURSOR_CLOSE", Sql(SqlOp::CursorClose)),
        (38, "SQL_TABLE_META", Sql(SqlOp::TableMeta)),
        (39, "SQL_COLUMN_META", Sql(SqlOp::ColumnMeta)),
        (40, "SQL_SCHEMAS_META", Sql(SqlOp::SchemasMeta)),
        (41, "SQL_PK_META", Sql(SqlOp::PrimaryKeyMeta)),
        (42, "SQL_QUERY_META", Sql(SqlOp::QueryMeta)),
    ]
};

impl Opcode {
    /// The operation of this code.
    pub fn from_code(code: i32) -> Option<Self> {
        TABLE.get(index(code)?).map(|(_, _, op)| *op)
    }

    /// The code on the wire.
    pub fn code(self) -> i32 {
        self.row().map_or(0, |(code, _, _)| *code)
    }

    /// The name in the protocol's text.
    pub fn name(self) -> &'static str {
        self.row().map_or("?", |(_, name, _)| *name)
    }

    /// All operations.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(_, _, op)| *op)
    }

    fn row(self) -> Option<&'static (i32, &'static str, Self)> {
        TABLE.iter().find(|(_, _, op)| *op == self)
    }
}

/// Where in [`TABLE`] a code stands: codes 1..=5 and 10..=42 follow one another.
fn index(code: i32) -> Option<usize> {
    match code {
        1..=5 => usize::try_from(code - 1).ok(),
        10..=42 => usize::try_from(code - 5).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_find_their_row() {
        for (code, name, op) in TABLE {
            assert_eq!(Opcode::from_code(code), Some(op), "{name}");
            assert_eq!((op.code(), op.name()), (code, name));
        }
        for code in [i32::MIN, -1, 0, 6, 9, 43, 99, i32::MAX] {
            assert_eq!(Opcode::from_code(code), None);
        }
    }
}
