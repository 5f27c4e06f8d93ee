//! Which column of which table a column of a result shows.

use super::plan::find;
use super::views::View;
use crate::sql::Origin;
use crate::sql::metadata::SYSTEM;
use crate::store::catalog::Catalog;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use std::sync::Arc;

/// The origins of a plan's columns, as it was written: an optimiser moves columns about.
pub(super) fn of(plan: &LogicalPlan, catalog: &Catalog, schema: &str) -> Vec<Option<Origin>> {
    let columns = plan.schema().columns();
    columns.iter().map(|column| trace(plan, column, catalog, schema)).collect()
}

/// Follows a column down to the scan it comes from; `None` where it is calculated, or may come from several.
fn trace(plan: &LogicalPlan, column: &Column, catalog: &Catalog, schema: &str) -> Option<Origin> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let place = plan.schema().maybe_index_of_column(column)?;
            let Expr::Column(inner) = unaliased(projection.expr.get(place)?) else { return None };
            trace(&projection.input, inner, catalog, schema)
        }
        // A subquery's columns are its own.
        LogicalPlan::SubqueryAlias(alias) if matches!(*alias.input, LogicalPlan::TableScan(_)) => {
            let place = plan.schema().maybe_index_of_column(column)?;
            trace(&alias.input, alias.input.schema().columns().get(place)?, catalog, schema)
        }
        LogicalPlan::TableScan(scan) => {
            if scan.table_name.schema().unwrap_or(schema) == SYSTEM {
                let (view, column) = View::column(scan.table_name.table(), &column.name)?;
                return Some(Origin { schema: SYSTEM.into(), table: view.into(), column: column.into() });
            }
            let table = find(catalog, schema, &scan.table_name)?;
            let found = table.newest().position(&column.name)?;
            let found = table.newest().columns.get(found)?;
            Some(Origin {
                schema: Arc::clone(&table.schema_name),
                table: Arc::clone(&table.name),
                column: Arc::clone(&found.name),
            })
        }
        LogicalPlan::Aggregate(aggregate) => {
            let place = plan.schema().maybe_index_of_column(column)?;
            let key = match aggregate.group_expr.as_slice() {
                [Expr::GroupingSet(sets)] => *sets.distinct_expr().get(place)?,
                keys => keys.get(place)?,
            };
            let Expr::Column(inner) = unaliased(key) else { return None };
            trace(&aggregate.input, inner, catalog, schema)
        }
        // EXCEPT and INTERSECT.
        LogicalPlan::Join(join) if matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) => None,
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Join(_) => {
            let has = |input: &&&LogicalPlan| input.schema().maybe_index_of_column(column).is_some();
            trace(plan.inputs().iter().find(has)?, column, catalog, schema)
        }
        _ => None,
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
