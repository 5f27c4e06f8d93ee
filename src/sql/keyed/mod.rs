//! Statements that name the whole keys of their rows: table operations in other words.
//!
//! `SELECT a, b FROM t WHERE id = ?`, `INSERT INTO t VALUES (...)`, `UPDATE t SET a = 1 WHERE id = 7` and `DELETE FROM t
//! WHERE id = 7` need no planner: they take the locks and the path of any other get, insert or delete, on the loop.
//! [`statement`] tells them by their tokens and is strict: whatever it does not know for certain is left
//! to the query engine, which knows all of SQL. So is a parameter whose type is not that of its key column. Both ways
//! answer alike; a build without the query engine has this one alone.

mod text;

use super::row::{self, Told};
use super::{Argument, Page, ResultColumn};
use crate::error::Result;
use crate::op::tuple::Write;
use crate::sql::exec::duplicate_key;
use crate::store::catalog::Table;
use crate::store::key::{self, Key};
use crate::store::row::Row;
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple::Builder;
use crate::wire::msgpack::Write as _;
use std::collections::HashSet;
use std::mem::discriminant;
use std::sync::Arc;

pub use text::statement;

/// A statement of known keys.
#[derive(Debug)]
pub struct Keyed {
    /// Its table.
    pub table: Arc<Table>,
    /// What it does.
    pub what: What,
}

/// What a statement does with the rows of its keys. Columns are positions in the table's newest schema.
#[derive(Debug)]
pub enum What {
    /// Shows these columns of a row.
    Select {
        /// The key's values, in key order.
        key: Vec<Constant>,
        /// Which columns.
        places: Vec<usize>,
        /// What a client is told of them.
        columns: Arc<[ResultColumn]>,
    },
    /// Puts new rows.
    Insert {
        /// The columns that get values.
        columns: Vec<usize>,
        /// Their values in each row.
        rows: Vec<Vec<Constant>>,
    },
    /// Gives columns of a row new values.
    Update {
        /// The key's values, in key order.
        key: Vec<Constant>,
        /// Which columns.
        columns: Vec<usize>,
        /// Their values.
        values: Vec<Constant>,
    },
    /// Deletes a row.
    Delete {
        /// The key's values, in key order.
        key: Vec<Constant>,
    },
}

/// A value that a statement's text tells, or leaves to a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// A literal.
    Literal(Value<'static>),
    /// DEFAULT.
    Default,
    /// The parameter of this number, from 0.
    Parameter(usize),
}

impl Constant {
    /// The value; `None` is DEFAULT.
    fn value(&self, arguments: &[Argument]) -> Option<Value<'static>> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Default => None,
            Self::Parameter(number) => Some(arguments.get(*number).map_or(Value::Null, |a| a.value.clone())),
        }
    }
}

impl Keyed {
    /// What a client is told of the columns, if there are any.
    pub fn columns(&self) -> Option<&Arc<[ResultColumn]>> {
        match &self.what {
            What::Select { columns, .. } => Some(columns),
            _ => None,
        }
    }

    /// The key of the one row that the statement is about; an empty one for new rows. `None`: with these parameters the
    /// statement is more than a table operation.
    pub fn key(&self, arguments: &[Argument]) -> Option<Key> {
        if self.takes_local_times(arguments) {
            return None;
        }
        let constants = match &self.what {
            What::Select { key, .. } | What::Update { key, .. } | What::Delete { key } => key,
            What::Insert { columns, rows } => return uniform(columns.len(), rows, arguments).then(Key::new),
        };
        let schema = self.table.newest();
        let mut out = Key::new();
        for (constant, &place) in constants.iter().zip(&schema.key) {
            let ty = schema.columns.get(place)?.ty;
            let value = constant.value(arguments).filter(|value| is_exact(value, ty))?;
            key::push(&mut out, &value, ty).ok()?;
        }
        Some(out)
    }

    /// Whether a local time becomes a point in time, or the other way around: only the query engine knows time zones.
    fn takes_local_times(&self, arguments: &[Argument]) -> bool {
        let schema = self.table.newest();
        let local = |(column, constant): (&usize, &Constant)| {
            matches!(
                (schema.columns.get(*column).map(|column| column.ty), constant.value(arguments)),
                (Some(ColumnType::Timestamp { .. }), Some(Value::Datetime(..)))
                    | (Some(ColumnType::Datetime { .. }), Some(Value::Timestamp(_)))
            )
        };
        match &self.what {
            What::Insert { columns, rows } => rows.iter().any(|row| columns.iter().zip(row).any(local)),
            What::Update { columns, values, .. } => columns.iter().zip(values).any(local),
            What::Select { .. } | What::Delete { .. } => false,
        }
    }

    /// Refuses what cannot be, whatever there is in the table.
    ///
    /// # Errors
    /// `SqlConstraint`.
    pub fn check(&self) -> Result<()> {
        let What::Insert { columns, rows } = &self.what else { return Ok(()) };
        let told = |constant: &Constant| match constant {
            Constant::Literal(Value::Null) => Told::Null,
            Constant::Default => Told::Default,
            _ => Told::Something,
        };
        rows.iter().try_for_each(|row| row::check_told(self.table.newest(), columns, row.iter().map(told)))
    }

