//! What operators mean where Ignite and DataFusion differ.

use super::arithmetic::{Arithmetic, Op};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// Plans arithmetic and comparisons.
#[derive(Debug)]
pub struct Ignite {
    operators: [Arc<ScalarUDF>; 5],
}

impl Default for Ignite {
    fn default() -> Self {
        let operator = |op| Arc::new(ScalarUDF::from(Arithmetic::new(op)));
        Self { operators: [Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Modulo].map(operator) }
    }
}

impl Ignite {
    /// The function of `%`, which is also called MOD.
    pub fn modulo(&self) -> &Arc<ScalarUDF> {
        let [.., modulo] = &self.operators;
        modulo
    }
}

/// What may be compared with what, without a cast: nothing converts to text or from it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Any,
    Boolean,
    Number,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    Interval,
}

fn family(ty: &DataType) -> Family {
    match ty {
        DataType::Boolean => Family::Boolean,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Family::Bytes,
        DataType::FixedSizeBinary(_) => Family::Uuid,
        DataType::Date32 | DataType::Date64 => Family::Date,
        DataType::Time32(_) | DataType::Time64(_) => Family::Time,
        DataType::Timestamp(..) => Family::Timestamp,
        DataType::Interval(_) | DataType::Duration(_) => Family::Interval,
        ty if ty.is_numeric() => Family::Number,
        _ => Family::Any,
    }
}

/// A type as Ignite's messages name it.
fn sql_name(ty: &DataType) -> String {
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
            let interval = families.0 == Family::Interval || families.1 == Family::Interval;
            if interval
                || families.0 == families.1 && matches!(families.0, Family::Timestamp | Family::Date | Family::Time)
            {
                return Ok(PlannerResult::Original(expr));
            }
        } else if families.0 == families.1 || families.0 == Family::Any || families.1 == Family::Any {
            return Ok(PlannerResult::Original(expr));
        }
        plan_err!("Cannot apply '{}' to arguments of type '<{}> {0} <{}>'", expr.op, sql_name(&left), sql_name(&right))
    }
}
