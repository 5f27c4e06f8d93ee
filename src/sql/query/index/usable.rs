//! Which indexes a statement can use, and the making of those that its plan does use.

use super::super::scan::Scan;
use super::cache::{Indexes, Want};
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;

/// The indexes that a statement can use, as an extension of its session.
#[derive(Debug)]
pub struct Usable {
    indexes: Arc<Indexes>,
    /// Those that could not be made. Held for one look.
    refused: Mutex<HashSet<u32>>,
}

impl Usable {
    /// All, as far as is known.
    pub fn new(indexes: &Arc<Indexes>) -> Arc<Self> {
        Arc::new(Self { indexes: Arc::clone(indexes), refused: Mutex::default() })
    }

    /// Whether a plan may use this index of a table with so many rows.
    pub fn allows(&self, table: u32, index: u32, rows: usize) -> bool {
        !self.refused.lock().contains(&index) && self.indexes.may_fit(table, index, rows)
    }

    /// Makes the indexes of a plan. False: there was no room for one, and a plan without it is needed.
    ///
    /// # Errors
    /// None of its own.
    pub async fn make(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
        for (want, made) in wants(plan)? {
            let Some(rows) = self.indexes.get(&want).await else {
                self.refused.lock().insert(want.sorting.index.id);
                return Ok(false);
            };
            // A plan may have one scan in two places.
            let _ = made.set(rows);
        }
        Ok(true)
    }
}

type Wanted = (Want, Arc<std::sync::OnceLock<Arc<super::cache::Ordered>>>);

fn wants(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Wanted>> {
    let mut wants = Vec::new();
    plan.apply(|node| {
        wants.extend(node.downcast_ref::<Scan>().and_then(Scan::want));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(wants)
}
