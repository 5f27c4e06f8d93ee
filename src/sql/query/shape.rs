//! What clients are told of a result's columns: the exact type and whether one may be null.
//!
//! Arrow knows no length of a text and no precision of a time, and DataFusion takes most of what is calculated for
//! nullable. So both are told from the plan as it was written, from its leaves up: a text that UPPER makes is as long as
//! its argument, a text of two others as both. What is not known here is what Arrow's type implies.
//!
//! Observed on Ignite 3.1.0.

use super::{convert, types};
use crate::sql::subqueries::SINGLE;
use crate::value::{ColumnType, UNLIMITED};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, NullEquality, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, Case, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, ExprSchemable, JoinType, LogicalPlan, Operator};

/// Digits of a sum of decimals: as many as there are.
const SUM_DIGITS: u32 = 32_767;

/// Functions of a text that is as long as their first argument.
const AS_FIRST: &[&str] = &[
    "upper",
    "lower",
    "initcap",
    "reverse",
    "btrim",
    "trim",
    "ltrim",
    "rtrim",
    "substring",
    "left",
    "right",
    "plain",
    "abs",
    "negate",
    "translate",
];
/// Functions that may be null for arguments that are not.
pub(super) const NULLING: &[&str] =
    &["from_base64", "json_value", "json_query", "json_keys", "json_length", "regexp_match"];
/// Functions that answer something whatever their arguments are.
const NEVER_NULL: &[&str] = &["json_object", "json_array"];
/// Functions that tell the time, and whose argument is the precision.
const TIMES: &[&str] = &["current_timestamp", "localtimestamp", "localtime"];

/// What is known of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    ty: Known,
    /// Whether it may be null.
    pub nullable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// What Arrow's type implies.
    Implied,
    Null,
    Is(ColumnType),
}

impl Shape {
    fn new(ty: Known, nullable: bool) -> Self {
        Self { ty, nullable }
    }

    fn of(field: &Field) -> Self {
        let ty = match field.data_type() {
            DataType::Null => Known::Null,
            _ => types::of_field(field).map_or(Known::Implied, Known::Is),
        };
        Self { ty, nullable: field.is_nullable() }
    }

    /// The column type of a field of which this is known. `None` for a bare NULL, or a type that no client knows.
    pub fn column_type(self, field: &Field) -> Option<ColumnType> {
        match self.ty {
            Known::Is(ty) if fits(ty, field.data_type()) => Some(ty),
            _ => types::of_field(field),
        }
    }

    fn string_length(self) -> Option<u32> {
        match self.ty {
            Known::Is(ColumnType::String { length }) => Some(length),
            Known::Null => Some(0),
            _ => None,
        }
    }
}

/// Whether values of the Arrow type can be told as ones of the column type.
fn fits(ty: ColumnType, arrow: &DataType) -> bool {
    let of_type = types::to_arrow(ty);
    match (&of_type, arrow) {
        (
            DataType::Decimal128(_, a) | DataType::Decimal256(_, a),
            DataType::Decimal128(_, b) | DataType::Decimal256(_, b),
        ) => a == b,
        (of_type, arrow) => of_type == arrow,
    }
}

/// The shapes of a plan's columns.
pub fn of(plan: &LogicalPlan) -> Vec<Shape> {
    let fields = plan.schema().fields();
    let mut shapes = shapes(plan).unwrap_or_default();
    // What a plan has besides is as its schema says.
    shapes.truncate(fields.len());
    shapes.extend(fields.iter().skip(shapes.len()).map(|field| Shape::of(field)));
    shapes
}

