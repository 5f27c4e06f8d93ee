//! Which part of an order of rows, that of the key or of an index, a query's filters leave.
//!
//! Keys are encoded so that their bytes sort as their columns do, and so are the entries of an index. Values for the first
//! columns are therefore a prefix, and everything that starts with it is one span of the map; a comparison of the next
//! column cuts the span further. Several values for one column (`IN`) are several spans. What the spans let through is
//! filtered again, so a filter that is not understood only costs time.

use super::arrays::value_at;
use super::index::order::Sorted;
use super::types;
use crate::store::key::Key;
use crate::value::{ColumnType, Value};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Cast, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use std::fmt;
use std::ops::Bound;

/// Spans that one scan goes over at most; more values than that are filtered after a wider scan.
const SPANS_MAX: usize = 10_000;

/// A part of the key order: keys from `start` on, before `end`; `None` is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    start: Bound<Key>,
    end: Option<Key>,
}

impl Span {
    /// As bounds of the map.
    pub fn bounds(&self) -> (Bound<Key>, Bound<Key>) {
        (self.start.clone(), self.end.clone().map_or(Bound::Unbounded, Bound::Excluded))
    }

    /// From one bound to another, whose end is open or not part of it.
    pub fn new((start, end): (Bound<Key>, Bound<Key>)) -> Self {
        let end = match end {
            Bound::Excluded(key) | Bound::Included(key) => Some(key),
            Bound::Unbounded => None,
        };
        Self { start, end }
    }

    /// What is left of the span behind `key`.
    pub fn after(&self, key: &Key) -> Self {
        Self { start: Bound::Excluded(key.clone()), end: self.end.clone() }
    }

    /// What is left of the span before `key`.
    pub fn before(&self, key: &Key) -> Self {
        Self { start: self.start.clone(), end: Some(key.clone()) }
    }

    /// What is left of the span from `key` on.
    pub fn from(&self, key: &Key) -> Self {
        Self { start: Bound::Included(key.clone()), end: self.end.clone() }
    }

    /// From the start of this span to the end of another.
    pub fn to_end_of(&self, other: &Self) -> Self {
        Self { start: self.start.clone(), end: other.end.clone() }
    }

    /// Whether the span ends before `key`.
    pub fn is_before(&self, key: &Key) -> bool {
        self.end.as_ref().is_some_and(|end| end <= key)
    }

    /// Everything that starts with `prefix`.
    fn of_prefix(prefix: &[u8]) -> Self {
        Self { start: Bound::Included(Key::from_slice(prefix)), end: successor(prefix) }
    }

    fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start) | Bound::Excluded(start), Some(end)) => start >= end,
            _ => false,
        }
    }
}

/// The spans that a scan goes over, in key order.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRange {
    /// `None`: all rows.
    spans: Option<Vec<Span>>,
    /// Whether every span is one whole key.
    points: bool,
    /// Columns that have known values.
    fixed: usize,
    /// Whether the column behind those is compared.
    cut: bool,
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spans {
            None => f.write_str("all"),
            Some(spans) if self.points => write!(f, "{}", spans.len()),
            Some(spans) => write!(f, "{} range(s)", spans.len()),
        }
    }
}