    /// The rows that an INSERT puts.
    ///
    /// # Errors
    /// What a value is refused with; `SqlConstraint` for a key that comes twice.
    pub fn inserts(&self, arguments: &[Argument], rng: &mut fastrand::Rng) -> Result<Vec<Write>> {
        let What::Insert { columns, rows } = &self.what else { return Ok(Vec::new()) };
        let mut writes = Vec::with_capacity(rows.len());
        let mut written = HashSet::new();
        for values in rows {
            let values = values.iter().map(|constant| constant.value(arguments));
            let tuple = row::inserted(self.table.newest(), columns, values, rng)?;
            if rows.len() > 1 && !written.insert(tuple.key.clone()) {
                return Err(duplicate_key());
            }
            writes.push(Write { key: tuple.key, row: Some(tuple.row), new: true });
        }
        Ok(writes)
    }

    /// What an UPDATE makes of a row.
    ///
    /// # Errors
    /// What a value is refused with.
    pub fn update(&self, old: &Row, arguments: &[Argument], rng: &mut fastrand::Rng) -> Result<Option<Write>> {
        let What::Update { columns, values, .. } = &self.what else { return Ok(None) };
        let values = values.iter().map(|constant| constant.value(arguments).unwrap_or(Value::Null));
        let tuple = row::updated(&self.table, old, columns, values, rng)?;
        Ok(Some(Write { key: tuple.key, row: Some(tuple.row), new: false }))
    }

    /// The only page of a SELECT. The row is packed for the newest schema.
    ///
    /// # Errors
    /// `Internal` for a row that is not.
    pub fn page(&self, row: Option<&Row>) -> Result<Page> {
        let mut page = Page { last: true, ..Page::default() };
        if let (What::Select { places, .. }, Some(row)) = (&self.what, row) {
            let tuple = self.table.newest().tuple(row)?;
            let mut builder = Builder::new();
            for &place in places {
                // A result's elements are those that rows are kept in.
                builder.push_raw(tuple.element(place));
            }
            page.rows.put_bin(&builder.build());
            page.count = 1;
        }
        Ok(page)
    }
}

/// Whether the rows of VALUES have one type in every column, so that none of them changes the type of another.
fn uniform(width: usize, rows: &[Vec<Constant>], arguments: &[Argument]) -> bool {
    rows.len() == 1
        || (0..width).all(|column| {
            let values = rows.iter().filter_map(|row| row.get(column)?.value(arguments)).filter(|v| !v.is_null());
            let mut kinds = values.map(|value| discriminant(&value));
            kinds.next().is_none_or(|first| kinds.all(|kind| kind == first))
        })
}

