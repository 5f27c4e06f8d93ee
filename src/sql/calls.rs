//! Calls with a syntax of their own, put into plain calls: what they do is in the functions of the query engine.
//!
//! `EXTRACT(unit FROM x)`, `YEAR(x)` and its like become `date_field('unit', x)`; `FLOOR(x TO unit)` and `CEIL(x TO unit)`
//! become `date_floor` and `date_ceil`; `TIMESTAMPADD(unit, n, x)` and `TIMESTAMPDIFF(unit, x, y)` take the unit as text;
//! `CAST(x AS type)` becomes `cast_to(x, 'type')`.

use super::quantified;
use super::query::{cast::column_type, convert};
use crate::error::{Error, Kind, Result};
use sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::ast::{CastKind, DataType};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Span;

/// Functions that extract the field of their name; of those named otherwise, the field.
const FIELDS: &[(&str, &str)] = &[
    ("YEAR", "YEAR"),
    ("QUARTER", "QUARTER"),
    ("MONTH", "MONTH"),
    ("WEEK", "WEEK"),
    ("DAYOFYEAR", "DOY"),
    ("DAYOFMONTH", "DAY"),
    ("DAYOFWEEK", "DOW"),
    ("HOUR", "HOUR"),
    ("MINUTE", "MINUTE"),
    ("SECOND", "SECOND"),
];

/// Calls without parentheses that the parser takes for columns.
const BARE: &[&str] = &["PI", "LOCALTIME", "CURRENT_USER"];

/// Functions that DataFusion has under another name.
const RENAMED: &[(&str, &str)] = &[("EVERY", "bool_and"), ("SOME", "bool_or")];
/// The call that `(x - y) DAY` becomes where tokens are translated.
pub(super) const DIFFERENCE: &str = "INTERVAL_BETWEEN";

/// The call that REGEXP_REPLACE with a place to begin at becomes.
const REPLACE_FROM: &str = "REGEXP_REPLACE_FROM";

/// How the unit of TIMESTAMPADD may begin.
const UNIT_PREFIX: &str = "SQL_TSI_";

/// Whether the parser took a call for a column.
pub(super) fn is_bare(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(Ident { value, quote_style: None, .. }) if BARE.contains(&value.as_str()))
}

/// Rewrites the expression itself, not what is in it.
///
/// # Errors
/// `SqlValidation` or `SqlParse` for a literal that is none.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let foreign = match expr {
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, .. } => true,
        Expr::Function(function) => function.name.0.len() > 1,
        _ => false,
    };
    if let Expr::Like { escape_char: Some(ValueWithSpan { value: Value::SingleQuotedString(escape), .. }), .. } = expr
        && escape.chars().count() != 1
    {
        return Err(Error::new(Kind::SqlRuntime, format!("Invalid escape character '{escape}'")));
    }
    if foreign {
        return Err(Error::new(Kind::SqlParse, format!("Failed to parse query: {expr} is not supported here")));
    }
    super::literals::rewrite(expr)?;
    rewrite_call(expr);
    Ok(())
}

