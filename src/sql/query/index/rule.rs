//! Reads a table in the order that is asked for, where a way to read it has that order.
//!
//! This is the first of the rules: it puts another way to read below a sort, and those behind it take away a sort whose
//! input is in order.

use super::super::scan::Scan;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ExecutionPlan, replace_children_if_necessary};
use datafusion::physical_plan::sorts::sort::SortExec;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub struct ReadInOrder;

impl PhysicalOptimizerRule for ReadInOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let ordered = plan.transform_up(|node| {
            let input = match node.downcast_ref::<SortExec>() {
                Some(sort) => in_order(sort.input(), sort.expr())?,
                None => None,
            };
            Ok(match input {
                Some(input) => Transformed::yes(replace_children_if_necessary(node, vec![input])?),
                None => Transformed::no(node),
            })
        });
        Ok(ordered?.data)
    }

    fn name(&self) -> &'static str {
        "ReadInOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The plan with its scan read another way, if its rows are in this order then and not before.
fn in_order(plan: &Arc<dyn ExecutionPlan>, order: &LexOrdering) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let is_ordered = |plan: &Arc<dyn ExecutionPlan>| plan.properties().eq_properties.ordering_satisfy(order.clone());
    if is_ordered(plan)? {
        return Ok(None);
    }
    let Some(scan) = scan_below(plan) else { return Ok(None) };
    for way in scan.other_ways()? {
        let other = over(plan, way)?;
        if is_ordered(&other)? {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// The scan whose order a plan hands on. What stops after some rows hides it: another order would be other rows.
fn scan_below(mut plan: &Arc<dyn ExecutionPlan>) -> Option<&Scan> {
    while plan.fetch().is_none() {
        if let Some(scan) = plan.downcast_ref::<Scan>() {
            return Some(scan);
        }
        match (&*plan.children(), &*plan.maintains_input_order()) {
            ([input], [true]) => plan = input,
            _ => break,
        }
    }
    None
}

/// The plan with another scan.
fn over(plan: &Arc<dyn ExecutionPlan>, scan: Scan) -> Result<Arc<dyn ExecutionPlan>> {
    match plan.children().first() {
        None => Ok(Arc::new(scan)),
        Some(input) => replace_children_if_necessary(Arc::clone(plan), vec![over(input, scan)?]),
    }
}
