//! Names of result columns that have no alias.
//!
//! Observed on Ignite 3.1.0: a column is named by itself; literals, arithmetic, casts and most calls by their text, printed
//! anew from the syntax tree; everything else by its place, as `EXPR$2`.

use super::{calls, dialect};
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, CharacterLength, DataType, DateTimeField, DuplicateTreatment,
    ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, TimezoneInfo,
    UnaryOperator, Value,
};
use std::fmt::Display;

/// Characters of a name that was made from an expression.
const NAME_CHARS_MAX: usize = 256;

/// Calls that are named by their place.
const UNNAMED_CALLS: &[&str] = &[
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "COALESCE",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "DECODE",
    "GREATEST",
    "GROUPING",
    "HOUR",
    "IS_JSON",
    "LEAST",
    "MINUTE",
    "MONTH",
    "NULLIF",
    "NVL",
    "QUARTER",
    "SECOND",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "WEEK",
    "YEAR",
];

/// Whether an expression is a column, and so named by it.
pub(super) fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && !calls::is_bare(expr)
}

/// The name of an expression without an alias, at this place of a select list; `by_text`: that of a whole statement.
pub(super) fn name_of(expr: &Expr, place: usize, by_text: bool) -> String {
    match expr {
        Expr::Identifier(ident) => return ident.value.clone(),
        Expr::CompoundIdentifier(parts) => return parts.last().map(|part| part.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => return name_of(inner, place, by_text),
        _ => {}
    }
    match by_text && readable(expr) {
        true => text(expr).chars().take(NAME_CHARS_MAX).collect(),
        false => format!("EXPR${place}"),
    }
}

fn readable(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => {
            matches!(&**expr, Expr::Value(value) if matches!(value.value, Value::Number(..)))
        }
        Expr::BinaryOp { op, .. } => strength(op).is_some(),
        Expr::Function(function) => {
            function.filter.is_none() && !UNNAMED_CALLS.contains(&function.name.to_string().to_uppercase().as_str())
        }
        Expr::TypedString(_) | Expr::Interval(_) | Expr::Floor { .. } | Expr::Ceil { .. } | Expr::Cast { .. } => true,
        Expr::Position { .. } | Expr::Substring { .. } | Expr::Trim { .. } | Expr::Overlay { .. } => true,
        _ => false,
    }
}

/// How strongly an arithmetic operator binds; `None` for all others.
fn strength(op: &BinaryOperator) -> Option<u8> {
    match op {
        BinaryOperator::Plus | BinaryOperator::Minus => Some(1),
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo => Some(2),
        _ => None,
    }
}

/// The text of an expression as Ignite prints it.
fn text(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => text(inner),
        Expr::Identifier(name) => identifier(name),
        Expr::CompoundIdentifier(parts) => joined(parts.iter().map(identifier), "."),
        Expr::Value(value) => literal(&value.value),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => text(expr),
        Expr::UnaryOp { op, expr } => format!("{op}{}", text(expr)),
        Expr::BinaryOp { left, op, right } => binary(left, op, right),
        Expr::Cast { kind: CastKind::DoubleColon, expr, data_type, .. } => {
            format!("{} :: {}", text(expr), type_name(data_type))
        }
        Expr::Cast { expr, data_type, .. } => format!("CAST({} AS {})", text(expr), type_name(data_type)),
        Expr::Function(function) => call(function),
        Expr::Substring { expr, substring_from, substring_for, shorthand, .. } => {
            let name = if *shorthand { "SUBSTR" } else { "SUBSTRING" };
            let args = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
            format!("{name}({})", joined(args.into_iter().flatten().map(|arg| text(arg)), ", "))
        }
        Expr::Trim { expr, trim_where, trim_what, .. } => {
            let side = trim_where.as_ref().map_or_else(|| "BOTH".to_owned(), ToString::to_string);
            let what = trim_what.as_ref().map_or_else(|| "' '".to_owned(), |what| text(what));
            format!("TRIM({side} {what} FROM {})", text(expr))
        }
        Expr::Position { expr, r#in } => format!("POSITION({} IN {})", text(expr), text(r#in)),
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let length = overlay_for.as_ref().map_or_else(String::new, |length| format!(" FOR {}", text(length)));
            format!("OVERLAY({} PLACING {} FROM {}{length})", text(expr), text(overlay_what), text(overlay_from))
        }
        Expr::Floor { expr, field } => format!("FLOOR({}{})", text(expr), unit(field)),
        Expr::Ceil { expr, field } => format!("CEIL({}{})", text(expr), unit(field)),
        other => other.to_string(),
    }
}

fn joined(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

/// Quoted only if it has to be.
fn identifier(name: &Ident) -> String {
    match name.value == name.value.to_uppercase() && !name.value.contains(' ') {
        true => name.value.clone(),
        false => format!("\"{}\"", name.value.replace('"', "\"\"")),
    }
}

/// With parentheses only where they are needed.
fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> String {
    let own = strength(op).unwrap_or_default();
    let side = |expr: &Expr, least: u8| match bare(expr) {
        Expr::BinaryOp { op, .. } if strength(op).is_some_and(|inner| inner < least) => format!("({})", text(expr)),
        _ => text(expr),
    };
    format!("{} {op} {}", side(left, own), side(right, own + 1))
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Placeholder(_) => "?".into(),
        Value::Boolean(truth) => truth.to_string().to_uppercase(),
        Value::HexStringLiteral(digits) => format!("X'{}'", digits.to_uppercase()),
        Value::NationalStringLiteral(text) => format!("_ISO-8859-1'{}'", text.replace('\'', "''")),
        Value::Number(digits, _) => number(digits),
        other => other.to_string(),
    }
}

