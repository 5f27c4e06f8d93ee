//! A table of the database value as DataFusion sees it.
//!
//! The provider knows the table, not its rows: a plan is cached beyond the value it was made for. The rows come with the
//! session, as a [`Snapshot`], when the physical plan is made. A scan goes over the map in key order, so it says that its
//! rows are sorted by the key, and a filter on the key becomes a range of the map. All of a large table is read in parts
//! by as many threads as there are cores, where what is above gains from it.

use super::arrays::ColumnBuilder;
use super::range::{KeyRange, Span};
use super::types;
use crate::config::SQL_BATCH_BYTES_MAX;
use crate::error::Error;
use crate::sql::Job;
use crate::sql::activity::Activity;
use crate::store::catalog::Table;
use crate::store::database::{Database, Read, Rows};
use crate::store::row::Row;
use crate::store::schema::Schema;
use crate::value::Value;
use crate::wire::binary_tuple::Tuple;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

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
    schema: SchemaRef,
}

impl Provider {
    /// The table as its newest schema version has it.
    pub fn new(table: Arc<Table>) -> Self {
        let columns = &table.newest().columns;
        let fields: Vec<_> = columns.iter().map(|c| types::field(&c.name, c.ty, c.nullable)).collect();
        Self { table, schema: Arc::new(ArrowSchema::new(fields)) }
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
        let usable = |filter: &&Expr| match KeyRange::concerns(&self.table, filter) {
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
        let range = KeyRange::of(&self.table, filters);
        // A limit counts what is left after the filters, which a range may not say exactly.
        let limit = limit.filter(|_| filters.is_empty());
        let spans = range.spans().iter().map(Span::bounds).collect();
        snapshot.reads.lock().push(Read { table: self.table.id, rows: snapshot.committed.rows(self.table.id), spans });
        let rows = snapshot.database.rows(self.table.id);
        Ok(Arc::new(Scan::new(Arc::clone(&self.table), rows, projection, &self.schema, range, limit)?))
    }
}

/// A scan of a table's rows in key order.
#[derive(Debug)]
struct Scan {
    table: Arc<Table>,
    rows: Rows,
    projection: Vec<usize>,
    range: KeyRange,
    limit: Option<usize>,
    /// The parts of the key order that are read at the same time; none is one, the range.
    parts: Vec<Span>,
    properties: Arc<PlanProperties>,
}

impl Scan {
    fn new(
        table: Arc<Table>,
        rows: Rows,
        projection: Vec<usize>,
        all: &SchemaRef,
        range: KeyRange,
        limit: Option<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(all.project(&projection)?);
        let mut equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        // The order of the map is the order of the key's columns, as far as the projection keeps them.
        let mut sorted = Vec::new();
        for key in &table.newest().key {
            let Some(place) = projection.iter().position(|column| column == key) else { break };
            let column = Column::new(schema.field(place).name(), place);
            sorted.push(PhysicalSortExpr::new_default(Arc::new(column)));
        }
        if let Some(order) = LexOrdering::new(sorted) {
            equivalences.add_ordering(order);
        }
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { table, rows, projection, range, limit, parts: Vec::new(), properties: Arc::new(properties) })
    }

    /// The same scan in parts.
    fn in_parts(&self, parts: usize) -> Self {
        let parts: Vec<_> = self.rows.split(parts).into_iter().map(Span::new).collect();
        let properties =
            PlanProperties::clone(&self.properties).with_partitioning(Partitioning::UnknownPartitioning(parts.len()));
        Self {
            table: Arc::clone(&self.table),
            rows: self.rows.clone(),
            projection: self.projection.clone(),
            range: self.range.clone(),
            limit: None,
            parts,
            properties: Arc::new(properties),
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
            self.table.qualified_name(),
            columns.join(", "),
            self.range
        )?;
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
        let worth = self.range.is_all() && self.limit.is_none() && self.rows.len() >= PARTS_ROWS_MIN;
        Ok((worth && parts > 1 && self.parts.is_empty())
            .then(|| Arc::new(self.in_parts(parts)) as Arc<dyn ExecutionPlan>))
    }

    fn partition_statistics(&self, part: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(self.properties.eq_properties.schema());
        statistics.num_rows = match self.range.is_all() {
            true if part.is_some() && !self.parts.is_empty() => Precision::Inexact(self.rows.len() / self.parts.len()),
            true => Precision::Exact(self.limit.map_or(self.rows.len(), |limit| limit.min(self.rows.len()))),
            false => Precision::Inexact(self.range.estimate(self.rows.len())),
        };
        Ok(Arc::new(statistics))
    }

