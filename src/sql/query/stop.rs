//! Ending a statement that nobody waits for, or that has had its time.
//!
//! A task ends when it pauses, and DataFusion's operators pause when their input does. A join of tables that are in memory
//! never waits for its input: it may turn for hours inside one call. So every join gets a `Pause` above it, which lets
//! the task pause after each batch, and the filter of a nested loop, which may let nothing through, asks before each
//! batch it looks at whether it is still wanted.

use crate::error::{Error, Kind};
use crate::sql::query::scan::external;
use crate::store::clock::{Clock, SystemClock};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use parking_lot::Mutex;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Whether a statement is still wanted. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    unwanted: AtomicBool,
    killed: AtomicBool,
    /// When its time is over. Held for one look.
    deadline: Mutex<Option<Instant>>,
}

impl Stop {
    /// Nobody waits for the statement any more.
    pub fn unwanted(&self) {
        self.0.unwanted.store(true, Ordering::Relaxed);
    }

    /// Somebody else has ended the statement.
    pub fn kill(&self) {
        self.0.killed.store(true, Ordering::Relaxed);
        self.unwanted();
    }

    /// Whether [`Self::kill`] was called.
    pub fn killed(&self) -> bool {
        self.0.killed.load(Ordering::Relaxed)
    }

    /// The statement's time is over then, if ever.
    pub fn set_deadline(&self, at: Option<Instant>) {
        *self.0.deadline.lock() = at;
    }

    fn check(&self) -> Result<()> {
        if self.0.unwanted.load(Ordering::Relaxed) || self.0.deadline.lock().is_some_and(|at| at <= SystemClock.now()) {
            return Err(external(Error::new(Kind::Cancelled, "Query timeout")));
        }
        Ok(())
    }
}

/// A plan whose joins can be stopped.
pub fn stoppable(plan: Arc<dyn ExecutionPlan>, stop: &Stop) -> Result<Arc<dyn ExecutionPlan>> {
    let guarded = plan.transform_up(|node| {
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let asking = |filter: &JoinFilter| {
                let expression = Arc::new(Asking { inner: Arc::clone(filter.expression()), stop: stop.clone() });
                JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
            };
            let projection = join.projection().as_ref().map(|columns| columns.to_vec());
            let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
            let join =
                NestedLoopJoinExec::try_new(left, right, join.filter().map(asking), join.join_type(), projection)?;
            return Ok(Transformed::yes(Pause::over(Arc::new(join), stop)));
        }
        if node.is::<CrossJoinExec>() || node.is::<HashJoinExec>() || node.is::<SortMergeJoinExec>() {
            return Ok(Transformed::yes(Pause::over(node, stop)));
        }
        Ok(Transformed::no(node))
    })?;
    Ok(guarded.data)
}

/// Hands batches on, and pauses after each.
#[derive(Debug)]
struct Pause {
    input: Arc<dyn ExecutionPlan>,
    stop: Stop,
}

impl Pause {
    fn over(input: Arc<dyn ExecutionPlan>, stop: &Stop) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, stop: stop.clone() })
    }
}

impl DisplayAs for Pause {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

impl ExecutionPlan for Pause {
    fn name(&self) -> &'static str {
        "Pause"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(children.into_iter().next().map_or_else(|| Arc::clone(&self.input), |input| Self::over(input, &self.stop)))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (schema, stop) = (input.schema(), self.stop.clone());
        let pausing = input.then(move |batch| {
            let checked = stop.check();
            async move {
                tokio::task::yield_now().await;
                checked.and(batch)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, pausing)))
    }
}

/// An expression that fails once its statement is not wanted any more.
#[derive(Debug)]
struct Asking {
    inner: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Asking {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.stop.check()?;
        self.inner.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, stop: self.stop.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
