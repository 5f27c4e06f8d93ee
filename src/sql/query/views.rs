//! The system views: what the catalog holds, as tables of schema SYSTEM. Columns are those of Ignite 3.1.0, with the newer
//! and the older name of each.

use super::arrays::ColumnBuilder;
use super::scan::{Snapshot, external};
use super::types;
use crate::config::PARTITIONS;
use crate::sql::metadata::{SYSTEM, key_columns, schemas};
use crate::store::catalog::{Catalog, Table};
use crate::value::{ColumnType, UNLIMITED, Value};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The length that texts of views have.
const TEXT: ColumnType = ColumnType::String { length: 65_536 };
const INT: ColumnType = ColumnType::Int32;
const BOOL: ColumnType = ColumnType::Boolean;

type Row = Vec<Value<'static>>;

/// One view.
#[derive(Debug)]
pub struct View {
    definition: &'static Definition,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Definition {
    name: &'static str,
    columns: &'static [(&'static str, ColumnType)],
    rows: fn(&Catalog) -> Vec<Row>,
}

const VIEWS: &[Definition] = &[
    Definition {
        name: "SCHEMAS",
        columns: &[("SCHEMA_ID", INT), ("SCHEMA_NAME", TEXT)],
        rows: |catalog| {
            let id = |(place, name): (usize, Arc<str>)| vec![int(place as i64 + 1), text(&name)];
            schemas(catalog).into_iter().enumerate().map(id).collect()
        },
    },
    Definition {
        name: "TABLES",
        columns: &[
            ("SCHEMA_NAME", TEXT),
            ("TABLE_NAME", TEXT),
            ("TABLE_ID", INT),
            ("TABLE_PK_INDEX_ID", INT),
            ("ZONE_NAME", TEXT),
            ("STORAGE_PROFILE", TEXT),
            ("TABLE_COLOCATION_COLUMNS", TEXT),
            ("SCHEMA", TEXT),
            ("NAME", TEXT),
            ("ID", INT),
            ("PK_INDEX_ID", INT),
            ("COLOCATION_KEY_INDEX", TEXT),
            ("ZONE", TEXT),
        ],
        rows: |catalog| {
            let row = |table: &Arc<Table>| {
                let (schema, name, id) = (text(&table.schema_name), text(&table.name), int(table.id.into()));
                let colocation = text(&colocation(table));
                let zone = text("Default");
                vec![
                    schema.clone(),
                    name.clone(),
                    id.clone(),
                    id.clone(),
                    zone.clone(),
                    text("default"),
                    colocation.clone(),
                    schema,
                    name,
                    id.clone(),
                    id,
                    colocation,
                    zone,
                ]
            };
            catalog.tables().map(row).collect()
        },
    },
    Definition {
        name: "TABLE_COLUMNS",
        columns: &[
            ("SCHEMA_NAME", TEXT),
            ("TABLE_NAME", TEXT),
            ("TABLE_ID", INT),
            ("COLUMN_NAME", TEXT),
            ("COLUMN_TYPE", TEXT),
            ("IS_NULLABLE_COLUMN", BOOL),
            ("COLUMN_PRECISION", INT),
            ("COLUMN_SCALE", INT),
            ("COLUMN_LENGTH", INT),
            ("COLUMN_ORDINAL", INT),
            ("PK_COLUMN_ORDINAL", INT),
            ("SCHEMA", TEXT),
            ("TYPE", TEXT),
            ("NULLABLE", BOOL),
            ("PREC", INT),
            ("SCALE", INT),
            ("LENGTH", INT),
        ],
        rows: |catalog| catalog.tables().flat_map(columns).collect(),
    },
    Definition {
        name: "INDEXES",
        columns: &[
            ("INDEX_ID", INT),
            ("INDEX_NAME", TEXT),
            ("TABLE_ID", INT),
            ("TABLE_NAME", TEXT),
            ("SCHEMA_NAME", TEXT),
            ("INDEX_TYPE", TEXT),
            ("IS_UNIQUE_INDEX", BOOL),
            ("INDEX_COLUMNS", TEXT),
            ("INDEX_STATE", TEXT),
        ],
        rows: |catalog| {
            let row = |table: &Arc<Table>| {
                let id = int(table.id.into());
                vec![
                    id.clone(),
                    text(&format!("{}_PK", table.name)),
                    id,
                    text(&table.name),
                    text(&table.schema_name),
                    text("SORTED"),
                    Value::Bool(true),
                    text(&key(table)),
                    text("AVAILABLE"),
                ]
            };
            catalog.tables().map(row).collect()
        },
    },
    Definition {
        name: "ZONES",
        columns: &[("ZONE_NAME", TEXT), ("ZONE_PARTITIONS", INT), ("ZONE_REPLICAS", INT), ("IS_DEFAULT_ZONE", BOOL)],
        rows: |_| vec![vec![text("Default"), int(PARTITIONS.into()), int(1), Value::Bool(true)]],
    },
    Definition {
        name: "SYSTEM_VIEWS",
        columns: &[("VIEW_ID", INT), ("SCHEMA_NAME", TEXT), ("VIEW_NAME", TEXT), ("VIEW_TYPE", TEXT)],
        rows: |_| {
            let row = |(place, view): (usize, &Definition)| {
                vec![int(place as i64 + 1), text(SYSTEM), text(view.name), text("CLUSTER")]
            };
            VIEWS.iter().enumerate().map(row).collect()
        },
    },
];

