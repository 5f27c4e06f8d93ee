//! A table of the database value as DataFusion sees it.
//!
//! The provider knows the table, not its rows: a plan is cached beyond the value it was made for. The rows come with the
//! session, as a [`Snapshot`], when the physical plan is made. A scan goes over a map in its order, that of the key or of an
//! index, forward or backward, so it says that its rows are sorted, and a filter on what they are sorted by becomes a
//! range of the map. All of a large table is read in parts by as many threads as there are cores, where what is above
//! gains from it.

use super::derived::Usable;
use super::index::Sorting;
use super::index::cache::{Ordered, Want};
use super::index::order::Sorted;
use super::index::way::Way;
use super::range::{KeyRange, Span};
use super::reader::{Columns, Reader};
use super::segment::reader::SegmentReader;
use super::segment::{self, Segmented};
use super::types;
use crate::config::SQL_BATCH_BYTES_MAX;
use crate::error::Error;
use crate::sql::Job;
use crate::sql::activity::Activity;
use crate::store::catalog::{Catalog, Table};
use crate::store::database::{Database, Read, Rows};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream;
use parking_lot::Mutex;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Rows of one batch, unless many queries run.
pub const BATCH_ROWS: usize = 4096;
/// Rows from which on a scan is worth more than one thread.
const PARTS_ROWS_MIN: usize = 50_000;

/// The value that a statement reads, as an extension of its session.
#[derive(Debug)]
pub struct Snapshot {
    /// The value, with the writes of the statement's transaction.
    pub database: Database,
    /// The committed value alone.
    pub committed: Database,
    /// What goes on in the server, if the statement may ask for that.
    pub activity: Option<Arc<Activity>>,
    /// What its scans read. Held for one push.
    reads: Mutex<Vec<Read>>,
}

impl Snapshot {
    /// A snapshot of which nothing is read yet.
    pub fn new(job: &Job) -> Arc<Self> {
        Arc::new(Self {
            database: job.snapshot.clone(),
            committed: job.committed.clone(),
            activity: job.activity.clone(),
            reads: Mutex::default(),
        })
    }

    /// The snapshot of a session.
    pub fn of(session: &dyn Session) -> Result<Arc<Self>> {
        let snapshot = session.config().get_extension::<Self>();
        snapshot.ok_or_else(|| DataFusionError::Internal("a scan without a snapshot".into()))
    }

    /// What the scans that were planned read.
    pub fn reads(&self) -> Vec<Read> {
        self.reads.lock().clone()
    }
}

/// A table, without its rows.
#[derive(Debug)]
pub struct Provider {
    table: Arc<Table>,
    sortings: Vec<Arc<Sorting>>,
    schema: SchemaRef,
}

impl Provider {
    /// The table as its newest schema version has it, with its indexes.
    pub fn new(table: Arc<Table>, catalog: &Catalog) -> Self {
        let columns = &table.newest().columns;
        let fields: Vec<_> = columns.iter().map(|c| types::field(&c.name, c.ty, c.nullable)).collect();
        let sorting = |index| Sorting::of(&table, index).map(Arc::new);
        let sortings = catalog.objects().indexes_of(table.id).filter_map(sorting).collect();
        Self { table, sortings, schema: Arc::new(ArrowSchema::new(fields)) }
    }

    /// Whether rows can be read in an order of this column.
    fn sorts(&self, name: &str) -> bool {
        let sortings = self.sortings.iter().flat_map(|sorting| &sorting.columns);
        Sorted::key_of(&self.table).iter().chain(sortings).any(|sorted| *sorted.column.name == *name)
    }
}

