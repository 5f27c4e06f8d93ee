//! Subqueries in places where DataFusion does not carry them out, told in ones that it does.
//!
//! `EXISTS (q)` and `x IN (q)` outside of conditions become counts of rows. A subquery that is a value and may answer several
//! rows is one of the aggregate SINGLE_VALUE, which refuses the second. A single row of VALUES with subqueries is a SELECT.

use super::calls::{call, parsed};
use super::normal::quoted;
use crate::error::{Error, Kind, Result};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use std::ops::ControlFlow;

/// The aggregate function; not one that a statement would name.
pub(super) const SINGLE: &str = "flint_single_value";

/// Aggregate functions: a query of one of them without groups answers one row.
const AGGREGATES: &[&str] = &[
    "ANY_VALUE",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "BOOL_AND",
    "BOOL_OR",
    "COUNT",
    "EVERY",
    "FIRST_VALUE",
    "GROUPING",
    "LAST_VALUE",
    "MAX",
    "MEDIAN",
    "MIN",
    "FLINT_SINGLE_VALUE",
    "SOME",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STRING_AGG",
    "SUM",
    "VAR_POP",
    "VAR_SAMP",
];

/// Tells EXISTS and IN of an item of a select list, or of VALUES, as values; how many there were. Of the query of IN there are
/// three copies then, so of one within another there are nine.
pub(super) fn as_values(within: &mut impl VisitMut) -> usize {
    let mut values = Values { depth: 0, told: 0 };
    let _: ControlFlow<()> = within.visit(&mut values);
    values.told
}

struct Values {
    depth: usize,
    told: usize,
}

impl VisitorMut for Values {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let told = match expr {
            Expr::Exists { subquery, negated } => exists(subquery, *negated),
            Expr::InSubquery { expr, subquery, negated } => is_in(expr, subquery, *negated),
            _ => None,
        };
        if let Some(told) = told {
            *expr = told;
            self.told += 1;
        }
        ControlFlow::Continue(())
    }
}

fn exists(query: &Query, negated: bool) -> Option<Expr> {
    let count = match plain(query) {
        Some(select) => {
            let count = SelectItem::UnnamedExpr(parsed("COUNT(*)", |parser| parser.parse_expr())?);
            let select = Select { projection: vec![count], distinct: None, ..select.clone() };
            let body = Box::new(SetExpr::Select(Box::new(select)));
            Query { body, order_by: None, ..query.clone() }.to_string()
        }
        None => format!("SELECT COUNT(*) FROM ({query}) AS \"Q\""),
    };
    let operator = if negated { "=" } else { ">" };
    parsed(&format!("(({count}) {operator} 0)"), |parser| parser.parse_expr())
}

fn is_in(value: &Expr, query: &Query, negated: bool) -> Option<Expr> {
    let (count, nulls) = (
        format!("(SELECT COUNT(*) FROM ({query}) AS \"Q\" (\"C\"))"),
        format!("(SELECT COUNT(*) - COUNT(\"C\") FROM ({query}) AS \"Q\" (\"C\"))"),
    );
    let found = format!("(SELECT COUNT(*) FROM ({query}) AS \"Q\" (\"C\u{1f}\") WHERE \"C\u{1f}\" = ({value}))");
    let not = if negated { "NOT " } else { "" };
    let text = format!(
        "({not}CASE WHEN {count} = 0 THEN FALSE WHEN ({value}) IS NULL THEN NULL WHEN {found} > 0 THEN TRUE \
         WHEN {nulls} > 0 THEN NULL ELSE FALSE END)"
    );
    parsed(&text, |parser| parser.parse_expr())
}

/// Makes sure that a subquery in the place of a value answers one row at most.
pub(super) fn single(query: &mut Query) {
    if plain(query).is_none_or(|select| select.distinct.is_some() || select.from.is_empty()) {
        return;
    }
    query.order_by = None;
    let SetExpr::Select(select) = &mut *query.body else { return };
    if let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice() {
        *expr = call(SINGLE, [expr.clone()]);
    }
}

/// The query, if it answers one row for each row of its relations that it takes.
fn plain(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    let cut = query.limit_clause.is_some() || query.fetch.is_some() || query.with.is_some();
    let whole = !grouped && !cut && select.having.is_none() && select.qualify.is_none() && select.top.is_none();
    let distinct = matches!(select.distinct, Some(Distinct::On(_)));
    (whole && !distinct && !aggregates(&select.projection)).then_some(select)
}