/// Without zeros at its beginning, and with one digit before the point if it has an exponent.
fn number(digits: &str) -> String {
    let (mantissa, exponent) =
        digits.split_once(['e', 'E']).map_or((digits, None), |(m, e)| (m, e.parse::<i64>().ok()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Some(exponent) = exponent else {
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        return if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    };
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let zeros = all.len() - significant.len();
    let Some((first, rest)) = significant.split_at_checked(1).filter(|(first, _)| !first.is_empty()) else {
        return format!("0E{exponent}");
    };
    let exponent = exponent.saturating_add(whole.len() as i64 - zeros as i64 - 1);
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{first}E{exponent}") } else { format!("{first}.{rest}E{exponent}") }
}

fn call(function: &Function) -> String {
    let name = match function.name.to_string().to_uppercase() {
        name if name == "CEILING" => "CEIL".to_owned(),
        name => name,
    };
    let FunctionArguments::List(list) = &function.args else { return name };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(json))] = list.args.as_slice()
        && name == dialect::AS_JSON
    {
        return text(json);
    }
    if let [units, FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] = list.args.as_slice()
        && name == calls::DIFFERENCE
    {
        return format!("({}) {}", text(of), units.to_string().trim_matches('\''));
    }
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => text(expr),
        other => other.to_string(),
    });
    if matches!(name.as_str(), dialect::JSON_OBJECT | dialect::JSON_ARRAY) {
        return json(&name, args.collect());
    }
    let distinct = match list.duplicate_treatment {
        Some(DuplicateTreatment::Distinct) => "DISTINCT ",
        Some(DuplicateTreatment::All) => "ALL ",
        None => "",
    };
    format!("{name}({distinct}{})", joined(args, ", "))
}

/// What nulls mean comes last.
fn json(name: &str, args: Vec<String>) -> String {
    let Some((nulls, args)) = args.split_first() else { return name.to_owned() };
    let members: Vec<_> = match name {
        dialect::JSON_OBJECT => args.chunks(2).map(|member| format!("KEY {}", member.join(" VALUE "))).collect(),
        _ => args.to_vec(),
    };
    format!("{name}({} {})", members.join(", "), nulls.trim_matches('\'')).replace("( ", "(")
}

fn unit(field: &CeilFloorKind) -> String {
    match field {
        CeilFloorKind::DateTimeField(unit) if *unit != DateTimeField::NoDateTime => format!(" TO {unit}"),
        _ => String::new(),
    }
}

fn type_name(ty: &DataType) -> String {
    let sized =
        |name: &str, size: Option<&dyn Display>| size.map_or_else(|| name.to_owned(), |size| format!("{name}({size})"));
    match ty {
        DataType::Int(_) => "INTEGER".into(),
        DataType::DoublePrecision => "DOUBLE".into(),
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => match info {
            ExactNumberInfo::None => "DECIMAL".into(),
            ExactNumberInfo::Precision(precision) => format!("DECIMAL({precision})"),
            ExactNumberInfo::PrecisionAndScale(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        },
        DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Varchar(length) => {
            sized("VARCHAR", length.as_ref().map(|length: &CharacterLength| length as &dyn Display))
        }
        DataType::Timestamp(precision, zone) => {
            let zone = match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => "",
                _ => " WITH LOCAL TIME ZONE",
            };
            format!("{}{zone}", sized("TIMESTAMP", precision.as_ref().map(|precision| precision as &dyn Display)))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    /// Observed on Ignite 3.1.0.
    #[test]
    fn expressions_are_named_by_their_text_or_place() {
        for (sql, name) in [
            ("+1", "1"),
            ("0.1e0", "1E-1"),
            ("1.5e3", "1.5E3"),
            (".5", "0.5"),
            ("5.", "5"),
            ("TRUE", "TRUE"),
            ("X'ab'", "X'AB'"),
            ("N'a'", "_ISO-8859-1'a'"),
            ("ID+1", "ID + 1"),
            ("((ID + 1))", "ID + 1"),
            ("(ID + 1) * 2", "(ID + 1) * 2"),
            ("ID + (1 * 2)", "ID + 1 * 2"),
            ("ID - (1 - 2)", "ID - (1 - 2)"),
            ("\"low\" + 1", "\"low\" + 1"),
            ("T.ID + 1", "T.ID + 1"),
            ("T.ID", "ID"),
            ("-ID", "EXPR$3"),
            ("-1", "-1"),
            ("A || B", "EXPR$3"),
            ("CAST(N AS NUMERIC(5,1))", "CAST(N AS DECIMAL(5, 1))"),
            ("CAST(N AS INT)", "CAST(N AS INTEGER)"),
            ("1::BIGINT", "1 :: BIGINT"),
            ("COUNT( * )", "COUNT(*)"),
            ("max(DISTINCT ID)", "MAX(DISTINCT ID)"),
            ("YEAR(D)", "EXPR$3"),
            ("SUBSTRING(S FROM 2 FOR 3)", "SUBSTRING(S, 2, 3)"),
            ("TRIM(S)", "TRIM(BOTH ' ' FROM S)"),
            ("CEILING(N)", "CEIL(N)"),
            ("FLOOR(D TO HOUR)", "FLOOR(D TO HOUR)"),
            ("INTERVAL '1' DAY", "INTERVAL '1' DAY"),
        ] {
            let expr = Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
            assert_eq!(name_of(&expr, 3, true), name, "{sql}");
        }
    }
}
