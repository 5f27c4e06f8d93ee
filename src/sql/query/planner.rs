//! What operators mean where Ignite and DataFusion differ.

use super::arithmetic::{Arithmetic, Op};
use super::{convert, intervals, types};
use crate::store::catalog::Table;
use crate::value::ColumnType;
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, TableReference, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, cast, lit};
use sqlparser::ast::BinaryOperator;
use std::collections::HashMap;
use std::sync::Arc;

/// Plans arithmetic and comparisons.
#[derive(Debug)]
pub struct Ignite {
    operators: [Arc<ScalarUDF>; 5],
    /// Of `+` and `-` with an interval.
    moves: [Arc<ScalarUDF>; 2],
    cast: Arc<ScalarUDF>,
}

impl Default for Ignite {
    fn default() -> Self {
        let operator = |op| Arc::new(ScalarUDF::from(Arithmetic::new(op)));
        let named = |name: &str, all: Vec<Arc<ScalarUDF>>| {
            let found = all.into_iter().find(|function| function.name() == name);
            found.unwrap_or_else(|| operator(Op::Add))
        };
        Self {
            operators: [Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Modulo].map(operator),
            moves: [intervals::PLUS, intervals::MINUS].map(|name| named(name, intervals::all())),
            cast: named(convert::NAME, convert::all()),
        }
    }
}

impl Ignite {
    /// The function of `%`, which is also called MOD.
    pub fn modulo(&self) -> &Arc<ScalarUDF> {
        let [.., modulo] = &self.operators;
        modulo
    }

    /// A moment without a zone as one in the statement's.
    fn zoned(&self, expr: Expr) -> Result<Expr> {
        let ty = ColumnType::Timestamp { precision: MOMENT_PRECISION };
        let json = serde_json::to_string(&ty).map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.cast), vec![expr, lit(json)])))
    }
}

/// Digits of the second that are compared.
const MOMENT_PRECISION: u8 = 9;

/// What may be compared with what, without a cast: nothing converts to text or from it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    Boolean,
    Number,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    Months,
    Interval,
}

pub(super) fn family(ty: &DataType) -> Family {
    match ty {
        DataType::Boolean => Family::Boolean,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Family::Bytes,
        DataType::FixedSizeBinary(_) => Family::Uuid,
        DataType::Date32 | DataType::Date64 => Family::Date,
        DataType::Time32(_) | DataType::Time64(_) => Family::Time,
        DataType::Timestamp(..) => Family::Timestamp,
        DataType::Interval(IntervalUnit::YearMonth) => Family::Months,
        DataType::Interval(_) | DataType::Duration(_) => Family::Interval,
        ty if ty.is_numeric() => Family::Number,
        _ => Family::Any,
    }
}

/// A type as Ignite's messages name it.
pub(super) fn sql_name(ty: &DataType) -> String {
    match ty {
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INTEGER".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("DECIMAL({p}, {s})"),
        DataType::Utf8 => "VARCHAR".into(),
        DataType::Binary => "VARBINARY".into(),
        DataType::FixedSizeBinary(_) => "UUID".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP".into(),
        DataType::Timestamp(..) => "TIMESTAMP_WITH_LOCAL_TIME_ZONE".into(),
        DataType::Boolean => "BOOLEAN".into(),
        other => other.to_string().to_uppercase(),
    }
}

/// `||` of two texts, or two strings of bytes; a bare NULL is a text.
fn concatenated(expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
        return Ok(PlannerResult::Original(expr));
    };
    match (family(&left), family(&right)) {
        (Family::Text | Family::Any, Family::Text | Family::Any) => {
            let text = |of: Expr, ty: &DataType| if ty.is_null() { cast(of, DataType::Utf8) } else { of };
            let (l, r) = (text(expr.left, &left), text(expr.right, &right));
            Ok(PlannerResult::Original(RawBinaryExpr { op: expr.op, left: l, right: r }))
        }
        (Family::Bytes, Family::Bytes | Family::Any) | (Family::Any, Family::Bytes) => {
            Ok(PlannerResult::Original(expr))
        }
        _ => plan_err!("Cannot apply '||' to arguments of type '<{}> || <{}>'", sql_name(&left), sql_name(&right)),
    }
}

impl Ignite {
    /// A comparison within a family: of a floating-point number as DOUBLE, of a point in time as one of the statement's zone.
    fn compared(&self, expr: RawBinaryExpr, left: &DataType, right: &DataType) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_decimal = |ty: &DataType| matches!(ty, DataType::Decimal128(..) | DataType::Decimal256(..));
        let RawBinaryExpr { op, left: l, right: r } = expr;
        let double = |expr| cast(expr, DataType::Float64);
        let (l, r) = match (left, right) {
            (DataType::Float32, ty) if is_decimal(ty) => (double(l), double(r)),
            (ty, DataType::Float32) if is_decimal(ty) => (double(l), double(r)),
            (DataType::Timestamp(_, None), DataType::Timestamp(_, Some(_))) => (self.zoned(l)?, r),
            (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, None)) => (l, self.zoned(r)?),
            _ => (l, r),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left: l, right: r }))
    }
}

impl ExprPlanner for Ignite {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as B;
        let [add, subtract, multiply, divide, modulo] = &self.operators;
        let arithmetic = match expr.op {
            B::Plus => Some(add),
            B::Minus => Some(subtract),
            B::Multiply => Some(multiply),
            B::Divide => Some(divide),
            B::Modulo => Some(modulo),
            B::StringConcat => return concatenated(expr, schema),
            B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq => None,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // A parameter's type is known; what is not, as a column of an outer query, is left to DataFusion.
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let families = (family(&left), family(&right));
        if let Some(function) = arithmetic {
            let number = |family| matches!(family, Family::Number | Family::Any);
            if number(families.0) && number(families.1) {
                let args = vec![expr.left, expr.right];
                return Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(
                    Arc::clone(function),
                    args,
                ))));
            }
            let interval = |family| matches!(family, Family::Interval | Family::Months);
            let function = match expr.op {
                B::Plus => Some(&self.moves[0]),
                B::Minus => Some(&self.moves[1]),
                _ => None,
            };
            if let Some(function) = function
                && (interval(families.0) || interval(families.1))
            {
                let args = vec![expr.left, expr.right];
                return Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(
                    Arc::clone(function),
                    args,
                ))));
            }
        } else if families.0 == families.1 || families.0 == Family::Any || families.1 == Family::Any {
            return self.compared(expr, &left, &right);
        }
        plan_err!("Cannot apply '{}' to arguments of type '<{}> {0} <{}>'", expr.op, sql_name(&left), sql_name(&right))
    }
}

/// Finds a column of an outer query where an inner one has a column with the name of its table.
#[derive(Debug)]
pub struct Outer {
    /// The statement's tables, by the names it gives them.
    pub tables: HashMap<String, Arc<Table>>,
}

impl ExprPlanner for Outer {
    fn plan_compound_identifier(
        &self,
        field: &Field,
        _: Option<&TableReference>,
        nested: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        // No column has parts: what looks like one is a table that is not of the inner query.
        if let Some(table) = self.tables.get(field.name())
            && let [name] = nested
            && let Some(column) = table.newest().columns.iter().find(|column| *column.name == **name)
        {
            let outer = types::field(name, column.ty, column.nullable);
            let column = Column::new(Some(TableReference::bare(field.name().as_str())), name);
            return Ok(PlannerResult::Planned(Expr::OuterReferenceColumn(Arc::new(outer), column)));
        }
        plan_err!("Table '{}' not found", field.name())
    }
}
