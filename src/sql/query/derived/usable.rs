//! Which indexes a statement can use, and the making of those that its plan does use; and of the segments that it reads.

use crate::sql::query::index::cache::Indexes;
use crate::sql::query::scan::Scan;
use crate::sql::query::segment::cache::Segments;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;

/// What a statement can use, as an extension of its session.
#[derive(Debug)]
pub struct Usable {
    indexes: Arc<Indexes>,
    segments: Arc<Segments>,
    /// Indexes that could not be made. Held for one look.
    refused: Mutex<HashSet<u32>>,
}

impl Usable {
    /// All, as far as is known.
    pub fn new(indexes: &Arc<Indexes>, segments: &Arc<Segments>) -> Arc<Self> {
        Arc::new(Self { indexes: Arc::clone(indexes), segments: Arc::clone(segments), refused: Mutex::default() })
    }

    /// Whether a plan may use this index of a table with so many rows.
    pub fn allows(&self, table: u32, index: u32, rows: usize) -> bool {
        !self.refused.lock().contains(&index) && self.indexes.may_fit((table, index), rows)
    }

    /// Makes the indexes and segments of a plan. False: there was no room for an index, and a plan without it is needed.
    ///
    /// # Errors
    /// None of its own.
    pub async fn make(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
        for scan in scans(plan)? {
            let Some(scan) = scan.downcast_ref::<Scan>() else { continue };
            if let Some((want, made)) = scan.index() {
                let Some(rows) = self.indexes.get(&want).await else {
                    self.refused.lock().insert(want.sorting.index.id);
                    return Ok(false);
                };
                // A plan may have one scan in two places.
                let _ = made.set(rows);
            }
            if let Some((want, made)) = scan.segments()
                && let Some(segments) = self.segments.get(&want).await
            {
                let _ = made.set(segments);
            }
        }
        Ok(true)
    }
}

/// The scans of a plan.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let mut scans = Vec::new();
    plan.apply(|node| {
        if node.is::<Scan>() {
            scans.push(Arc::clone(node));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans)
}