#[async_trait::async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A range narrows the scan; what it does not say exactly is filtered again above.
        let usable = |filter: &&Expr| match KeyRange::concerns(filter, |name| self.sorts(name)) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(usable).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let snapshot = Snapshot::of(session)?;
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let rows = snapshot.database.rows(self.table.id);
        let committed = snapshot.committed.rows(self.table.id);
        let newest = rows.same(&committed);
        // A limit counts what is left after the filters, which a range may not say exactly.
        let limit = limit.filter(|_| filters.is_empty());
        // Rows of other keys have no part in the result, in whichever order they are read.
        let spans = KeyRange::of(&Sorted::key_of(&self.table), filters).spans().iter().map(Span::bounds).collect();
        snapshot.reads.lock().push(Read { table: self.table.id, rows: committed, spans });
        let usable = session.config().get_extension::<Usable>();
        let allowed = |sorting: &&Arc<Sorting>| {
            usable.as_ref().is_some_and(|usable| usable.allows(self.table.id, sorting.index.id, rows.len()))
        };
        let ways = Way::narrowest(&self.table, self.sortings.iter().filter(allowed).cloned(), filters);
        let (table, schema) = (Arc::clone(&self.table), Arc::clone(&self.schema));
        let source = Source { table, schema, rows, newest, projection, ways };
        Ok(Arc::new(Scan::new(Arc::new(source), 0, false, limit)?))
    }
}

/// What a scan may read, and how.
#[derive(Debug)]
struct Source {
    table: Arc<Table>,
    schema: SchemaRef,
    rows: Rows,
    /// Whether these are the rows that everybody sees.
    newest: bool,
    projection: Vec<usize>,
    /// One at least.
    ways: Vec<Way>,
}

/// Where something goes that is made once the plan is.
type Made<T> = Arc<OnceLock<Arc<T>>>;

/// A scan of a table's rows in an order of them.
#[derive(Debug)]
pub struct Scan {
    source: Arc<Source>,
    /// Which of the ways, and its direction.
    way: usize,
    backward: bool,
    sorting: Option<Arc<Sorting>>,
    range: KeyRange,
    /// The rows in the order of the index, once it is made.
    ordered: Made<Ordered>,
    /// The rows in segments, if they are read like that.
    segmented: Made<Segmented>,
    limit: Option<usize>,
    /// The parts of the key order that are read at the same time; none is one, the range.
    parts: Vec<Span>,
    properties: Arc<PlanProperties>,
}

