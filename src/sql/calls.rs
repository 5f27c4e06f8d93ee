//! Calls with a syntax of their own, put into plain calls: what they do is in the functions of the query engine.
//!
//! `EXTRACT(unit FROM x)`, `YEAR(x)` and its like become `date_field('unit', x)`; `FLOOR(x TO unit)` and `CEIL(x TO unit)`
//! become `date_floor` and `date_ceil`; `TIMESTAMPADD(unit, n, x)` and `TIMESTAMPDIFF(unit, x, y)` take the unit as text;
//! `CAST(x AS type)` becomes `cast_to(x, 'type')`.

use super::quantified;
#[cfg(feature = "sql")]
use super::query::{cast::column_type, convert};
#[cfg(feature = "sql")]
use sqlparser::ast::CastKind;
use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, Interval, ObjectName, UnaryOperator, Value, ValueWithSpan,
};
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

/// How the unit of TIMESTAMPADD may begin.
const UNIT_PREFIX: &str = "SQL_TSI_";

/// Whether the parser took a call for a column.
pub(super) fn is_bare(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(Ident { value, quote_style: None, .. }) if BARE.contains(&value.as_str()))
}

/// Rewrites the expression itself, not what is in it.
pub(super) fn rewrite(expr: &mut Expr) {
    if is_bare(expr) {
        let name = expr.to_string();
        *expr = call(&name, []);
        return;
    }
    let rewritten = match expr {
        Expr::Extract { field, expr: of, .. } => call("date_field", [text(&field.to_string()), (**of).clone()]),
        // A parameter's type is inferred from the type it is cast to.
        #[cfg(feature = "sql")]
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
        Expr::Like { pattern, escape_char: None, .. } => {
            quantified::plain_backslashes(pattern);
            return;
        }
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
        Expr::Interval(interval) => {
            whole_interval(interval);
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
                "DECODE" => decode(arguments(function)),
                "CONCAT" => concatenated(arguments(function)),
                "GREATEST" | "LEAST" => null_if_any(function),
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

/// `REGEXP_REPLACE(text, pattern, with)`: every match.
fn replace_all(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args
        && list.args.len() == 3
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(literal("g".into()))));
    }
}

pub(super) fn parsed<T>(text: &str, parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Option<T> {
    Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| parse(&mut parser)).ok()
}

/// `INTERVAL '1 02:03:04.5' DAY TO SECOND` and `INTERVAL '1-2' YEAR TO MONTH`, told in the smaller unit.
fn whole_interval(interval: &mut Interval) {
    let (Some(from), Some(to)) = (&interval.leading_field, &interval.last_field) else { return };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value), .. }) = &*interval.value else { return };
    let (negative, digits) = value.strip_prefix('-').map_or((false, value.as_str()), |digits| (true, digits));
    let units = [("YEAR", 12), ("MONTH", 1), ("DAY", 86_400), ("HOUR", 3_600), ("MINUTE", 60), ("SECOND", 1)];
    let place = |field: &DateTimeField| units.iter().position(|(name, _)| *name == field.to_string());
    let (Some(first), Some(last)) = (place(from), place(to)) else { return };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let parts: Option<Vec<i64>> = whole.split(['-', ' ', ':']).map(|part| part.parse().ok()).collect();
    let Some(parts) = parts.filter(|parts| first < last && parts.len() == last - first + 1) else { return };
    let lengths = units.iter().skip(first).map(|(_, length)| *length);
    let Some(total) = parts
        .iter()
        .zip(lengths)
        .try_fold(0_i64, |total, (part, length)| part.checked_mul(length).and_then(|part| total.checked_add(part)))
    else {
        return;
    };
    let unit = if last == 1 { DateTimeField::Month } else { DateTimeField::Second };
    let sign = if negative { "-" } else { "" };
    let value = if fraction == "0" { format!("{sign}{total}") } else { format!("{sign}{total}.{fraction}") };
    *interval.value = literal(value);
    interval.leading_field = Some(unit);
    interval.last_field = None;
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

#[cfg(feature = "sql")]
fn is_parameter(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

fn text(value: &str) -> Expr {
    literal(value.to_uppercase())
}

fn literal(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).with_span(Span::empty()))
}

/// A call with these arguments.
pub(super) fn call<const N: usize>(name: &str, args: [Expr; N]) -> Expr {
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
        rewrite(&mut expr);
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
            ("INTERVAL '-1-2' YEAR TO MONTH", "INTERVAL '-14' MONTH"),
            ("INTERVAL '1 02:03:04.5' DAY TO SECOND", "INTERVAL '93784.5' SECOND"),
            ("INTERVAL '2:03' HOUR TO MINUTE", "INTERVAL '7380' SECOND"),
            ("DECODE(A, 1, 'x', 'y')", "CASE WHEN A IS NOT DISTINCT FROM 1 THEN 'x' ELSE 'y' END"),
            ("PI", "PI()"),
            ("\"PI\"", "\"PI\""),
        ] {
            assert_eq!(rewritten(sql), plain, "{sql}");
        }
    }
}