/// Whether a select list has an aggregate function.
pub(super) fn aggregates(items: &Vec<SelectItem>) -> bool {
    items.visit(&mut Aggregates { depth: 0 }).is_break()
}

struct Aggregates {
    depth: usize,
}

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function)
                if self.depth == 0
                    && (function.over.is_some()
                        || AGGREGATES.contains(&function.name.to_string().to_uppercase().as_str())) =>
            {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The rows of VALUES: DataFusion wants columns to agree in what it does not know, and no subqueries in them.
///
/// # Errors
/// `SqlValidation` for literals of several kinds in one column.
pub(super) fn values(body: &mut SetExpr) -> Result<()> {
    let SetExpr::Values(values) = body else { return Ok(()) };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let mut kinds = values.rows.iter().filter_map(|row| kind(row.content.get(column)?));
        if let Some(first) = kinds.next()
            && kinds.any(|kind| kind != first)
        {
            let text = "Failed to validate query. Values passed to VALUES operator must have compatible types";
            return Err(Error::new(Kind::SqlValidation, text));
        }
    }
    let mut queries = Queries(false);
    let _ = values.rows.visit(&mut queries);
    if let [row] = values.rows.as_slice()
        && queries.0
        && !row.content.iter().any(super::dml::is_default)
    {
        let list = row.content.iter().enumerate();
        let list = list.map(|(place, cell)| format!("{cell} AS {}", quoted(&format!("EXPR${place}"))));
        let text = format!("SELECT {}", list.collect::<Vec<_>>().join(", "));
        if let Some(query) = parsed(&text, |parser| parser.parse_query()) {
            *body = *query.body;
        }
        return Ok(());
    }
    if values.rows.len() == 1 {
        return Ok(());
    }
    for cell in values.rows.iter_mut().flat_map(|row| &mut row.content) {
        if !matches!(bare(cell), Expr::Value(_) | Expr::Identifier(_) | Expr::UnaryOp { .. }) {
            *cell = call("PLAIN", [cell.clone()]);
        }
    }
    Ok(())
}

/// What kind of literal it is: a number, a text or a truth.
fn kind(cell: &Expr) -> Option<u8> {
    match bare(cell) {
        Expr::Value(value) => match value.value {
            Value::Number(..) => Some(0),
            Value::SingleQuotedString(_) => Some(1),
            Value::Boolean(_) => Some(2),
            _ => None,
        },
        _ => None,
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

struct Queries(bool);

impl Visitor for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.0 = true;
        ControlFlow::Break(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(sql: &str) -> Query {
        *parsed(sql, |parser| parser.parse_query()).unwrap()
    }

    #[test]
    fn conditions_become_values() {
        let told = |sql: &str| {
            let mut expr = parsed(sql, |parser| parser.parse_expr()).unwrap();
            as_values(&mut expr);
            expr.to_string()
        };
        assert_eq!(told("EXISTS (SELECT A FROM T WHERE B = 1)"), "((SELECT COUNT(*) FROM T WHERE B = 1) > 0)");
        assert_eq!(
            told("NOT EXISTS (SELECT MAX(A) FROM T)"),
            "((SELECT COUNT(*) FROM (SELECT MAX(A) FROM T) AS \"Q\") = 0)"
        );
        assert!(told("X IN (SELECT A FROM T)").contains("WHEN (X) IS NULL THEN NULL"));
    }

    #[test]
    fn values_are_single() {
        let told = |sql: &str| {
            let mut query = query(sql);
            single(&mut query);
            query.to_string()
        };
        assert_eq!(told("SELECT A FROM T WHERE B = U.C"), "SELECT flint_single_value(A) FROM T WHERE B = U.C");
        for whole in ["SELECT MAX(A) FROM T", "SELECT A FROM T LIMIT 1", "SELECT A FROM T GROUP BY A", "SELECT 1"] {
            assert_eq!(told(whole), whole);
        }
    }

    #[test]
    fn rows_with_subqueries_are_selected() {
        let told = |sql: &str| {
            let mut body = *query(sql).body;
            values(&mut body).unwrap();
            body.to_string()
        };
        assert_eq!(
            told("VALUES (1, (SELECT MAX(A) FROM T))"),
            "SELECT 1 AS \"EXPR$0\", (SELECT MAX(A) FROM T) AS \"EXPR$1\""
        );
        assert!(values(&mut query("VALUES (1), ('a')").body).is_err());
        assert_eq!(told("VALUES (1, F(2)), (2, NULL)"), "VALUES (1, PLAIN(F(2))), (2, NULL)");
    }
}