fn int(v: i64) -> Value<'static> {
    Value::Int(v)
}

fn text(v: &str) -> Value<'static> {
    Value::Str(v.to_owned().into())
}

fn key(table: &Table) -> String {
    key_columns(table).collect::<Vec<_>>().join(", ")
}

fn colocation(table: &Table) -> String {
    let mut columns: Vec<_> = table.newest().columns.iter().filter(|c| c.colocation.is_some()).collect();
    columns.sort_by_key(|c| c.colocation);
    match columns.is_empty() {
        true => key(table),
        false => columns.iter().map(|c| &*c.name).collect::<Vec<_>>().join(", "),
    }
}

fn columns(table: &Arc<Table>) -> Vec<Row> {
    let row = |(ordinal, column): (usize, &Arc<crate::store::column::Column>)| {
        let limited = |n: u32| if n == UNLIMITED { 65_536 } else { i64::from(n) };
        let (precision, scale, length) = match column.ty {
            ColumnType::Decimal { precision, scale } => (limited(precision), limited(scale), 1),
            ColumnType::Number { precision } => (limited(precision), 0, 1),
            ColumnType::Time { precision: p }
            | ColumnType::Datetime { precision: p }
            | ColumnType::Timestamp { precision: p } => (p.into(), 0, 1),
            ColumnType::String { length: n } | ColumnType::Bytes { length: n } | ColumnType::Bitmask { bits: n } => {
                (0, 0, limited(n))
            }
            _ => (0, 0, 1),
        };
        let ty = text(match column.ty {
            ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => "BYTE_ARRAY",
            ColumnType::Number { .. } => "DECIMAL",
            ty => ty.name(),
        });
        let nullable = Value::Bool(column.nullable);
        let schema = text(&table.schema_name);
        vec![
            schema.clone(),
            text(&table.name),
            int(table.id.into()),
            text(&column.name),
            ty.clone(),
            nullable.clone(),
            int(precision),
            int(scale),
            int(length),
            int(ordinal as i64),
            column.key.map_or(Value::Null, |place| int(place.into())),
            schema,
            ty,
            nullable,
            int(precision),
            int(scale),
            int(length),
        ]
    };
    table.newest().columns.iter().enumerate().map(row).collect()
}

/// Every view: its name, and its columns with their types.
pub fn all() -> impl Iterator<Item = (&'static str, &'static [(&'static str, ColumnType)])> {
    VIEWS.iter().map(|view| (view.name, view.columns))
}

impl View {
    /// The view of this name.
    pub fn find(name: &str) -> Option<Self> {
        let definition = VIEWS.iter().find(|view| view.name == name)?;
        let fields: Vec<_> = definition.columns.iter().map(|(name, ty)| types::field(name, *ty, true)).collect();
        Some(Self { definition, schema: Arc::new(Schema::new(fields)) })
    }
}

#[async_trait::async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let snapshot = Snapshot::of(session)?;
        let rows = (self.definition.rows)(&snapshot.database.catalog);
        let mut builders: Vec<_> =
            self.definition.columns.iter().map(|(_, ty)| ColumnBuilder::new(*ty, rows.len())).collect();
        for row in &rows {
            for (builder, value) in builders.iter_mut().zip(row) {
                builder.push(value).map_err(external)?;
            }
        }
        let arrays = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![vec![batch]])?;
        table.scan(session, projection, filters, limit).await
    }
}
