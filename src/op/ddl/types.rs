//! Column types of SQL, with Ignite's limits and defaults.

use super::cursor::{Cursor, parse_error};
use super::refused;
use crate::error::{Error, Result};
use crate::value::ColumnType;
use sqlparser::tokenizer::{Location, Token, Word};

/// The length of a VARCHAR or VARBINARY without one.
const LENGTH_DEFAULT: u32 = 65_536;
/// The largest length.
const LENGTH_MAX: u32 = i32::MAX as u32;
/// The largest precision and scale of a DECIMAL, and the precision of one without.
const DECIMAL_MAX: u32 = 32_767;
/// The most digits of a second.
const FRACTION_MAX: u32 = 9;
/// The digits of a second that a TIME and a TIMESTAMP without precision keep.
const TIME_FRACTION_DEFAULT: u8 = 0;
const TIMESTAMP_FRACTION_DEFAULT: u8 = 6;

/// Takes the type of the column `name`. `before` is the place of the token before the column: where Ignite sees the
/// types that it has but does not store.
pub(super) fn column_type(cursor: &mut Cursor<'_>, name: &str, before: Location) -> Result<ColumnType> {
    let start = cursor.start();
    let Token::Word(Word { value, quote_style: None, .. }) = &cursor.peek().token else {
        return Err(cursor.unexpected());
    };
    let word = value.to_uppercase();
    cursor.advance();
    let scope = Scope { column: name, start };
    Ok(match word.as_str() {
        "BOOLEAN" => ColumnType::Boolean,
        "TINYINT" => ColumnType::Int8,
        "SMALLINT" => ColumnType::Int16,
        "INT" | "INTEGER" => ColumnType::Int32,
        "BIGINT" => ColumnType::Int64,
        "REAL" | "FLOAT" => ColumnType::Float,
        "DOUBLE" => {
            let _precision = cursor.word("PRECISION");
            ColumnType::Double
        }
        "DECIMAL" | "DEC" | "NUMERIC" => decimal(cursor, &scope)?,
        "DATE" => ColumnType::Date,
        "TIME" => {
            let precision = fraction(cursor, &scope, "TIME")?.unwrap_or(TIME_FRACTION_DEFAULT);
            let _without = cursor.words(&["WITHOUT", "TIME", "ZONE"]);
            ColumnType::Time { precision }
        }
        "TIMESTAMP" => {
            let precision = fraction(cursor, &scope, "TIMESTAMP")?.unwrap_or(TIMESTAMP_FRACTION_DEFAULT);
            if cursor.words(&["WITH", "LOCAL", "TIME", "ZONE"]) {
                ColumnType::Timestamp { precision }
            } else if cursor.word("WITH") {
                return Err(cursor.unexpected());
            } else {
                let _without = cursor.words(&["WITHOUT", "TIME", "ZONE"]);
                ColumnType::Datetime { precision }
            }
        }
        "UUID" => ColumnType::Uuid,
        "VARCHAR" => ColumnType::String { length: length(cursor, &scope, "VARCHAR")? },
        "CHARACTER" | "CHAR" if cursor.word("VARYING") => {
            ColumnType::String { length: length(cursor, &scope, "VARCHAR")? }
        }
        "VARBINARY" => ColumnType::Bytes { length: length(cursor, &scope, "VARBINARY")? },
        "BINARY" if cursor.word("VARYING") => ColumnType::Bytes { length: length(cursor, &scope, "VARBINARY")? },
        "CHARACTER" | "CHAR" | "BINARY" => {
            let word = if word == "BINARY" { "BINARY" } else { "CHAR" };
            let Location { line, column } = before;
            return Err(parse_error(format!(
                "{word} datatype is not supported in table. At line {line}, column {column}"
            )));
        }
        "INTERVAL" => {
            let unit = cursor.identifier()?;
            return Err(refused(format!(
                "Type INTERVAL {unit} cannot be used in a column definition [column={name}]."
            )));
        }
        "DATETIME" | "NULL" => {
            let Location { line, column } = start;
            return Err(parse_error(format!("Encountered \"{word}\" at line {line}, column {column}")));
        }
        _ => return Err(scope.error(cursor, format!("Unknown identifier '{word}'"), "")),
    })
}

/// Where a type stands, for its errors.
struct Scope<'a> {
    column: &'a str,
    start: Location,
}

impl Scope<'_> {
    fn error(&self, cursor: &Cursor<'_>, reason: impl std::fmt::Display, stop: &str) -> Error {
        let (Location { line, column }, end) = (self.start, cursor.end_of_last());
        refused(format!(
            "From line {line}, column {column} to line {}, column {}: {reason}{stop} [column={}]",
            end.line, end.column, self.column
        ))
    }
}

/// `(n)` after VARCHAR and VARBINARY.
fn length(cursor: &mut Cursor<'_>, scope: &Scope<'_>, name: &str) -> Result<u32> {
    let length = parenthesized(cursor)?.unwrap_or(LENGTH_DEFAULT);
    if length == 0 {
        return Err(scope.error(cursor, format!("{name} length {length} must be between 1 and {LENGTH_MAX}"), "."));
    }
    Ok(length)
}

/// `(p)` after TIME and TIMESTAMP.
fn fraction(cursor: &mut Cursor<'_>, scope: &Scope<'_>, name: &str) -> Result<Option<u8>> {
    let Some(precision) = parenthesized(cursor)? else { return Ok(None) };
    match u8::try_from(precision) {
        Ok(fits) if precision <= FRACTION_MAX => Ok(Some(fits)),
        _ => {
            let reason = format!("{name} precision {precision} must be between 0 and {FRACTION_MAX}");
            Err(scope.error(cursor, reason, "."))
        }
    }
}

/// `(p [, s])` after DECIMAL.
fn decimal(cursor: &mut Cursor<'_>, scope: &Scope<'_>) -> Result<ColumnType> {
    if !cursor.take(&Token::LParen) {
        return Ok(ColumnType::Decimal { precision: DECIMAL_MAX, scale: 0 });
    }
    let precision = cursor.number()?;
    let (mut negative, mut scale) = (false, 0);
    if cursor.take(&Token::Comma) {
        negative = cursor.take(&Token::Minus);
        scale = cursor.number()?;
    }
    cursor.expect(&Token::RParen)?;
    if !(1..=DECIMAL_MAX).contains(&precision) {
        let reason = format!("DECIMAL precision {precision} must be between 1 and {DECIMAL_MAX}");
        return Err(scope.error(cursor, reason, "."));
    }
    if scale > DECIMAL_MAX || (negative && scale > 0) {
        let sign = if negative { "-" } else { "" };
        let reason = format!("DECIMAL scale {sign}{scale} must be between 0 and {DECIMAL_MAX}");
        return Err(scope.error(cursor, reason, "."));
    }
    Ok(ColumnType::Decimal { precision, scale })
}

fn parenthesized(cursor: &mut Cursor<'_>) -> Result<Option<u32>> {
    if !cursor.take(&Token::LParen) {
        return Ok(None);
    }
    let number = cursor.number()?;
    cursor.expect(&Token::RParen)?;
    Ok(Some(number))
}