fn shapes(plan: &LogicalPlan) -> Option<Vec<Shape>> {
    Some(match plan {
        LogicalPlan::Projection(projection) => {
            let (schema, input) = (projection.input.schema(), of(&projection.input));
            projection.expr.iter().map(|expr| shape(expr, schema, &input)).collect()
        }
        LogicalPlan::Filter(filter) => of(&filter.input),
        LogicalPlan::Sort(sort) => of(&sort.input),
        LogicalPlan::Limit(limit) => of(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => of(&alias.input),
        LogicalPlan::Distinct(Distinct::All(input)) => of(input),
        LogicalPlan::Subquery(subquery) => of(&subquery.subquery),
        LogicalPlan::Window(window) => of(&window.input),
        LogicalPlan::Aggregate(aggregate) => {
            let (schema, input) = (aggregate.input.schema(), of(&aggregate.input));
            let sets = matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]);
            if sets {
                return None;
            }
            let grouped = !aggregate.group_expr.is_empty();
            let keys = aggregate.group_expr.iter().map(|expr| shape(expr, schema, &input));
            keys.chain(aggregate.aggr_expr.iter().map(|expr| aggregated(expr, schema, &input, grouped))).collect()
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (of(&join.left), of(&join.right));
            let open = |shapes: Vec<Shape>| shapes.into_iter().map(|shape| Shape { nullable: true, ..shape });
            match join.join_type {
                JoinType::Inner => left.into_iter().chain(right).collect(),
                JoinType::Left => left.into_iter().chain(open(right)).collect(),
                JoinType::Right => open(left).chain(right).collect(),
                JoinType::Full => open(left).chain(open(right)).collect(),
                // INTERSECT and EXCEPT.
                JoinType::LeftSemi | JoinType::LeftAnti if join.null_equality == NullEquality::NullEqualsNull => {
                    left.iter().zip(&right).map(|(l, r)| Shape { nullable: l.nullable || r.nullable, ..*l }).collect()
                }
                JoinType::LeftSemi | JoinType::LeftAnti => left,
                _ => return None,
            }
        }
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter().map(|input| of(input));
            let first = inputs.next()?;
            inputs.fold(first, |all, more| all.iter().zip(&more).map(|(a, b)| either(*a, *b)).collect())
        }
        LogicalPlan::Values(values) => {
            let empty = DFSchema::empty();
            let mut rows =
                values.values.iter().map(|row| row.iter().map(|cell| shape(cell, &empty, &[])).collect::<Vec<_>>());
            let first = rows.next()?;
            rows.fold(first, |all, more| all.iter().zip(&more).map(|(a, b)| either(*a, *b)).collect())
        }
        _ => return None,
    })
}

/// What is one or the other.
fn either(a: Shape, b: Shape) -> Shape {
    use ColumnType as T;
    let ty = match (a.ty, b.ty) {
        (Known::Null, other) | (other, Known::Null) => other,
        (Known::Is(a), Known::Is(b)) if a == b => Known::Is(a),
        (Known::Is(T::String { length: a }), Known::Is(T::String { length: b })) => {
            Known::Is(T::String { length: a.max(b) })
        }
        (Known::Is(T::Bytes { length: a }), Known::Is(T::Bytes { length: b })) => {
            Known::Is(T::Bytes { length: a.max(b) })
        }
        (Known::Is(T::Time { precision: a }), Known::Is(T::Time { precision: b })) => {
            Known::Is(T::Time { precision: a.max(b) })
        }
        (Known::Is(T::Datetime { precision: a }), Known::Is(T::Datetime { precision: b })) => {
            Known::Is(T::Datetime { precision: a.max(b) })
        }
        _ => Known::Implied,
    };
    Shape::new(ty, a.nullable || b.nullable)
}