/// Whether a value of this type is equal to a key column's value only if their keys are equal, whatever SQL converts.
fn is_exact(value: &Value<'_>, ty: ColumnType) -> bool {
    match (value, ty) {
        (Value::Int(v), ColumnType::Int8) => i8::try_from(*v).is_ok(),
        (Value::Int(v), ColumnType::Int16) => i16::try_from(*v).is_ok(),
        (Value::Int(v), ColumnType::Int32) => i32::try_from(*v).is_ok(),
        (Value::Int(_), ColumnType::Int64)
        | (Value::Bool(_), ColumnType::Boolean)
        | (Value::Date(_), ColumnType::Date)
        | (Value::Uuid(_), ColumnType::Uuid)
        | (Value::Str(_), ColumnType::String { .. })
        | (Value::Bytes(_), ColumnType::Bytes { .. }) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::op::ddl::{self, Statement};
    use crate::store::clock::ManualClock;
    use crate::store::database::Database;
    use crate::store::engine::Engine;

    fn engine() -> Engine {
        let rng = fastrand::Rng::with_seed(1);
        let clock = Arc::new(ManualClock::default());
        let mut engine = Engine::new(Database::new(), None, u64::MAX, Limits::default(), clock, rng);
        let text = "CREATE TABLE T (ID INT PRIMARY KEY, V VARCHAR, N DECIMAL(5, 1) DEFAULT 7);
                    CREATE TABLE P (A BIGINT, B VARCHAR, C DATE, V INT, PRIMARY KEY (B, A));
                    CREATE TABLE D (K DECIMAL(5, 1) PRIMARY KEY, V INT)";
        ddl::run_script(&mut engine, text).unwrap();
        engine
    }

    fn keyed(engine: &Engine, text: &str) -> Option<Keyed> {
        match ddl::parse_script(text).unwrap().remove(0) {
            Statement::Other { tokens, .. } => statement(&tokens, engine.catalog(), "PUBLIC"),
            other => panic!("{other:?}"),
        }
    }

    fn ints(values: &[i64]) -> Vec<Argument> {
        values.iter().map(|&v| Argument { ty: Some(ColumnType::Int64), value: Value::Int(v) }).collect()
    }

    #[test]
    fn statements_of_whole_keys_are_told() {
        let engine = engine();
        for text in [
            "select * from t where id = ?",
            "SELECT V, ID AS X FROM PUBLIC.T WHERE ID = -1",
            "SELECT \"V\" FROM P WHERE A = 1 AND B = 'b'",
            "INSERT INTO T VALUES (1, 'a', NULL), (2, ?, DEFAULT)",
            "INSERT INTO P (B, A, C) VALUES ('x', ?, DATE '2024-02-29')",
            "UPDATE T SET V = 'b', N = 1.5 WHERE ID = 3",
            "DELETE FROM P WHERE B = ? AND A = ?",
        ] {
            assert!(keyed(&engine, text).is_some(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_query_engine() {
        let engine = engine();
        for text in [
            "SELECT * FROM T",
            "SELECT * FROM NOWHERE WHERE ID = 1",
            "SELECT NOTHING FROM T WHERE ID = 1",
            "SELECT TRUE FROM T WHERE ID = 1",
            "SELECT DISTINCT V FROM T WHERE ID = 1",
            "SELECT V + 1 FROM T WHERE ID = 1",
            "SELECT * FROM T WHERE ID = 1 OR ID = 2",
            "SELECT * FROM T WHERE ID = 1 AND ID = 2",
            "SELECT * FROM T WHERE ID = 1 AND V = 'a'",
            "SELECT * FROM T WHERE ID = 1 LIMIT 1",
            "SELECT * FROM T WHERE ID > 1",
            "SELECT * FROM T WHERE ID = ID",
            "SELECT * FROM P WHERE A = 1",
            "SELECT * FROM T WHERE ID = 99999999999999999999",
            "INSERT INTO T VALUES (1)",
            "INSERT INTO T (ID, ID) VALUES (1, 2)",
            "INSERT INTO T (ID) VALUES (1 + 1)",
            "INSERT INTO T (ID) SELECT 1",
            "UPDATE T SET ID = 1 WHERE ID = 1",
            "UPDATE T SET V = V WHERE ID = 1",
            "UPDATE T SET V = 'a'",
            "DELETE FROM T",
        ] {
            assert!(keyed(&engine, text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_values_of_the_key_columns_type_make_a_key() {
        let engine = engine();
        let select = keyed(&engine, "SELECT * FROM T WHERE ID = ?").unwrap();
        assert!(select.key(&ints(&[7])).is_some());
        assert!(select.key(&ints(&[1 << 40])).is_none());
        let text = Argument { ty: None, value: Value::Str("7".into()) };
        assert!(select.key(&[text]).is_none());
        assert!(select.key(&[Argument { ty: None, value: Value::Null }]).is_none());
        // Equal decimals have one key, but which it is takes the query engine to say.
        assert!(keyed(&engine, "SELECT * FROM D WHERE K = 1").unwrap().key(&[]).is_none());
    }

    #[test]
    fn rows_of_values_that_differ_in_type_are_not_uniform() {
        let engine = engine();
        let insert = |text| keyed(&engine, text).unwrap().key(&[]);
        assert!(insert("INSERT INTO T (ID, V) VALUES (1, 'a'), (2, NULL)").is_some());
        assert!(insert("INSERT INTO T (ID, V) VALUES (1, 'a'), (2, 3)").is_none());
    }

    #[test]
    fn rows_are_made_as_the_columns_want_them() {
        let mut engine = engine();
        let insert = keyed(&engine, "INSERT INTO T (ID, V, N) VALUES (?, 'a', DEFAULT)").unwrap();
        let writes = insert.inserts(&ints(&[5]), &mut engine.rng).unwrap();
        let row = writes[0].row.clone().unwrap();
        let shown = |row: &Row, place| insert.table.newest().value(row, place).unwrap().to_string();
        assert_eq!([shown(&row, 0), shown(&row, 1), shown(&row, 2)], ["5", "\"a\"", "7"]);
        let update = keyed(&engine, "UPDATE T SET N = 1.25, V = NULL WHERE ID = 5").unwrap();
        assert_eq!(update.key(&[]).unwrap(), writes[0].key);
        let new = update.update(&row, &[], &mut engine.rng).unwrap().unwrap().row.unwrap();
        assert_eq!([shown(&new, 0), shown(&new, 1), shown(&new, 2)], ["5", "null", "1.2"]);
        let select = keyed(&engine, "SELECT N, N AS M FROM T WHERE ID = 5").unwrap();
        let names: Vec<_> = select.columns().unwrap().iter().map(|c| c.name.clone()).collect();
        assert_eq!(names, ["N", "M"]);
        assert_eq!(select.page(None).unwrap().count, 0);
        assert_eq!(select.page(Some(&new)).unwrap().count, 1);
        let twice = keyed(&engine, "INSERT INTO T (ID) VALUES (1), (1)").unwrap();
        assert_eq!(twice.inserts(&[], &mut engine.rng).unwrap_err().kind, crate::error::Kind::SqlConstraint);
    }
}