impl Scan {
    fn new(source: Arc<Source>, way: usize, backward: bool, limit: Option<usize>) -> Result<Self> {
        let schema = Arc::new(source.schema.project(&source.projection)?);
        let mut equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        let taken = source.ways.get(way).ok_or_else(|| DataFusionError::Internal("no way to read a table".into()))?;
        if let Some(order) = taken.ordering(&schema, &source.projection, backward) {
            equivalences.add_ordering(order);
        }
        let properties = Arc::new(PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let (sorting, range) = (taken.sorting.clone(), taken.range.clone());
        let (ordered, segmented, parts) = (Arc::default(), Arc::default(), Vec::new());
        Ok(Self { source, way, backward, sorting, range, ordered, segmented, limit, parts, properties })
    }

    /// The scans of the same rows that have another order.
    pub fn other_ways(&self) -> Result<Vec<Self>> {
        let ways = [false, true].into_iter().flat_map(|back| (0..self.source.ways.len()).map(move |way| (way, back)));
        let other = ways.filter(|way| *way != (self.way, self.backward));
        other.map(|(way, backward)| Self::new(Arc::clone(&self.source), way, backward, self.limit)).collect()
    }

    /// The index that the scan needs, and where it is put.
    pub fn index(&self) -> Option<(Want, Made<Ordered>)> {
        let sorting = Arc::clone(self.sorting.as_ref()?);
        let (table, rows) = (Arc::clone(&self.source.table), self.source.rows.clone());
        Some((Want { table, sorting, rows, newest: self.source.newest }, Arc::clone(&self.ordered)))
    }

    /// The segments that the scan reads, and where they are put. What reads all of a large table in parts
    /// does, from the start of each.
    pub fn segments(&self) -> Option<(segment::cache::Want, Made<Segmented>)> {
        let Source { table, rows, newest, .. } = &*self.source;
        let want = segment::cache::Want { table: Arc::clone(table), rows: rows.clone(), newest: *newest };
        (!self.parts.is_empty() && !self.backward).then(|| (want, Arc::clone(&self.segmented)))
    }

    /// The same scan in parts, or of fewer rows.
    fn changed(&self, parts: Vec<Span>, limit: Option<usize>) -> Self {
        let partitions = Partitioning::UnknownPartitioning(parts.len().max(1));
        Self {
            source: Arc::clone(&self.source),
            way: self.way,
            backward: self.backward,
            sorting: self.sorting.clone(),
            range: self.range.clone(),
            ordered: Arc::clone(&self.ordered),
            segmented: Arc::clone(&self.segmented),
            limit,
            parts,
            properties: Arc::new(PlanProperties::clone(&self.properties).with_partitioning(partitions)),
        }
    }
}

impl DisplayAs for Scan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.properties.eq_properties.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(
            f,
            "TableScan: table={}, columns=[{}], keys={}",
            self.source.table.qualified_name(),
            columns.join(", "),
            self.range
        )?;
        if let Some(sorting) = &self.sorting {
            write!(f, ", index={}", sorting.index.name)?;
        }
        if self.backward {
            f.write_str(", backward")?;
        }
        if !self.parts.is_empty() {
            write!(f, ", parts={}", self.parts.len())?;
        }
        self.limit.map_or(Ok(()), |limit| write!(f, ", limit={limit}"))
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "TableScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn repartitioned(&self, parts: usize, _: &ConfigOptions) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let whole = self.range.is_all() && self.sorting.is_none() && self.limit.is_none();
        let worth = whole && self.source.rows.len() >= PARTS_ROWS_MIN && parts > 1 && self.parts.is_empty();
        let parts = || self.source.rows.split(parts).into_iter().map(Span::new).collect();
        Ok(worth.then(|| Arc::new(self.changed(parts(), None)) as Arc<dyn ExecutionPlan>))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        // A limit of each part would be none of the scan.
        let limit = limit.into_iter().chain(self.limit).min();
        self.parts.is_empty().then(|| Arc::new(self.changed(Vec::new(), limit)) as Arc<dyn ExecutionPlan>)
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn partition_statistics(&self, part: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(self.properties.eq_properties.schema());
        let rows = self.source.rows.len();
        statistics.num_rows = match self.range.is_all() {
            true if part.is_some() && !self.parts.is_empty() => Precision::Inexact(rows / self.parts.len()),
            true => Precision::Exact(self.limit.map_or(rows, |limit| limit.min(rows))),
            false => Precision::Inexact(self.range.estimate(rows)),
        };
        Ok(Arc::new(statistics))
    }

    fn execute(&self, part: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = Arc::clone(self.properties.eq_properties.schema());
        let ordered = self.ordered.get().cloned();
        let rows = match (&self.sorting, &ordered) {
            (None, _) => self.source.rows.clone(),
            (Some(_), Some(ordered)) => ordered.rows.clone(),
            (Some(_), None) => return Err(DataFusionError::Internal("an index that was not made".into())),
        };
        let (table, projection) = (Arc::clone(&self.source.table), self.source.projection.clone());
        let batch_rows = context.session_config().batch_size();
        if let Some(segmented) = self.segmented.get() {
            let segments = segmented.part(part, self.parts.len());
            let described = Arc::clone(&schema);
            let segmented = Arc::clone(segmented);
            let reader = SegmentReader::new(table, rows, segmented, segments, projection, described, batch_rows);
            return Ok(batches(schema, reader, SegmentReader::next_batch));
        }
        let mut spans = self.parts.get(part).map_or_else(|| self.range.spans(), |span| vec![span.clone()]);
        if self.backward {
            spans.reverse();
        }
        let reader = Reader {
            columns: Columns::new(table, projection, Arc::clone(&schema)),
            rows,
            index: ordered,
            spans,
            backward: self.backward,
            left: self.limit.unwrap_or(usize::MAX),
            batch_rows,
            batch_bytes: SQL_BATCH_BYTES_MAX,
        };
        Ok(batches(schema, reader, Reader::next_batch))
    }
}

/// What a reader reads.
fn batches<R: Send + 'static>(
    schema: SchemaRef,
    reader: R,
    next: fn(&mut R) -> Result<Option<RecordBatch>>,
) -> SendableRecordBatchStream {
    let batches = stream::unfold(reader, move |mut reader| async move {
        let batch = next(&mut reader).transpose()?;
        Some((batch, reader))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Our error inside DataFusion's.
pub fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