fn shape(expr: &Expr, schema: &DFSchema, input: &[Shape]) -> Shape {
    let of = |expr: &Expr| shape(expr, schema, input);
    let truth = |nullable| Shape::new(Known::Is(ColumnType::Boolean), nullable);
    match expr {
        Expr::Alias(alias) => of(&alias.expr),
        Expr::Column(column) => {
            let found = schema.maybe_index_of_column(column).and_then(|place| input.get(place));
            found.copied().unwrap_or_else(|| implied(expr, schema))
        }
        Expr::OuterReferenceColumn(field, _) => Shape::of(field),
        Expr::Literal(value, _) => literal(value),
        Expr::Cast(cast) => Shape { nullable: of(&cast.expr).nullable, ..Shape::of(&cast.field) },
        Expr::Negative(inner) => of(inner),
        Expr::Not(inner) | Expr::IsUnknown(inner) => truth(of(inner).nullable),
        Expr::Like(like) => truth(of(&like.expr).nullable || of(&like.pattern).nullable),
        Expr::Between(between) => {
            truth([&between.expr, &between.low, &between.high].into_iter().any(|expr| of(expr).nullable))
        }
        Expr::InList(list) => truth(of(&list.expr).nullable || list.list.iter().any(|expr| of(expr).nullable)),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            // EXISTS, told as a count.
            let counted =
                matches!(&**left, Expr::ScalarSubquery(q) if self::of(&q.subquery).iter().all(|s| !s.nullable));
            let (left, right) = (of(left), of(right));
            let nullable = left.nullable && !counted || right.nullable;
            match op {
                Operator::StringConcat => Shape::new(joined(&[left, right]), nullable),
                Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => truth(false),
                op if op.is_logic_operator() || op.supports_propagation() => truth(nullable),
                _ => Shape { nullable, ..implied(expr, schema) },
            }
        }
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            let certain = |when: &Expr, then: &Expr| {
                matches!(then, Expr::Literal(ScalarValue::Null, _)) && never_null(when, schema, input)
            };
            let thens = when_then_expr.iter().filter(|(when, then)| !certain(when, then)).map(|(_, then)| of(then));
            let last = else_expr.as_ref().map_or_else(|| Shape::new(Known::Null, true), |last| of(last));
            thens.fold(last, either)
        }
        Expr::ScalarSubquery(subquery) => {
            let first = self::of(&subquery.subquery).first().copied();
            first.map_or_else(|| implied(expr, schema), |shape| Shape { nullable: true, ..shape })
        }
        Expr::ScalarFunction(call) => called(expr, call, schema, input),
        _ => implied(expr, schema),
    }
}

/// Whether it asks for nulls of what is none.
fn never_null(when: &Expr, schema: &DFSchema, input: &[Shape]) -> bool {
    match when {
        Expr::IsNull(inner) => !shape(inner, schema, input).nullable,
        // How many nulls there are in an IN, told as counts.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Gt, .. }) => {
            matches!(&**left, Expr::ScalarSubquery(subquery) if counts_everything(&subquery.subquery))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            never_null(left, schema, input) && never_null(right, schema, input)
        }
        _ => false,
    }
}

/// Whether it counts what is never null.
fn counts_everything(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => counts_everything(&projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let (schema, input) = (aggregate.input.schema(), of(&aggregate.input));
            aggregate.aggr_expr.iter().all(|expr| match expr {
                Expr::AggregateFunction(call) => {
                    call.func.name() == "count"
                        && call.params.args.iter().all(|arg| !shape(arg, schema, &input).nullable)
                }
                _ => false,
            })
        }
        _ => false,
    }
}

fn implied(expr: &Expr, schema: &DFSchema) -> Shape {
    expr.to_field(schema).map_or_else(|_| Shape::new(Known::Implied, true), |(_, field)| Shape::of(&field))
}

fn literal(value: &ScalarValue) -> Shape {
    let length = |n: usize| u32::try_from(n).unwrap_or(UNLIMITED);
    let ty = match value {
        ScalarValue::Null => Known::Null,
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Known::Is(ColumnType::String { length: length(text.encode_utf16().count()) })
        }
        ScalarValue::Binary(Some(bytes)) => Known::Is(ColumnType::Bytes { length: length(bytes.len()) }),
        other => types::from_arrow(&other.data_type()).map_or(Known::Implied, Known::Is),
    };
    Shape::new(ty, value.is_null())
}

/// Texts one behind the other.
fn joined(parts: &[Shape]) -> Known {
    let sum = |lengths: Vec<u32>| match lengths.contains(&UNLIMITED) {
        true => UNLIMITED,
        false => lengths.into_iter().fold(0, u32::saturating_add),
    };
    let bytes = |part: &Shape| match part.ty {
        Known::Is(ColumnType::Bytes { length }) => Some(length),
        _ => None,
    };
    if let Some(lengths) = parts.iter().map(bytes).collect() {
        return Known::Is(ColumnType::Bytes { length: sum(lengths) });
    }
    let lengths: Option<Vec<u32>> = parts.iter().map(|part| part.string_length()).collect();
    lengths.map_or(Known::Implied, |lengths| Known::Is(ColumnType::String { length: sum(lengths) }))
}

