//! Types that have to go together, where DataFusion would convert one into another: nothing becomes text by itself, or is
//! read from it.

use super::planner::{Family, family, sql_name};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::{Case, InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

/// Functions whose arguments are of one kind.
pub(super) const ALIKE: &[&str] = &["coalesce", "nvl", "greatest", "least"];

/// Checks the expressions of a plan as it was written.
///
/// # Errors
/// A planning error.
pub(super) fn plan(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let schema = match node.inputs().as_slice() {
            [input] => input.schema().as_ref().clone(),
            _ => node.schema().as_ref().clone(),
        };
        if let LogicalPlan::Values(values) = node {
            let empty = DFSchema::empty();
            for column in 0..values.schema.fields().len() {
                alike(
                    values.values.iter().filter_map(|row| row.get(column)),
                    &empty,
                    "Values passed to VALUES operator",
                )?;
            }
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                expression(expr, &schema)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn expression(expr: &Expr, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::InList(InList { expr, list, .. }) => {
            alike(std::iter::once(&**expr).chain(list), schema, "Values passed to IN operator")
        }
        Expr::InSubquery(InSubquery { expr, subquery, .. }) => {
            let Ok(ty) = expr.get_type(schema) else { return Ok(()) };
            let of_query = subquery.subquery.schema().fields().first().map(|field| family(field.data_type()));
            match of_query {
                Some(other) if !go_together(family(&ty), other) => {
                    plan_err!("Values passed to IN operator must have compatible types")
                }
                _ => Ok(()),
            }
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            let whens = when_then_expr.iter().map(|(when, _)| &**when);
            match expr {
                Some(of) => alike(std::iter::once(&**of).chain(whens), schema, "Values of CASE")?,
                None => {
                    for when in whens {
                        if let Ok(ty) = when.get_type(schema)
                            && !go_together(family(&ty), Family::Boolean)
                        {
                            return plan_err!("Expected a boolean type, not {}", sql_name(&ty));
                        }
                    }
                }
            }
            let thens = when_then_expr.iter().map(|(_, then)| &**then).chain(else_expr.as_deref());
            alike(thens, schema, "Illegal mixing of types in CASE or COALESCE statement: they")
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if ALIKE.contains(&func.name()) => {
            alike(args.iter(), schema, "Illegal mixing of types in CASE or COALESCE statement: they")
        }
        _ => Ok(()),
    }
}

fn alike<'e>(exprs: impl Iterator<Item = &'e Expr>, schema: &DFSchema, what: &str) -> Result<()> {
    // What has no type yet, as a parameter that is only described, goes with anything.
    let families = exprs.filter_map(|expr| expr.get_type(schema).ok()).map(|ty| family(&ty));
    let mut first = Family::Any;
    for other in families {
        if !go_together(first, other) {
            return plan_err!("{what} must have compatible types");
        }
        if first == Family::Any {
            first = other;
        }
    }
    Ok(())
}

fn go_together(a: Family, b: Family) -> bool {
    a == b || a == Family::Any || b == Family::Any
}