fn rewrite_call(expr: &mut Expr) {
    if is_bare(expr) {
        let name = expr.to_string();
        *expr = call(&name, []);
        return;
    }
    let rewritten = match expr {
        Expr::Extract { field, expr: of, .. } => call("date_field", [text(&field.to_string()), (**of).clone()]),
        // A plus changes nothing, but what has one is no column.
        Expr::UnaryOp { op: UnaryOperator::Plus, expr: of } if !matches!(**of, Expr::Value(_)) => {
            call("PLAIN", [(**of).clone()])
        }
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: of,
            data_type: DataType::Interval { fields: Some(fields), .. },
            ..
        } => call("INTERVAL_TO", [(**of).clone(), text(&fields.to_string())]),
        // How many of its units an interval has.
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: of, data_type, .. }
            if is_number(data_type) && single_unit(of).is_some() =>
        {
            let Some(units) = single_unit(of) else { return };
            **of = call("INTERVAL_COUNT", [(**of).clone(), text(&units)]);
            rewrite_call(expr);
            return;
        }
        // A parameter's type is inferred from the type it is cast to.
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: of, data_type, format: None, .. }
            if !is_parameter(of) =>
        {
            // A type that is unknown here is refused by the planner.
            let Ok(Some(ty)) = column_type(data_type) else { return };
            let Ok(json) = serde_json::to_string(&ty) else { return };
            call(convert::NAME, [(**of).clone(), literal(json)])
        }
        Expr::Floor { expr: of, field: CeilFloorKind::DateTimeField(unit) } if *unit != DateTimeField::NoDateTime => {
            call("date_floor", [text(&unit.to_string()), (**of).clone()])
        }
        Expr::Ceil { expr: of, field: CeilFloorKind::DateTimeField(unit) } if *unit != DateTimeField::NoDateTime => {
            call("date_ceil", [text(&unit.to_string()), (**of).clone()])
        }
        Expr::AnyOp { left, compare_op, right, .. } => match quantified::quantified(left, compare_op, right, false) {
            Some(told) => told,
            None => return,
        },
        Expr::AllOp { left, compare_op, right } => match quantified::quantified(left, compare_op, right, true) {
            Some(told) => told,
            None => return,
        },
        Expr::SimilarTo { negated, expr: of, pattern, escape_char } => {
            match quantified::similar(*negated, of, pattern, escape_char.as_ref()) {
                Some(told) => told,
                None => return,
            }
        }
        Expr::Like { pattern, escape_char, .. } => {
            quantified::backslashes(pattern, escape_char);
            return;
        }
        Expr::Position { expr: what, r#in: of } => call("POSITION", [(**what).clone(), (**of).clone()]),
        Expr::Substring { expr: of, substring_from: Some(from), substring_for, .. } => match substring_for {
            None => call("substring", [(**of).clone(), (**from).clone()]),
            Some(length) => call("substring", [(**of).clone(), (**from).clone(), (**length).clone()]),
        },
        // A number and its sign are one literal; any other minus may overflow.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: of } => match &**of {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, long), .. }) => {
                if !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return;
                }
                Expr::Value(Value::Number(format!("-{digits}"), *long).with_span(Span::empty()))
            }
            of => call("negate", [of.clone()]),
        },
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if digits.ends_with('.') => {
            digits.pop();
            return;
        }
        Expr::Function(function) => {
            units_as_text(function);
            let name = function.name.to_string();
            if let Some((_, known)) = RENAMED.iter().find(|(renamed, _)| *renamed == name) {
                function.name = ObjectName::from(vec![Ident::new(*known)]);
                return;
            }
            let plain = match name.as_str() {
                DIFFERENCE => difference(arguments(function)),
                "DECODE" => decode(arguments(function)),
                "CONCAT" => concatenated(arguments(function)),
                "GREATEST" | "LEAST" => null_if_any(function),
                // Where random numbers start from is not for statements to say.
                "RAND" if arguments(function).len() == 1 => Some(call("RAND", [])),
                "NULLIF" => null_if(arguments(function)),
                // The engine's own takes a decimal and an integer as floating-point numbers.
                "NVL" if arguments(function).len() == 2 => {
                    function.name = ObjectName::from(vec![Ident::new("COALESCE")]);
                    return;
                }
                "REGEXP_REPLACE" => {
                    replace_all(function);
                    None
                }
                _ => None,
            };
            if let Some(plain) = plain {
                *expr = plain;
                return;
            }
            let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else { return };
            match arguments(function) {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] => call("date_field", [text(field), of.clone()]),
                _ => return,
            }
        }
        _ => return,
    };
    *expr = rewritten;
}

fn arguments(function: &mut Function) -> &mut [FunctionArg] {
    match &mut function.args {
        FunctionArguments::List(list) => &mut list.args,
        _ => &mut [],
    }
}

/// `DECODE(x, a, 1, b, 2, 3)`: the value behind the first that equals x, null included, else the last if there is one.
fn decode(args: &[FunctionArg]) -> Option<Expr> {
    let exprs: Option<Vec<_>> = args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect();
    let exprs = exprs?;
    let ([of], rest) = exprs.split_first_chunk::<1>()?;
    let (pairs, last) = rest.as_chunks::<2>();
    let whens: Vec<_> =
        pairs.iter().map(|[equals, then]| format!("WHEN {of} IS NOT DISTINCT FROM {equals} THEN {then}")).collect();
    let last = last.first().map_or_else(String::new, |last| format!(" ELSE {last}"));
    parsed(&format!("CASE {}{last} END", whens.join(" ")), |parser| parser.parse_expr())
}

/// `(x - y) DAY`: what is subtracted is no number.
fn difference(args: &[FunctionArg]) -> Option<Expr> {
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(units)), FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] = args
    else {
        return None;
    };
    let mut of = of;
    while let Expr::Nested(inner) = of {
        of = inner;
    }
    match of {
        Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => {
            Some(call(DIFFERENCE, [units.clone(), (**left).clone(), (**right).clone()]))
        }
        _ => None,
    }
}

