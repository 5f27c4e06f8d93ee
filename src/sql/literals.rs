//! Literals as Ignite has them: dates, times and intervals that are checked as they are written, texts of other alphabets,
//! numbers that have to fit their type.

use super::calls::{call, literal, text};
use crate::error::{Error, Kind, Result};
use crate::value::ColumnType;
use sqlparser::ast::TimezoneInfo;
use sqlparser::ast::{DataType, Expr, Ident, Interval, TypedString, UnaryOperator, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;

/// Digits of the second of a literal.
const PRECISION_MAX: usize = 9;

/// Rewrites a literal.
///
/// # Errors
/// `SqlValidation`, `SqlParse` for what is none.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let told = match expr {
        Expr::Value(value) => return plain(&mut value.value),
        // There is no negative zero.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: of } => match &**of {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if is_zero(digits) => (**of).clone(),
            _ => return Ok(()),
        },
        Expr::Identifier(Ident { value, quote_style: None, .. }) if value == "UNKNOWN" => Expr::Cast {
            kind: sqlparser::ast::CastKind::Cast,
            expr: Box::new(Expr::Value(Value::Null.with_span(Span::empty()))),
            data_type: DataType::Boolean,
            array: false,
            format: None,
        },
        Expr::Interval(interval) => interval_of(interval)?,
        Expr::TypedString(typed) => match moment(typed)? {
            Some(told) => told,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    *expr = told;
    Ok(())
}

fn plain(value: &mut Value) -> Result<()> {
    match value {
        Value::NationalStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
            *value = Value::SingleQuotedString(std::mem::take(text));
        }
        Value::HexStringLiteral(digits) if !digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            return Err(Error::new(Kind::SqlParse, format!("Failed to parse query: X'{digits}' is no binary literal")));
        }
        Value::HexStringLiteral(digits) if digits.len() % 2 == 1 => {
            return Err(invalid("Binary literal string must contain an even number of hexits"));
        }
        Value::Number(digits, _)
            if digits.contains(['e', 'E']) && digits.parse::<f64>().is_ok_and(f64::is_infinite) =>
        {
            return Err(invalid(format!("Numeric literal '{}' out of range", digits.to_uppercase())));
        }
        _ => {}
    }
    Ok(())
}

fn is_zero(digits: &str) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    mantissa.bytes().all(|b| matches!(b, b'0' | b'.'))
}

/// `INTERVAL 'text' units`; how it is to be read is checked where it is planned.
fn interval_of(interval: &Interval) -> Result<Expr> {
    let Some(first) = &interval.leading_field else { return Err(invalid("An interval needs units")) };
    let units = match &interval.last_field {
        None => first.to_string(),
        Some(last) => format!("{first} TO {last}"),
    };
    let value = match &*interval.value {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => string(expr).map(|text| match text.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{text}"),
        }),
        value => string(value).map(str::to_owned),
    };
    let Some(value) = value else { return Err(invalid("An interval is written as a text")) };
    Ok(call("INTERVAL_OF", [literal(value), text(&units)]))
}

fn string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

/// DATE, TIME and TIMESTAMP literals.
fn moment(typed: &TypedString) -> Result<Option<Expr>> {
    let Value::SingleQuotedString(text) = &typed.value.value else { return Ok(None) };
    let fraction = text.split_once('.').map_or(0, |(_, digits)| digits.trim().len().min(PRECISION_MAX));
    let precision = u8::try_from(fraction).unwrap_or_default();
    let ty = match &typed.data_type {
        DataType::Date => ColumnType::Date,
        DataType::Time(_, TimezoneInfo::None) => ColumnType::Time { precision },
        DataType::Timestamp(_, TimezoneInfo::None) => ColumnType::Datetime { precision },
        DataType::Timestamp(_, TimezoneInfo::Tz) => ColumnType::Timestamp { precision },
        DataType::Timestamp(..) => return Err(invalid("TIMESTAMP WITH TIME ZONE is not supported")),
        _ => return Ok(None),
    };
    if let Err(error) = super::query::convert::moment_literal(text, ty) {
        return Err(invalid(format!("Illegal {} literal '{text}': {}", ty.name(), error.message)));
    }
    let json = serde_json::to_string(&ty).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    Ok(Some(call(super::query::convert::NAME, [literal(text.clone()), literal(json)])))
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::calls::parsed;

    fn rewritten(sql: &str) -> String {
        let mut expr = parsed(sql, |parser| parser.parse_expr()).unwrap();
        match rewrite(&mut expr) {
            Ok(()) => expr.to_string(),
            Err(error) => error.message.into_owned(),
        }
    }

    #[test]
    fn literals_are_checked() {
        for (sql, told) in [
            ("N'a'", "'a'"),
            ("-0e0", "0e0"),
            ("-1e0", "-1e0"),
            ("UNKNOWN", "CAST(NULL AS BOOLEAN)"),
            ("INTERVAL -'3' MONTH", "INTERVAL_OF('-3', 'MONTH')"),
            ("INTERVAL '1 2' DAY TO HOUR", "INTERVAL_OF('1 2', 'DAY TO HOUR')"),
        ] {
            assert_eq!(rewritten(sql), told, "{sql}");
        }
        for (sql, kind) in
            [("1e400", Kind::SqlValidation), ("X'abc'", Kind::SqlValidation), ("INTERVAL 1 DAY", Kind::SqlValidation)]
        {
            let mut expr = parsed(sql, |parser| parser.parse_expr()).unwrap();
            assert_eq!(rewrite(&mut expr).unwrap_err().kind, kind, "{sql}");
        }
    }

    #[test]
    fn moments_are_checked() {
        assert!(rewritten("TIME '1:2:3.45'").starts_with("cast_to('1:2:3.45'"));
        for sql in ["DATE '2023-02-29'", "TIME '10:20'", "TIMESTAMP '2024-02-29T10:20:30'"] {
            let mut expr = parsed(sql, |parser| parser.parse_expr()).unwrap();
            assert_eq!(rewrite(&mut expr).unwrap_err().kind, Kind::SqlValidation, "{sql}");
        }
    }
}
