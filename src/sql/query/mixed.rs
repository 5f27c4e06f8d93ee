//! Values of several types in the place of one: with a REAL or a DOUBLE among them a DECIMAL is a DOUBLE, as on a real
//! node. DataFusion would make a DECIMAL of all.

use super::check::ALIKE;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Case, Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

/// The plan with such decimals converted.
///
/// # Errors
/// A planning error.
pub(super) fn as_doubles(plan: LogicalPlan) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(|expr| expression(expr, &schema))?.update_data(|expr| name.restore(expr)))
        })?;
        if node.transformed { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
    });
    Ok(done?.data)
}

fn expression(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let values: Vec<&mut Expr> = match &mut expr {
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            let thens = when_then_expr.iter_mut().map(|(_, then)| &mut **then);
            thens.chain(else_expr.as_deref_mut()).collect()
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if ALIKE.contains(&func.name()) => {
            args.iter_mut().collect()
        }
        _ => return Ok(Transformed::no(expr)),
    };
    // What has no type yet, as a parameter that is only described, takes that of the others.
    let is = |value: &Expr, of: fn(&DataType) -> bool| value.get_type(schema).is_ok_and(|ty| of(&ty));
    if !values.iter().any(|value| is(value, DataType::is_floating)) {
        return Ok(Transformed::no(expr));
    }
    let mut changed = false;
    for value in values.into_iter().filter(|value| is(value, DataType::is_decimal)) {
        let decimal = std::mem::take(value);
        *value = Expr::Cast(Cast::new(Box::new(decimal), DataType::Float64));
        changed = true;
    }
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}