    fn execute(&self, part: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = Arc::clone(self.properties.eq_properties.schema());
        let reader = Reader {
            table: Arc::clone(&self.table),
            projection: self.projection.clone(),
            schema: Arc::clone(&schema),
            rows: self.rows.clone(),
            spans: self.parts.get(part).map_or_else(|| self.range.spans(), |span| vec![span.clone()]),
            left: self.limit.unwrap_or(usize::MAX),
            batch_rows: context.session_config().batch_size(),
            versions: Vec::new(),
        };
        let batches = stream::unfold(reader, |mut reader| async move {
            let batch = reader.next_batch().transpose()?;
            Some((batch, reader))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Where each projected column is found in a row of one schema version; `Err` holds the default of what the row lacks.
type Places = Vec<Place>;

enum Place {
    At(usize),
    Default(Value<'static>),
}

/// Reads batches, one span of keys after the other.
struct Reader {
    table: Arc<Table>,
    projection: Vec<usize>,
    schema: SchemaRef,
    rows: Rows,
    /// The spans that are left, the next one last.
    spans: Vec<Span>,
    left: usize,
    batch_rows: usize,
    versions: Vec<(i32, Arc<Schema>, Places)>,
}

impl Reader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let newest = Arc::clone(self.table.newest());
        let wanted = self.batch_rows.min(self.left);
        let types: Vec<_> = self.projection.iter().filter_map(|&i| newest.columns.get(i)).map(|c| c.ty).collect();
        let mut builders: Vec<_> = types.iter().map(|&ty| ColumnBuilder::new(ty, wanted)).collect();
        let (mut count, mut bytes) = (0, 0);
        while count < wanted && bytes < SQL_BATCH_BYTES_MAX {
            let Some(span) = self.spans.pop() else { break };
            let rows = self.rows.clone();
            let mut last = None;
            for (key, row) in rows.range(span.bounds()) {
                if count == wanted || bytes >= SQL_BATCH_BYTES_MAX {
                    break;
                }
                bytes += row.bytes().len();
                if !builders.is_empty() {
                    self.read(row, &types, &mut builders).map_err(external)?;
                }
                count += 1;
                last = Some(key);
            }
            if (count == wanted || bytes >= SQL_BATCH_BYTES_MAX)
                && let Some(last) = last
                && let Some(rest) = span.after(last)
            {
                self.spans.push(rest);
            }
        }
        if count == 0 {
            return Ok(None);
        }
        self.left -= count;
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?))
    }

    fn read(
        &mut self,
        row: &Row,
        types: &[crate::value::ColumnType],
        builders: &mut [ColumnBuilder],
    ) -> crate::error::Result<()> {
        let known = self.versions.iter().position(|(version, ..)| *version == row.version());
        let index = match known {
            Some(index) => index,
            None => {
                let schema = self.table.schema(row.version()).unwrap_or_else(|| self.table.newest());
                self.versions.push((row.version(), Arc::clone(schema), self.places(schema)?));
                self.versions.len() - 1
            }
        };
        let Some((_, schema, places)) = self.versions.get(index) else { return Ok(()) };
        let tuple = Tuple::trusted(row.tuple(), schema.columns.len())
            .ok_or_else(|| Error::new(crate::error::Kind::Internal, "a stored row is no tuple"))?;
        for ((builder, place), &ty) in builders.iter_mut().zip(places).zip(types) {
            match place {
                Place::At(i) => builder.push_element(tuple.element(*i), ty)?,
                Place::Default(value) => builder.push(value)?,
            }
        }
        Ok(())
    }

    /// Columns are found by their ids: positions change from one schema version to the next.
    fn places(&self, schema: &Schema) -> crate::error::Result<Places> {
        let newest = &self.table.newest().columns;
        let place = |&i: &usize| {
            let column = newest.get(i)?;
            Some(match schema.columns.iter().position(|c| c.id == column.id) {
                Some(at) => Ok(Place::At(at)),
                None => column.filler_value().map(Place::Default),
            })
        };
        self.projection.iter().filter_map(place).collect()
    }
}

/// Our error inside DataFusion's.
pub fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
