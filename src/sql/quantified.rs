//! Comparisons that DataFusion gets wrong or has not, told in others that it gets right.
//!
//! `x > ANY (q)` compares with the least of q, `x > ALL (q)` with the greatest; nulls in q make what is not decided
//! without them unknown. Patterns of SIMILAR TO are regular expressions of their own kind, and a backslash in a LIKE
//! pattern escapes nothing.

use super::calls::parsed;
use sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

/// `x op ANY (q)`, or `x op ALL (q)`; `None` for what is none of a subquery, or already right.
pub(super) fn quantified(left: &Expr, op: &BinaryOperator, right: &Expr, all: bool) -> Option<Expr> {
    use BinaryOperator as B;
    let Expr::Subquery(query) = right else { return None };
    let least = format!("{left} {op} (SELECT MIN(\"C\") FROM ({query}) AS \"Q\" (\"C\"))");
    let greatest = format!("{left} {op} (SELECT MAX(\"C\") FROM ({query}) AS \"Q\" (\"C\"))");
    let decided = match (op, all) {
        (B::Eq, false) => return parsed(&format!("{left} IN ({query})"), |parser| parser.parse_expr()),
        (B::NotEq, true) => return parsed(&format!("{left} NOT IN ({query})"), |parser| parser.parse_expr()),
        (B::Gt | B::GtEq, false) | (B::Lt | B::LtEq, true) => least,
        (B::Lt | B::LtEq, false) | (B::Gt | B::GtEq, true) => greatest,
        (B::Eq, true) => format!("({least} AND {greatest})"),
        (B::NotEq, false) => format!("({least} OR {greatest})"),
        _ => return None,
    };
    let count = format!("(SELECT COUNT(*) FROM ({query}) AS \"Q\" (\"C\"))");
    let nulls = format!("(SELECT COUNT(*) - COUNT(\"C\") FROM ({query}) AS \"Q\" (\"C\")) > 0");
    let text = match all {
        true => format!("({count} = 0 OR ({decided} AND CASE WHEN {nulls} THEN NULL ELSE TRUE END))"),
        false => format!("({count} <> 0 AND ({decided} OR CASE WHEN {nulls} THEN NULL ELSE FALSE END))"),
    };
    parsed(&text, |parser| parser.parse_expr())
}

/// `x SIMILAR TO 'pattern'` as a regular expression of the whole text; `None` if the pattern is no literal.
pub(super) fn similar(negated: bool, expr: &Expr, pattern: &Expr, escape: Option<&ValueWithSpan>) -> Option<Expr> {
    let escape = match escape {
        None => None,
        Some(escape) => Some(single(&escape.value)?),
    };
    let mut regex = String::from("^(?s:");
    let mut chars = literal(pattern)?.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                regex.push('\\');
                regex.push(chars.next()?);
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            // Special to regular expressions, not to patterns.
            '.' | '^' | '$' | '\\' => {
                regex.push('\\');
                regex.push(c);
            }
            c => regex.push(c),
        }
    }
    regex.push_str(")$");
    let not = if negated { "NOT " } else { "" };
    let text = format!("({not}regexp_like({expr}, '{}'))", regex.replace('\'', "''"));
    parsed(&text, |parser| parser.parse_expr())
}

/// A LIKE pattern as DataFusion means it, where a backslash always escapes: without ESCAPE one is itself, and what another
/// character escapes is escaped by one.
pub(super) fn backslashes(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = pattern else { return };
    let by = match escape.as_ref().map(|escape| single(&escape.value)) {
        None => None,
        Some(Some(by)) => Some(by),
        Some(None) => return,
    };
    let mut told = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escaped = Some(c) == by;
        let c = if escaped { chars.next() } else { Some(c) };
        match c {
            Some(c @ ('%' | '_')) if escaped => told.extend(['\\', c]),
            // Nothing else may be escaped but the escape.
            Some(c) if escaped && Some(c) != by => return,
            Some('\\') => told.push_str("\\\\"),
            Some(c) => told.push(c),
            None => return,
        }
    }
    *text = told;
    *escape = None;
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

fn single(value: &Value) -> Option<char> {
    let Value::SingleQuotedString(text) = value else { return None };
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    fn expr(sql: &str) -> Expr {
        Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap()
    }

    #[test]
    fn patterns_become_regular_expressions() {
        let regex = |pattern: &str| similar(false, &expr("S"), &expr(pattern), None).unwrap().to_string();
        assert_eq!(regex("'a(b|x)_%'"), "(regexp_like(S, '^(?s:a(b|x)..*)$'))");
        assert_eq!(regex("'a.c'"), "(regexp_like(S, '^(?s:a\\.c)$'))");
        assert!(similar(false, &expr("S"), &expr("P"), None).is_none());
    }

    #[test]
    fn escapes_become_backslashes() {
        let told = |sql: &str| {
            let Expr::Like { mut pattern, mut escape_char, .. } = expr(sql) else { panic!("{sql}") };
            backslashes(&mut pattern, &mut escape_char);
            pattern.to_string()
        };
        assert_eq!(told("A LIKE 'a!%b!!_' ESCAPE '!'"), "'a\\%b!_'");
        assert_eq!(told("A LIKE 'a\\%'"), "'a\\\\%'");
    }

    #[test]
    fn comparisons_with_all_or_any_become_plain() {
        let told = |sql: &str| match expr(sql) {
            Expr::AllOp { left, compare_op, right } => {
                quantified(&left, &compare_op, &right, true).unwrap().to_string()
            }
            Expr::AnyOp { left, compare_op, right, .. } => {
                quantified(&left, &compare_op, &right, false).unwrap().to_string()
            }
            other => panic!("{other}"),
        };
        assert_eq!(told("A = ANY (SELECT 1)"), "A IN (SELECT 1)");
        assert_eq!(told("A <> ALL (SELECT 1)"), "A NOT IN (SELECT 1)");
        assert!(told("A > ALL (SELECT 1)").contains("A > (SELECT MAX(\"C\")"));
        assert!(told("A > ANY (SELECT 1)").contains("A > (SELECT MIN(\"C\")"));
    }
}
