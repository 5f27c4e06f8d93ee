//! The ways to read a table: by its key, or by one of its indexes.

use super::super::range::KeyRange;
use super::Sorting;
use super::order::Sorted;
use crate::store::catalog::Table;
use datafusion::arrow::datatypes::Schema as ArrowSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use std::sync::Arc;

/// An order of a table's rows, and the part of it that is read.
#[derive(Debug, Clone)]
pub struct Way {
    /// The index; none is the key.
    pub sorting: Option<Arc<Sorting>>,
    /// What the filters leave.
    pub range: KeyRange,
    key: Arc<[Sorted]>,
}

impl Way {
    /// Those ways that the filters narrow most; by the key is first, if it is one of them.
    pub fn narrowest(table: &Table, sortings: impl Iterator<Item = Arc<Sorting>>, filters: &[Expr]) -> Vec<Self> {
        let key: Arc<[Sorted]> = Sorted::key_of(table).into();
        let way = |sorting: Option<Arc<Sorting>>| {
            let columns = sorting.as_ref().map_or(&*key, |sorting| &sorting.columns);
            Self { range: KeyRange::of(columns, filters), sorting, key: Arc::clone(&key) }
        };
        let mut ways: Vec<Self> = std::iter::once(None).chain(sortings.map(Some)).map(way).collect();
        let best = ways.iter().map(|way| way.range.rank()).max();
        ways.retain(|way| Some(way.range.rank()) == best);
        ways
    }

    /// The order of the rows, as far as a projection keeps it.
    pub fn ordering(&self, schema: &ArrowSchema, projection: &[usize], backward: bool) -> Option<LexOrdering> {
        let mut order = Vec::new();
        for sorted in self.sorting.as_ref().map_or(&*self.key, |sorting| &sorting.columns) {
            let place = projection.iter().position(|column| *column == sorted.at);
            let Some(place) = place.filter(|_| sorted.sorts_as_arrow()) else { break };
            let options = if backward { !sorted.options() } else { sorted.options() };
            order.push(PhysicalSortExpr::new(Arc::new(Column::new(schema.field(place).name(), place)), options));
            // What is equal here is not in the order of the next column.
            if sorted.is_finer_than_arrow() {
                break;
            }
        }
        LexOrdering::new(order)
    }
}
