//! Clauses of other dialects that the parser takes and nobody carries out: refused, because to leave them out would change
//! other rows than those that were meant.

use crate::error::{Error, Kind, Result};
use sqlparser::ast::{Delete, FromTable, Insert, Statement, Update};

/// Refuses a change with such a clause.
///
/// # Errors
/// `SqlParse`: to Ignite it is no statement.
pub(super) fn clauses(statement: &Statement) -> Result<()> {
    let found = match statement {
        Statement::Delete(delete) => of_delete(delete),
        Statement::Update(update) => of_update(update),
        Statement::Insert(insert) => of_insert(insert),
        _ => None,
    };
    match found {
        Some(clause) => {
            Err(Error::new(Kind::SqlParse, format!("Failed to parse query: {clause} is not supported here")))
        }
        None => Ok(()),
    }
}

/// The first of the clauses that is there.
fn first(clauses: &[(bool, &'static str)]) -> Option<&'static str> {
    clauses.iter().find(|(there, _)| *there).map(|(_, clause)| *clause)
}

fn of_delete(delete: &Delete) -> Option<&'static str> {
    first(&[
        (matches!(delete.from, FromTable::WithoutKeyword(_)), "DELETE without FROM"),
        (!delete.tables.is_empty(), "a list of tables"),
        (delete.using.is_some(), "USING"),
        (delete.returning.is_some() || delete.output.is_some(), "RETURNING"),
        (!delete.order_by.is_empty(), "ORDER BY"),
        (delete.limit.is_some(), "LIMIT"),
    ])
}

fn of_update(update: &Update) -> Option<&'static str> {
    first(&[
        (update.or.is_some(), "OR"),
        (update.returning.is_some() || update.output.is_some(), "RETURNING"),
        (!update.order_by.is_empty(), "ORDER BY"),
        (update.limit.is_some(), "LIMIT"),
    ])
}

fn of_insert(insert: &Insert) -> Option<&'static str> {
    first(&[
        (!insert.into, "INSERT without INTO"),
        (insert.or.is_some() || insert.ignore || insert.replace_into, "IGNORE or REPLACE"),
        (insert.overwrite, "OVERWRITE"),
        (!insert.assignments.is_empty(), "SET"),
        (insert.on.is_some(), "ON CONFLICT"),
        (insert.returning.is_some() || insert.output.is_some(), "RETURNING"),
        (insert.table_alias.is_some() || insert.insert_alias.is_some(), "an alias"),
        (insert.source.is_none(), "INSERT of no rows"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn what_would_be_ignored_is_refused() {
        let check = |sql: &str| clauses(&Parser::parse_sql(&GenericDialect {}, sql).unwrap()[0]);
        for sql in [
            "DELETE FROM T WHERE A = 1",
            "UPDATE T SET A = 1",
            "INSERT INTO T (A) VALUES (1)",
            "INSERT INTO T SELECT 1",
            "SELECT 1",
        ] {
            assert!(check(sql).is_ok(), "{sql}");
        }
        for sql in [
            "DELETE FROM T LIMIT 1",
            "DELETE FROM T ORDER BY A",
            "DELETE FROM T USING U WHERE T.A = U.A",
            "DELETE T WHERE A = 1",
            "UPDATE T SET A = 1 LIMIT 1",
            "INSERT INTO T (A) VALUES (1) ON CONFLICT DO NOTHING",
            "INSERT INTO T (A) VALUES (1) RETURNING A",
            "INSERT OVERWRITE INTO T (A) VALUES (1)",
            "REPLACE INTO T (A) VALUES (1)",
        ] {
            assert_eq!(check(sql).unwrap_err().kind, Kind::SqlParse, "{sql}");
        }
    }
}