/// One understood filter on a key column.
enum Limit {
    OneOf(Vec<Value<'static>>),
    Compare(Operator, Value<'static>),
}

impl KeyRange {
    /// Whether a filter can narrow a scan: it compares a column that `sorts` with constants.
    pub fn concerns(filter: &Expr, sorts: impl Fn(&str) -> bool) -> bool {
        compared_column(filter).is_some_and(|column| sorts(&column.name))
    }

    /// The spans of an order by `columns` that `filters`, all of which must hold, leave.
    pub fn of(columns: &[Sorted], filters: &[Expr]) -> Self {
        let mut prefixes: Vec<Key> = vec![Key::new()];
        let mut fixed = 0;
        for column in columns {
            let mut compared = Vec::new();
            let mut values = None;
            for limit in filters.iter().filter_map(|filter| limit(filter, column)) {
                match limit {
                    Limit::OneOf(list) => values = Some(list),
                    Limit::Compare(op, value) => compared.push((op, value)),
                }
            }
            match values {
                Some(list) if prefixes.len().saturating_mul(list.len()) <= SPANS_MAX => {
                    prefixes = extend(&prefixes, &list, column);
                    fixed += 1;
                }
                _ if compared.is_empty() || !column.sorts_as_arrow() => break,
                _ => {
                    let spans = prefixes.iter().map(|prefix| cut(prefix, &compared, column));
                    let spans = spans.filter(|span| !span.is_empty()).collect();
                    return Self { spans: Some(sorted(spans)), points: false, fixed, cut: true };
                }
            }
        }
        if fixed == 0 {
            return Self { spans: None, points: false, fixed, cut: false };
        }
        let spans = prefixes.iter().map(|prefix| Span::of_prefix(prefix.as_slice())).collect();
        let points = fixed == columns.len() && columns.iter().all(|column| column.order.is_none());
        Self { spans: Some(sorted(spans)), points, fixed, cut: false }
    }

    /// How well the filters fit the order: of two ranges of the same rows, the greater one is taken for the narrower.
    pub fn rank(&self) -> (bool, usize, bool) {
        (self.points, self.fixed, self.cut)
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.spans.is_none()
    }

    /// About how many of a table's rows are left.
    pub fn estimate(&self, rows: usize) -> usize {
        match &self.spans {
            None => rows,
            Some(spans) if self.points => spans.len().min(rows),
            Some(_) => rows / 10,
        }
    }

    /// The spans, the first one last.
    pub fn spans(&self) -> Vec<Span> {
        match &self.spans {
            None => vec![Span { start: Bound::Unbounded, end: None }],
            Some(spans) => spans.iter().rev().cloned().collect(),
        }
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

/// The spans in their order.
fn sorted(mut spans: Vec<Span>) -> Vec<Span> {
    let start = |span: &Span| match &span.start {
        Bound::Included(key) | Bound::Excluded(key) => key.clone(),
        Bound::Unbounded => Key::new(),
    };
    spans.sort_by_cached_key(start);
    spans.dedup();
    spans
}

/// The column that a filter compares with constants, if it does nothing else.
fn compared_column(filter: &Expr) -> Option<&datafusion::common::Column> {
    let constant = |expr: &Expr| matches!(expr, Expr::Literal(..) | Expr::Placeholder(_));
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (compared_column(left)?, compared_column(right)?);
            (left == right).then_some(left)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => match (&**left, &**right) {
            (column, value) | (value, column) if constant(value) => widened(column),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) if list.iter().all(constant) => widened(expr),
        Expr::IsNull(expr) => widened(expr),
        _ => None,
    }
}

/// What a filter says about a column; `None` if that is nothing a span could say.
fn limit(filter: &Expr, column: &Sorted) -> Option<Limit> {
    let is_column = |expr: &Expr| widened(expr).is_some_and(|c| *c.name == *column.column.name);
    match filter {
        // What a short list becomes.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            match (limit(left, column)?, limit(right, column)?) {
                (Limit::OneOf(mut values), Limit::OneOf(more)) => {
                    values.extend(more);
                    Some(Limit::OneOf(values))
                }
                _ => None,
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            let (op, value) = match (&**left, &**right) {
                (l, Expr::Literal(value, _)) if is_column(l) => (*op, value),
                (Expr::Literal(value, _), r) if is_column(r) => (op.swap()?, value),
                _ => return None,
            };
            let value = exact(value, column)?;
            match (op, zero(&value)) {
                (Operator::Eq, None) => Some(Limit::OneOf(vec![value])),
                (op, None) => Some(Limit::Compare(op, value)),
                // Of the two zeros the one that leaves both.
                (Operator::Eq, Some(_)) => None,
                (Operator::Gt | Operator::GtEq, Some((least, _))) => Some(Limit::Compare(Operator::GtEq, least)),
                (_, Some((_, greatest))) => Some(Limit::Compare(Operator::LtEq, greatest)),
            }
        }
        Expr::InList(InList { expr, list, negated: false }) if is_column(expr) => {
            let value = |item: &Expr| match item {
                Expr::Literal(value, _) => exact(value, column).filter(|value| zero(value).is_none()),
                _ => None,
            };
            list.iter().map(value).collect::<Option<_>>().map(Limit::OneOf)
        }
        Expr::IsNull(expr) if is_column(expr) && column.order.is_some() => Some(Limit::OneOf(vec![Value::Null])),
        _ => None,
    }
}

/// The two zeros of the type, if this is one of them: they are equal, and sort one before the other.
fn zero(value: &Value<'_>) -> Option<(Value<'static>, Value<'static>)> {
    match value {
        Value::Float(v) if *v == 0.0 => Some((Value::Float(-0.0), Value::Float(0.0))),
        Value::Double(v) if *v == 0.0 => Some((Value::Double(-0.0), Value::Double(0.0))),
        _ => None,
    }
}

/// The column that an expression shows, also as a wider integer: a parameter of another width than the column's makes it
/// one.
fn widened(expr: &Expr) -> Option<&datafusion::common::Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Int64 => match &**expr {
            Expr::Column(column) => Some(column),
            _ => None,
        },
        _ => None,
    }
}

