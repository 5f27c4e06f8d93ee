//! SQL requests, as far as they make and change tables; the rest is refused in a way that leaves clients usable.

use super::request::{self, Sql};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{self, Class, Statement};
use crate::store::engine::Engine;
use crate::wire::msgpack::{Reader, Write};

/// Precision and scale of a type that has none.
const UNDEFINED_PRECISION: i64 = -1;
const UNDEFINED_SCALE: i64 = i32::MIN as i64;

/// Runs one statement and answers whether it changed something.
pub fn execute(reader: &mut Reader<'_>, engine: &mut Engine, out: &mut Vec<u8>) -> Result<()> {
    let transaction = request::transaction(reader)?;
    let sql = Sql::read(reader)?;
    let statements = ddl::parse_script(sql.text)?;
    let statement = match statements.as_slice() {
        [statement] => statement,
        [] => return Err(Error::new(Kind::SqlParse, "Failed to parse query: Not a statement")),
        _ => return Err(Error::new(Kind::SqlValidation, "Multiple statements are not allowed.")),
    };
    if transaction.is_some() && statement.class() == Class::Ddl {
        return Err(Error::new(Kind::SqlRuntime, "DDL doesn't support transactions."));
    }
    if sql.arguments > 0 && statement.class() == Class::Ddl {
        return Err(Error::new(
            Kind::SqlValidation,
            format!(
                "Failed to validate query. Unexpected number of query parameters. Provided {} but there is only 0 \
                 dynamic parameter(s).",
                sql.arguments
            ),
        ));
    }
    let applied = ddl::run(engine, statement, sql.schema)?;
    // No cursor, no rows, no more pages.
    out.put_nil();
    out.put_bool(false);
    out.put_bool(false);
    out.put_bool(applied);
    // Nor affected rows, nor columns.
    out.put_int(-1);
    out.put_int(0);
    Ok(())
}

/// Runs a script of statements, one after the other; the first that fails ends it.
pub fn script(reader: &mut Reader<'_>, engine: &mut Engine) -> Result<()> {
    let sql = Sql::read(reader)?;
    for statement in ddl::parse_script(sql.text)? {
        ddl::run(engine, &statement, sql.schema)?;
    }
    Ok(())
}

/// Describes the result of a statement that it does not run. The Python client asks for it after every statement
/// without rows and ends its process on an error, so DDL and DML must be answered, also when they would fail now.
pub fn describe(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<()> {
    let _transaction = request::transaction(reader)?;
    let _schema = request::optional_text(reader)?;
    let statements = ddl::parse_script(reader.str()?)?;
    let class = statements.first().map_or(Class::Ddl, Statement::class);
    let (name, type_id, precision) = match class {
        Class::Ddl => ("APPLIED", 1, 1),
        Class::Dml => ("ROWCOUNT", 5, UNDEFINED_PRECISION),
        Class::Query | Class::TransactionControl => return Err(unsupported()),
    };
    // No parameters, one column of six fields.
    out.put_int(0);
    out.put_int(1);
    out.put_int(6);
    out.put_str(name);
    out.put_bool(false);
    out.put_int(type_id);
    out.put_int(UNDEFINED_SCALE);
    out.put_int(precision);
    out.put_bool(false);
    Ok(())
}

/// The refusal of a statement that is not run here.
pub fn unsupported() -> Error {
    Error::new(Kind::SqlValidation, "Failed to validate query. This SQL is not supported yet")
}

/// JDBC failures are a status and a text inside an ordinary answer.
pub fn refuse_jdbc(batch: bool, out: &mut Vec<u8>) {
    /// SQL state 0A000, feature not supported.
    const UNSUPPORTED: i64 = 1002;
    out.put_int(UNSUPPORTED);
    out.put_str("SQL over JDBC is not supported yet");
    if batch {
        // The code of an unknown error, and no counters.
        out.put_int(1);
        out.put_nil();
    }
}