fn called(expr: &Expr, call: &ScalarFunction, schema: &DFSchema, input: &[Shape]) -> Shape {
    let args: Vec<Shape> = call.args.iter().map(|arg| shape(arg, schema, input)).collect();
    let name = call.func.name();
    let nullable = NULLING.contains(&name) || args.iter().any(|arg| arg.nullable);
    let first = args.first().copied();
    let nullable = nullable && !NEVER_NULL.contains(&name);
    let ty = match name {
        name if AS_FIRST.contains(&name) => first.map_or(Known::Implied, |first| first.ty),
        // One that is not null is enough.
        "coalesce" | "nvl" => {
            let all = args.iter().copied().reduce(either).map_or(Known::Implied, |all| all.ty);
            return Shape::new(all, args.iter().all(|arg| arg.nullable));
        }
        "greatest" | "least" => args.iter().copied().reduce(either).map_or(Known::Implied, |all| all.ty),
        "concat" => joined(&args),
        "overlay" => joined(args.get(..2).unwrap_or_default()),
        "chr" => Known::Is(ColumnType::String { length: 1 }),
        convert::NAME => match call.args.get(1) {
            Some(Expr::Literal(ScalarValue::Utf8(Some(json)), _)) => {
                serde_json::from_str(json).map_or(Known::Implied, Known::Is)
            }
            _ => Known::Implied,
        },
        name if TIMES.contains(&name) => return Shape::new(time(name, &call.args), false),
        "random" | "pi" | "rand_uuid" => return Shape { nullable: false, ..implied(expr, schema) },
        _ => implied(expr, schema).ty,
    };
    Shape::new(ty, nullable)
}

/// A moment with the digits that are asked for.
fn time(name: &str, args: &[Expr]) -> Known {
    let precision = match args.first() {
        Some(Expr::Literal(value, _)) => u8::try_from(value.clone())
            .ok()
            .or_else(|| i64::try_from(value.clone()).ok().and_then(|digits| u8::try_from(digits).ok())),
        Some(Expr::Cast(cast)) => match &*cast.expr {
            Expr::Literal(ScalarValue::Utf8(Some(digits)), _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    };
    let precision = precision.unwrap_or(0).min(9);
    Known::Is(match name {
        "current_timestamp" => ColumnType::Timestamp { precision },
        "localtimestamp" => ColumnType::Datetime { precision },
        _ => ColumnType::Time { precision },
    })
}

/// An aggregate; of groups, which have a row each, null only where its argument may be.
fn aggregated(expr: &Expr, schema: &DFSchema, input: &[Shape], grouped: bool) -> Shape {
    let call = match expr {
        Expr::Alias(alias) => return aggregated(&alias.expr, schema, input, grouped),
        Expr::AggregateFunction(call) => call,
        _ => return implied(expr, schema),
    };
    let AggregateFunction { func, params } = call;
    let first = params.args.first().map(|arg| shape(arg, schema, input));
    let told = implied(expr, schema);
    let ty = match (func.name(), first.map(|first| first.ty)) {
        ("count" | "grouping", _) => return Shape { nullable: false, ..told },
        ("min" | "max" | "any_value" | "first_value" | SINGLE, Some(ty)) => ty,
        ("sum", Some(Known::Is(ColumnType::Int64))) => {
            Known::Is(ColumnType::Decimal { precision: SUM_DIGITS, scale: 0 })
        }
        ("sum", Some(Known::Is(ColumnType::Decimal { scale, .. }))) => {
            Known::Is(ColumnType::Decimal { precision: SUM_DIGITS, scale })
        }
        _ => told.ty,
    };
    let open = !grouped || params.filter.is_some() || func.name() == SINGLE;
    Shape::new(ty, open || first.is_none_or(|first| first.nullable))
}