/// `CONCAT(a, b)`: null if one of them is.
fn concatenated(args: &[FunctionArg]) -> Option<Expr> {
    let args: Vec<_> = args.iter().map(|arg| format!("({arg})")).collect();
    parsed(&format!("({})", args.join(" || ")), |parser| parser.parse_expr())
}

/// `GREATEST(a, b)`: null if one of them is. The name in lower case tells that this has been seen to.
fn null_if_any(function: &mut Function) -> Option<Expr> {
    let nulls: Vec<_> = arguments(function).iter().map(|arg| format!("({arg}) IS NULL")).collect();
    let mut lower = function.clone();
    lower.name = ObjectName::from(vec![Ident::new(function.name.to_string().to_lowercase())]);
    parsed(&format!("CASE WHEN {} THEN NULL ELSE {lower} END", nulls.join(" OR ")), |parser| parser.parse_expr())
}

/// `NULLIF(a, b)`: a, of its own type.
fn null_if(args: &[FunctionArg]) -> Option<Expr> {
    let [a, b] = args else { return None };
    parsed(&format!("CASE WHEN ({a}) = ({b}) THEN NULL ELSE ({a}) END"), |parser| parser.parse_expr())
}

/// `REGEXP_REPLACE(text, pattern, with)`: every match. With a place to begin at it is another function.
fn replace_all(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    match list.args.len() {
        3 => list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(literal("g".into())))),
        4.. => function.name = ObjectName::from(vec![Ident::new(REPLACE_FROM)]),
        _ => {}
    }
}

/// The units of an interval that is one number of them.
fn single_unit(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => single_unit(inner),
        Expr::Interval(interval) if interval.last_field.is_none() => Some(interval.leading_field.as_ref()?.to_string()),
        Expr::Function(function) if function.name.to_string() == DIFFERENCE => match &function.args {
            FunctionArguments::List(list) => {
                let units = list.args.first()?.to_string();
                let units = units.trim_matches('\'');
                (!units.contains(' ')).then(|| units.to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a type is that of numbers.
fn is_number(ty: &DataType) -> bool {
    use DataType as T;
    matches!(
        ty,
        T::TinyInt(_) | T::SmallInt(_) | T::Int(_) | T::Integer(_) | T::BigInt(_) | T::Decimal(_) | T::Numeric(_)
    )
}

pub(super) fn parsed<T>(
    text: &str,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Option<T> {
    Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| parse(&mut parser)).ok()
}

/// `TIMESTAMPADD(DAY, ...)`: the unit is no column.
fn units_as_text(function: &mut Function) {
    if !matches!(function.name.to_string().as_str(), "TIMESTAMPADD" | "TIMESTAMPDIFF") {
        return;
    }
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) = arguments(function).first_mut()
        && let Expr::Identifier(name) = unit
    {
        *unit = text(name.value.trim_start_matches(UNIT_PREFIX));
    }
}

fn is_parameter(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

pub(super) fn text(value: &str) -> Expr {
    literal(value.to_uppercase())
}

pub(super) fn literal(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).with_span(Span::empty()))
}

/// A call with these arguments.
pub(super) fn call<const N: usize>(name: &str, args: [Expr; N]) -> Expr {
    call_of(name, args.into())
}

/// A call with any number of arguments.
pub(super) fn call_of(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let mut expr = Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
        rewrite(&mut expr).unwrap();
        expr.to_string()
    }

    #[test]
    fn calls_become_plain() {
        for (sql, plain) in [
            ("EXTRACT(YEAR FROM D)", "date_field('YEAR', D)"),
            ("EXTRACT(millennium FROM D)", "date_field('MILLENNIUM', D)"),
            ("DAYOFWEEK(D)", "date_field('DOW', D)"),
            ("FLOOR(T TO HOUR)", "date_floor('HOUR', T)"),
            ("CEIL(T TO DECADE)", "date_ceil('DECADE', T)"),
            ("FLOOR(X)", "FLOOR(X)"),
            ("TIMESTAMPADD(SQL_TSI_DAY, 1, T)", "TIMESTAMPADD('DAY', 1, T)"),
            ("TIMESTAMPDIFF(MONTH, T, U)", "TIMESTAMPDIFF('MONTH', T, U)"),
            ("DECODE(A, 1, 'x', 'y')", "CASE WHEN A IS NOT DISTINCT FROM 1 THEN 'x' ELSE 'y' END"),
            ("NVL(A, 1)", "COALESCE(A, 1)"),
            ("PI", "PI()"),
            ("\"PI\"", "\"PI\""),
        ] {
            assert_eq!(rewritten(sql), plain, "{sql}");
        }
    }
}
