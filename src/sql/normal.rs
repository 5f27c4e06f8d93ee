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
    DataType, ExactNumberInfo, Expr, Fetch, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    LimitClause, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TypedString,
    UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut, WindowFrameBound, WindowType,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// IN and EXISTS in select lists, those of each copy included: where they nest there are many copies.
const VALUES_MAX: usize = 100;

/// Names of columns that had to be unique, and the names that clients see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// The name that clients see.
    pub fn shown<'a>(&'a self, unique: &'a str) -> &'a str {
        self.0.get(unique).map_or(unique, String::as_str)
    }

    /// Another column of a name that a list has already: the name it goes by.
    pub fn again(&mut self, name: &str) -> String {
        let unique = format!("{name}\u{1f}{}", self.0.len() + 1);
        self.0.insert(unique.clone(), name.to_owned());
        unique
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
    /// Queries around the one at hand.
    depth: usize,
    /// IN and EXISTS in select lists so far.
    values: usize,
}

impl VisitorMut for Normalizer {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
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
                let counts = limit.iter().chain(offset.iter().map(|o| &o.value));
                if counts.into_iter().any(|count| !counts_rows(count)) {
                    return ControlFlow::Break(unknown("such a LIMIT"));
                }
                let counts = limit.iter_mut().chain(offset.iter_mut().map(|o| &mut o.value));
                counts.for_each(|count| {
                    cut(count);
                    keep(count);
                });
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [offset, limit].into_iter().for_each(keep),
            None => {}
        }
        super::with::names_again(query);
        if let Err(error) = super::subqueries::values(&mut query.body) {
            return ControlFlow::Break(error);
        }
        // The branches of a set operation have no names of their own; the first one's are the result's. Only what a
        // client sees is named by its text.
        let by_text = self.depth == 0 && matches!(*query.body, SetExpr::Select(_));
        self.depth += 1;
        match name_lists(&mut query.body, by_text, &mut self.names) {
            Ok(()) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        order_by_names(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<Error> {
        match system_range(relation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if select.top.is_some() {
            return ControlFlow::Break(unknown("TOP"));
        }
        if select.from.is_empty() && select.selection.is_some() {
            return ControlFlow::Break(unknown("WHERE without FROM"));
        }
        single_group(select);
        let aggregates = super::subqueries::aggregates(&select.projection);
        if let GroupByExpr::Expressions(list, _) = &mut select.group_by {
            // Parentheses around keys mean nothing; without a key there is one group, as where none is asked for.
            if list.iter().any(|key| matches!(key, Expr::Tuple(keys) if !keys.is_empty() || aggregates)) {
                *list = std::mem::take(list)
                    .into_iter()
                    .flat_map(|key| match key {
                        Expr::Tuple(keys) => keys,
                        key => vec![key],
                    })
                    .collect();
            }
            list.iter_mut().for_each(keep);
        }
        self.values += super::subqueries::as_values(&mut select.projection);
        if self.values > VALUES_MAX {
            return ControlFlow::Break(unknown(&format!(
                "More than {VALUES_MAX} IN or EXISTS in select lists, copies included,"
            )));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Err(error) = calls::rewrite(expr) {
            return ControlFlow::Break(error);
        }
        match expr {
            Expr::Subquery(query) => super::subqueries::single(query),
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
            } else if !digits.contains('.') && digits.parse::<i64>().is_err() {
                let count = digits.trim_start_matches('-').len() as u64;
                DataType::Decimal(ExactNumberInfo::Precision(count))
            } else {
                return ControlFlow::Continue(());
            };
            let value = Value::SingleQuotedString(std::mem::take(digits)).with_span(Span::empty());
            *expr = Expr::TypedString(TypedString { data_type: ty, value, uses_odbc_syntax: false });
        }
        ControlFlow::Continue(())
    }
}

/// Whether a limit is no literal, or one of a number of rows.
fn counts_rows(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp { .. } => false,
        Expr::Value(value) => !matches!(value.value, Value::SingleQuotedString(_)),
        _ => true,
    }
}

/// Half a row is none.
fn cut(expr: &mut Expr) {
    if let Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) = expr
        && let Some((rows, fraction)) = digits.split_once('.')
        && !rows.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
    {
        *digits = rows.to_owned();
    }
}

/// A query without groups that has HAVING is one of a single group, also where it aggregates nothing.
fn single_group(select: &mut Select) {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    if !grouped
        && let Some(having) = &mut select.having
        && let Some(one) = calls::parsed(&format!("({having}) AND COUNT(*) >= 0"), |parser| parser.parse_expr())
    {
        *having = one;
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
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => whole(expr).unwrap_or_else(|| expr.to_string()),
        other => other.to_string(),
    });
    let args = args.collect::<Vec<_>>().join(", ");
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

/// A number without its fraction, marked as one that counts.
fn whole(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => {
            let whole = digits.split('.').next().filter(|whole| !whole.is_empty()).unwrap_or("0");
            whole.bytes().all(|b| b.is_ascii_digit()).then(|| format!("{whole}L"))
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => whole(expr).map(|digits| format!("-{digits}")),
        _ => None,
    }
}

fn limit_by_fetch(query: &mut Query, fetch: Fetch) -> Result<()> {
    let Fetch { with_ties: false, percent: false, quantity } = fetch else {
        return Err(unknown("FETCH with PERCENT or TIES"));
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

fn name_lists(body: &mut SetExpr, by_text: bool, names: &mut Names) -> Result<()> {
    match body {
        SetExpr::Select(select) => name_list(&mut select.projection, by_text, names),
        SetExpr::SetOperation { left, right, .. } => {
            name_lists(left, by_text, names)?;
            name_lists(right, by_text, names)
        }
        _ => Ok(()),
    }
}

fn name_list(items: &mut [SelectItem], by_text: bool, names: &mut Names) -> Result<()> {
    let mut taken = HashSet::new();
    for (place, item) in items.iter_mut().enumerate() {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => name_of(expr, place, by_text),
            // To Ignite a text behind a text is its other half, on a line of its own.
            SelectItem::ExprWithAlias { alias: Ident { quote_style: Some('\''), .. }, .. } => {
                return Err(invalid("String literal continued on same line"));
            }
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            _ => continue,
        };
        let unique = match taken.insert(name.clone()) {
            true => name,
            false => names.again(&name),
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
    Ok(())
}

/// Of DISTINCT rows only what they show is there to sort by.
fn order_by_names(query: &mut Query) {
    let SetExpr::Select(select) = &*query.body else { return };
    let Some(OrderBy { kind: OrderByKind::Expressions(list), .. }) = &mut query.order_by else { return };
    if select.distinct.is_none() {
        return;
    }
    for order in list {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item
                && *expr == order.expr
            {
                order.expr = Expr::Identifier(alias.clone());
                break;
            }
        }
    }
}

/// A name as it is, whatever its case.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// What is no SQL to Ignite.
fn unknown(what: &str) -> Error {
    Error::new(Kind::SqlParse, format!("Failed to parse query: {what} is not supported here"))
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}