/// A constant as a value of the column, if equal values have equal keys.
fn exact(value: &ScalarValue, column: &Sorted) -> Option<Value<'static>> {
    let ty = column.column.ty;
    if let (ScalarValue::Int64(Some(v)), ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32) = (value, ty) {
        let (min, max) = match ty {
            ColumnType::Int8 => (i8::MIN.into(), i8::MAX.into()),
            ColumnType::Int16 => (i16::MIN.into(), i16::MAX.into()),
            _ => (i32::MIN.into(), i32::MAX.into()),
        };
        // One beyond the column's range is left to the filter above.
        return (min..=max).contains(v).then_some(Value::Int(*v));
    }
    if column.is_finer_than_arrow() || value.is_null() || value.data_type() != types::to_arrow(ty) {
        return None;
    }
    let value = value_at(&*value.to_array().ok()?, 0).ok().map(Value::into_owned)?;
    match &value {
        Value::Float(v) if v.is_nan() => None,
        Value::Double(v) if v.is_nan() => None,
        _ => Some(value),
    }
}

fn extend(prefixes: &[Key], values: &[Value<'_>], column: &Sorted) -> Vec<Key> {
    let mut longer = Vec::with_capacity(prefixes.len() * values.len());
    for prefix in prefixes {
        for value in values {
            let mut key = prefix.clone();
            // A value that makes too long a key is in no row.
            if column.push(&mut key, value).is_ok() {
                longer.push(key);
            }
        }
    }
    longer
}

/// The part of a prefix's span in which the next column compares like this.
fn cut(prefix: &Key, compared: &[(Operator, Value<'_>)], column: &Sorted) -> Span {
    let mut prefix_of_all = prefix.clone();
    column.push_head(&mut prefix_of_all);
    let mut span = Span::of_prefix(prefix_of_all.as_slice());
    if prefix_of_all.is_empty() {
        span = Span { start: Bound::Unbounded, end: None };
    }
    for (op, value) in compared {
        let mut key = prefix.clone();
        if column.push(&mut key, value).is_err() {
            continue;
        }
        let behind = successor(key.as_slice());
        let op = if column.is_descending() { op.swap().unwrap_or(*op) } else { *op };
        match op {
            Operator::Gt | Operator::GtEq => {
                let start = if op == Operator::GtEq { Some(key) } else { behind };
                if let Some(start) = start {
                    span.start = later(span.start, start);
                }
            }
            _ => {
                let end = if op == Operator::Lt { Some(key) } else { behind };
                span.end = match (span.end, end) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
    }
    span
}

fn later(bound: Bound<Key>, key: Key) -> Bound<Key> {
    match bound {
        Bound::Included(old) if old > key => Bound::Included(old),
        _ => Bound::Included(key),
    }
}

/// The first key behind everything that starts with `prefix`.
fn successor(prefix: &[u8]) -> Option<Key> {
    let last = prefix.iter().rposition(|&byte| byte != 0xFF)?;
    let mut bytes = prefix.get(..=last)?.to_vec();
    if let Some(byte) = bytes.last_mut() {
        *byte += 1;
    }
    Some(Key::from_slice(&bytes))
}
