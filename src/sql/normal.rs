//! What Ignite means by a syntax tree, put into a tree that means the same to DataFusion.
//!
//! - An integer literal is an INT where it fits, one with an exponent a DOUBLE. Places that count (LIMIT, ORDER BY 1) keep
//!   plain literals; they are marked by the `long` flag of the literal, which nobody else uses.
//! - Every column of a select list has a name: an alias, a column's name, the text of a literal, call or calculation, or
//!   `EXPR$n`. Two columns of a list may have the same name in Ignite but not in DataFusion: the second gets another one,
//!   and [`Names`] tells which it stands for.

use super::calls;
use super::names::{is_column, name_of};
use crate::error::{Error, Kind, Result};
use sqlparser::ast::{
    DataType, Expr, Fetch, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, LimitClause, OrderBy,
    OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TypedString, Value, ValueWithSpan,
    VisitMut, VisitorMut, WindowFrameBound, WindowType,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Names of columns that had to be unique, and the names that clients see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// The name that clients see.
    pub fn shown<'a>(&'a self, unique: &'a str) -> &'a str {
        self.0.get(unique).map_or(unique, String::as_str)
    }
}

/// Normalizes a statement.
///
/// # Errors
/// `SqlValidation` for what parses and has no meaning here.
pub(super) fn normalize(statement: &mut Statement) -> Result<Names> {
    super::refuse::clauses(statement)?;
    let mut visitor = Normalizer::default();
    match statement.visit(&mut visitor) {
        ControlFlow::Continue(()) => Ok(visitor.names),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Default)]
struct Normalizer {
    names: Names,
    unique: usize,
}

impl VisitorMut for Normalizer {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let Err(error) = super::refuse::set_operation(&query.body) {
            return ControlFlow::Break(error);
        }
        if let Some(fetch) = query.fetch.take()
            && let Err(error) = limit_by_fetch(query, fetch)
        {
            return ControlFlow::Break(error);
        }
        if let Some(OrderBy { kind: OrderByKind::Expressions(list), .. }) = &mut query.order_by {
            list.iter_mut().for_each(|item| keep(&mut item.expr));
        }
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limit.iter_mut().chain(offset.iter_mut().map(|o| &mut o.value)).for_each(keep);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [offset, limit].into_iter().for_each(keep),
            None => {}
        }
        // The branches of a set operation have no names of their own; the first one's are the result's.
        name_lists(&mut query.body, self);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<Error> {
        match system_range(relation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if let GroupByExpr::Expressions(list, _) = &mut select.group_by {
            list.iter_mut().for_each(keep);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        calls::rewrite(expr);
        match expr {
            Expr::Interval(interval) => keep(&mut interval.value),
            Expr::Function(function) => {
                if let Some(WindowType::WindowSpec(spec)) = &mut function.over
                    && let Some(frame) = &mut spec.window_frame
                {
                    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
                        if let WindowFrameBound::Preceding(Some(n)) | WindowFrameBound::Following(Some(n)) = bound {
                            keep(n);
                        }
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            // Arrow casts nothing to a UUID.
            Expr::Cast { data_type: DataType::Uuid, expr: inner, .. } => {
                *expr = calls::call("TO_UUID", [(**inner).clone()]);
            }
            Expr::TypedString(TypedString { data_type: DataType::Uuid, value, .. }) => {
                *expr = calls::call("TO_UUID", [Expr::Value(value.clone())]);
            }
            _ => {}
        }
        if let Expr::Value(ValueWithSpan { value: Value::Number(digits, false), .. }) = expr {
            let ty = if digits.contains(['e', 'E']) {
                DataType::DoublePrecision
            } else if digits.parse::<i32>().is_ok() {
                DataType::Int(None)
            } else {
                return ControlFlow::Continue(());
            };
            let value = Value::SingleQuotedString(std::mem::take(digits)).with_span(Span::empty());
            *expr = Expr::TypedString(TypedString { data_type: ty, value, uses_odbc_syntax: false });
        }
        ControlFlow::Continue(())
    }
}

/// Marks a literal that counts something.
fn keep(expr: &mut Expr) {
    if let Expr::Value(ValueWithSpan { value: Value::Number(_, long), .. }) = expr {
        *long = true;
    }
}

/// TABLE(SYSTEM_RANGE(from, to)) is a query of the whole numbers between, as column X.
fn system_range(relation: &mut TableFactor) -> Result<()> {
    let (function, alias) = match relation {
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => (&*function, &*alias),
        _ => return Ok(()),
    };
    if function.name.to_string() != "SYSTEM_RANGE" {
        return Err(invalid(format!("No match found for function signature {}", function.name)));
    }
    let FunctionArguments::List(list) = &function.args else { return Err(invalid("SYSTEM_RANGE takes two numbers")) };
    let mut args = list.args.clone();
    for arg in &mut args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            keep(expr);
        }
    }
    let args = args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let alias = alias.as_ref().map_or_else(|| "\"SYSTEM_RANGE\"".to_owned(), |alias| alias.to_string());
    let alias = alias.trim_start_matches("AS ");
    let text = format!("SELECT * FROM (SELECT \"value\" AS \"X\" FROM GENERATE_SERIES({args})) AS {alias}");
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(&text).and_then(|mut parser| parser.parse_query());
    let query = parsed.map_err(|e| invalid(e.to_string()))?;
    if let SetExpr::Select(select) = *query.body
        && let Some(first) = select.from.into_iter().next()
    {
        *relation = first.relation;
    }
    Ok(())
}

fn limit_by_fetch(query: &mut Query, fetch: Fetch) -> Result<()> {
    let Fetch { with_ties: false, percent: false, quantity } = fetch else {
        return Err(invalid("FETCH with PERCENT or TIES is not supported"));
    };
    let one = Expr::Value(Value::Number("1".into(), true).with_span(Span::empty()));
    let count = quantity.unwrap_or(one);
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(count), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(count),
        Some(_) => return Err(invalid("LIMIT and FETCH cannot be used together")),
    }
    Ok(())
}

fn name_lists(body: &mut SetExpr, names: &mut Normalizer) {
    match body {
        SetExpr::Select(select) => name_list(&mut select.projection, names),
        SetExpr::SetOperation { left, right, .. } => {
            name_lists(left, names);
            name_lists(right, names);
        }
        _ => {}
    }
}

fn name_list(items: &mut [SelectItem], names: &mut Normalizer) {
    let mut taken = HashSet::new();
    for (place, item) in items.iter_mut().enumerate() {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => name_of(expr, place),
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            _ => continue,
        };
        let unique = match taken.insert(name.clone()) {
            true => name,
            false => {
                names.unique += 1;
                let unique = format!("{name}\u{1f}{}", names.unique);
                names.names.0.insert(unique.clone(), name);
                unique
            }
        };
        if let SelectItem::UnnamedExpr(expr) = item {
            // A column keeps its table's name in front unless it is renamed.
            if is_column(expr) && !unique.contains('\u{1f}') {
                continue;
            }
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&unique) };
        } else if let SelectItem::ExprWithAlias { alias, .. } = item {
            *alias = quoted(&unique);
        }
    }
}

/// A name as it is, whatever its case.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}
