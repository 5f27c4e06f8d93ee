//! The system views: what the catalog holds and what goes on, as tables of schema SYSTEM. Columns are those of Ignite
//! 3.1.0, with the newer and the older name of each.

mod definitions;
mod running;

use super::arrays::ColumnBuilder;
use super::scan::{Snapshot, external};
use super::types;
use crate::sql::activity::Activity;
use crate::sql::metadata::SYSTEM;
use crate::store::catalog::Catalog;
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
const TEXT: Source = Source::Own(ColumnType::String { length: 65_536 });
const INT: Source = Source::Own(ColumnType::Int32);
const BOOL: Source = Source::Own(ColumnType::Boolean);

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
    /// Whether it tells of one node, or else of all of them.
    of_node: bool,
    columns: &'static [(&'static str, Source)],
    /// The values of the columns of its own.
    rows: fn(&Scene<'_>) -> Vec<Row>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// They are its own, of this type.
    Own(ColumnType),
    /// The same, and never null.
    NotNull(ColumnType),
    /// It is another name of that column.
    Like(&'static str),
}

/// What views tell of.
struct Scene<'a> {
    catalog: &'a Catalog,
    activity: &'a Activity,
}

/// All views.
fn known() -> impl Iterator<Item = &'static Definition> {
    definitions::VIEWS.iter().chain(running::VIEWS)
}

impl Definition {
    /// The columns of its own, in the order of its rows.
    fn own(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().filter(|(_, source)| !matches!(source, Source::Like(_))).map(|(name, _)| *name)
    }

    /// Where in a row a column's value is.
    fn place(&self, name: &str, source: Source) -> usize {
        let wanted = if let Source::Like(other) = source { other } else { name };
        self.own().position(|own| own == wanted).unwrap_or_default()
    }

    /// A column's type, and whether it may be null.
    fn ty(&self, source: Source) -> (ColumnType, bool) {
        match source {
            Source::Own(ty) => (ty, true),
            Source::NotNull(ty) => (ty, false),
            Source::Like(other) => {
                let found = self.columns.iter().find(|(name, _)| *name == other);
                found.map_or((ColumnType::Boolean, true), |(_, source)| self.ty(*source))
            }
        }
    }
}

fn int(v: i64) -> Value<'static> {
    Value::Int(v)
}

fn text(v: &str) -> Value<'static> {
    Value::Str(v.to_owned().into())
}

/// A type's name, precision, scale and length, as views tell them.
fn describe(ty: ColumnType) -> [Value<'static>; 4] {
    let limited = |n: u32| if n == UNLIMITED { 65_536 } else { i64::from(n) };
    let (precision, scale, length) = match ty {
        ColumnType::Decimal { precision, scale } => (limited(precision), limited(scale), limited(precision)),
        ColumnType::Number { precision } => (limited(precision), 0, limited(precision)),
        ColumnType::Time { precision: p }
        | ColumnType::Datetime { precision: p }
        | ColumnType::Timestamp { precision: p } => (p.into(), 0, p.into()),
        ColumnType::String { length: n } | ColumnType::Bytes { length: n } | ColumnType::Bitmask { bits: n } => {
            (0, 0, limited(n))
        }
        _ => (0, 0, 1),
    };
    let name = match ty {
        ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => "BYTE_ARRAY",
        ColumnType::Number { .. } => "DECIMAL",
        ty => ty.name(),
    };
    [text(name), int(precision), int(scale), int(length)]
}

/// All views, with the names and types of their columns, and whether each may be null.
pub fn all() -> impl Iterator<Item = (&'static str, Vec<(&'static str, ColumnType, bool)>)> {
    known().map(|view| {
        let column = |(name, source): &(&'static str, Source)| {
            let (ty, nullable) = view.ty(*source);
            (*name, ty, nullable)
        };
        (view.name, view.columns.iter().map(column).collect())
    })
}

impl View {
    /// The view of this name.
    pub fn find(name: &str) -> Option<Self> {
        let definition = known().find(|view| view.name == name)?;
        let field = |(name, source): &(&str, Source)| {
            let (ty, nullable) = definition.ty(*source);
            types::field(name, ty, nullable)
        };
        let fields: Vec<_> = definition.columns.iter().map(field).collect();
        Some(Self { definition, schema: Arc::new(Schema::new(fields)) })
    }

    /// The exact names of a view and one of its columns.
    pub fn column(view: &str, column: &str) -> Option<(&'static str, &'static str)> {
        let view = known().find(|definition| definition.name == view)?;
        view.columns.iter().find(|(name, _)| *name == column).map(|(name, _)| (view.name, *name))
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
        let nothing = Activity::default();
        let activity = snapshot.activity.as_deref().unwrap_or(&nothing);
        let rows = (self.definition.rows)(&Scene { catalog: &snapshot.database.catalog, activity });
        let column = |(name, source): &(&str, Source)| {
            let mut builder = ColumnBuilder::new(self.definition.ty(*source).0, rows.len());
            let place = self.definition.place(name, *source);
            for row in &rows {
                builder.push(row.get(place).unwrap_or(&Value::Null)).map_err(external)?;
            }
            Ok(builder.finish())
        };
        let arrays = self.definition.columns.iter().map(column).collect::<Result<_>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![vec![batch]])?;
        table.scan(session, projection, filters, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_value_for_each_column_of_its_views_own() {
        let (mut catalog, mut activity) = (Catalog::new(), Activity::default());
        running::tests::fill(&mut activity);
        definitions::tests::fill(&mut catalog);
        for view in known() {
            let rows = (view.rows)(&Scene { catalog: &catalog, activity: &activity });
            assert!(!rows.is_empty(), "{}", view.name);
            assert!(rows.iter().all(|row| row.len() == view.own().count()), "{}: {rows:?}", view.name);
            for (name, source) in view.columns {
                if let Source::Like(other) = source {
                    assert!(view.own().any(|own| own == *other), "{}.{name}", view.name);
                }
            }
        }
    }
}
