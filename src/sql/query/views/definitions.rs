//! Views of the catalog: schemas, tables, columns, indexes, zones, and the views themselves.

use super::Source::Like;
use super::{BOOL, Definition, INT, Row, SYSTEM, TEXT, describe, int, known, text};
use crate::store::catalog::{Catalog, PUBLIC, Table};
use crate::store::column::Column;
use crate::store::objects::{Order, Zone};
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The ids of the schemas that are always there.
const PUBLIC_ID: u32 = 1;
const SYSTEM_ID: u32 = 2;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        name: "SCHEMAS",
        of_node: false,
        columns: &[("SCHEMA_ID", INT), ("SCHEMA_NAME", TEXT)],
        rows: |scene| schemas(scene.catalog).into_iter().map(|(name, id)| vec![int(id.into()), text(&name)]).collect(),
    },
    Definition {
        name: "TABLES",
        of_node: false,
        columns: &[
            ("SCHEMA_NAME", TEXT),
            ("TABLE_NAME", TEXT),
            ("TABLE_ID", INT),
            ("TABLE_PK_INDEX_ID", INT),
            ("ZONE_NAME", TEXT),
            ("STORAGE_PROFILE", TEXT),
            ("TABLE_COLOCATION_COLUMNS", TEXT),
            ("SCHEMA_ID", INT),
            ("ZONE_ID", INT),
            ("SCHEMA", Like("SCHEMA_NAME")),
            ("NAME", Like("TABLE_NAME")),
            ("ID", Like("TABLE_ID")),
            ("PK_INDEX_ID", Like("TABLE_PK_INDEX_ID")),
            ("COLOCATION_KEY_INDEX", Like("TABLE_COLOCATION_COLUMNS")),
            ("ZONE", Like("ZONE_NAME")),
        ],
        rows: |scene| {
            let schemas = schemas(scene.catalog);
            scene.catalog.tables().map(|t| table(t, scene.catalog, &schemas)).collect()
        },
    },
    Definition {
        name: "TABLE_COLUMNS",
        of_node: false,
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
            ("SCHEMA_ID", INT),
            ("PK_COLUMN_ORDINAL", INT),
            ("COLOCATION_COLUMN_ORDINAL", INT),
            ("SCHEMA", Like("SCHEMA_NAME")),
            ("TYPE", Like("COLUMN_TYPE")),
            ("NULLABLE", Like("IS_NULLABLE_COLUMN")),
            ("PREC", Like("COLUMN_PRECISION")),
            ("SCALE", Like("COLUMN_SCALE")),
            ("LENGTH", Like("COLUMN_LENGTH")),
        ],
        rows: |scene| {
            let schemas = schemas(scene.catalog);
            scene.catalog.tables().flat_map(|table| columns(table, &schemas)).collect()
        },
    },
    Definition {
        name: "INDEXES",
        of_node: false,
        columns: &[
            ("INDEX_ID", INT),
            ("INDEX_NAME", TEXT),
            ("TABLE_ID", INT),
            ("TABLE_NAME", TEXT),
            ("SCHEMA_ID", INT),
            ("SCHEMA_NAME", TEXT),
            ("INDEX_TYPE", TEXT),
            ("IS_UNIQUE_INDEX", BOOL),
            ("INDEX_COLUMNS", TEXT),
            ("INDEX_STATE", TEXT),
            ("TYPE", Like("INDEX_TYPE")),
            ("IS_UNIQUE", Like("IS_UNIQUE_INDEX")),
            ("COLUMNS", Like("INDEX_COLUMNS")),
            ("STATUS", Like("INDEX_STATE")),
        ],
        rows: |scene| {
            let schemas = schemas(scene.catalog);
            indexes(scene.catalog).map(|index| index.row(&schemas)).collect()
        },
    },
    Definition {
        name: "INDEX_COLUMNS",
        of_node: false,
        columns: &[
            ("SCHEMA_ID", INT),
            ("SCHEMA_NAME", TEXT),
            ("TABLE_ID", INT),
            ("TABLE_NAME", TEXT),
            ("INDEX_ID", INT),
            ("INDEX_NAME", TEXT),
            ("COLUMN_NAME", TEXT),
            ("COLUMN_ORDINAL", INT),
            ("COLUMN_COLLATION", TEXT),
        ],
        rows: |scene| {
            let schemas = schemas(scene.catalog);
            indexes(scene.catalog).flat_map(|index| index.column_rows(&schemas)).collect()
        },
    },
    Definition {
        name: "ZONES",
        of_node: false,
        columns: &[
            ("ZONE_NAME", TEXT),
            ("ZONE_PARTITIONS", INT),
            ("ZONE_REPLICAS", INT),
            ("DATA_NODES_AUTO_ADJUST_SCALE_UP", INT),
            ("DATA_NODES_AUTO_ADJUST_SCALE_DOWN", INT),
            ("DATA_NODES_FILTER", TEXT),
            ("IS_DEFAULT_ZONE", BOOL),
            ("ZONE_CONSISTENCY_MODE", TEXT),
            ("ZONE_ID", INT),
            ("NAME", Like("ZONE_NAME")),
            ("PARTITIONS", Like("ZONE_PARTITIONS")),
            ("REPLICAS", Like("ZONE_REPLICAS")),
            ("CONSISTENCY_MODE", Like("ZONE_CONSISTENCY_MODE")),
            ("ZONE_QUORUM_SIZE", INT),
        ],
        rows: |scene| {
            let objects = scene.catalog.objects();
            objects.zones().map(|z| zone(z, z.id == objects.default_zone())).collect()
        },
    },
    Definition {
        name: "ZONE_STORAGE_PROFILES",
        of_node: false,
        columns: &[("ZONE_NAME", TEXT), ("STORAGE_PROFILE", TEXT), ("IS_DEFAULT_PROFILE", BOOL), ("ZONE_ID", INT)],
        rows: |scene| {
            let of = |zone: &Arc<Zone>| {
                let (name, id) = (text(&zone.name), int(zone.id.into()));
                let row = move |(place, profile): (usize, &Arc<str>)| {
                    vec![name.clone(), text(profile), Value::Bool(place == 0), id.clone()]
                };
                zone.profiles.iter().enumerate().map(row).collect::<Vec<_>>()
            };
            scene.catalog.objects().zones().flat_map(of).collect()
        },
    },
    Definition {
        name: "SYSTEM_VIEWS",
        of_node: false,
        columns: &[
            ("VIEW_ID", INT),
            ("SCHEMA_NAME", TEXT),
            ("VIEW_NAME", TEXT),
            ("VIEW_TYPE", TEXT),
            ("ID", Like("VIEW_ID")),
            ("SCHEMA", Like("SCHEMA_NAME")),
            ("NAME", Like("VIEW_NAME")),
            ("TYPE", Like("VIEW_TYPE")),
        ],
        rows: |_| {
            let row = |(id, view): (i64, &Definition)| {
                vec![int(id), text(SYSTEM), text(view.name), text(if view.of_node { "NODE" } else { "CLUSTER" })]
            };
            (1..).zip(known()).map(row).collect()
        },
    },
    Definition {
        name: "SYSTEM_VIEW_COLUMNS",
        of_node: false,
        columns: &[
            ("VIEW_ID", INT),
            // It holds the column's name on a real node, too.
            ("VIEW_NAME", TEXT),
            ("COLUMN_TYPE", TEXT),
            ("IS_NULLABLE_COLUMN", BOOL),
            ("COLUMN_PRECISION", INT),
            ("COLUMN_SCALE", INT),
            ("COLUMN_LENGTH", INT),
            ("NAME", Like("VIEW_NAME")),
            ("TYPE", Like("COLUMN_TYPE")),
            ("NULLABLE", Like("IS_NULLABLE_COLUMN")),
            ("PRECISION", Like("COLUMN_PRECISION")),
            ("SCALE", Like("COLUMN_SCALE")),
            ("LENGTH", Like("COLUMN_LENGTH")),
        ],
        rows: |_| (1..).zip(known()).flat_map(|(id, view)| view_columns(id, view)).collect(),
    },
];

/// All schemas with their ids. One that is there because of its tables has the id of the first.
fn schemas(catalog: &Catalog) -> BTreeMap<Arc<str>, u32> {
    let mut all: BTreeMap<_, _> = catalog.tables().map(|table| (Arc::clone(&table.schema_name), table.id)).collect();
    for table in catalog.tables() {
        all.entry(Arc::clone(&table.schema_name)).and_modify(|id| *id = table.id.min(*id));
    }
    all.extend(catalog.objects().schemas().map(|(name, id)| (Arc::clone(name), id)));
    all.extend([(PUBLIC.into(), PUBLIC_ID), (SYSTEM.into(), SYSTEM_ID)]);
    all
}

fn schema_id(table: &Table, schemas: &BTreeMap<Arc<str>, u32>) -> Value<'static> {
    schemas.get(&table.schema_name).map_or(Value::Null, |id| int((*id).into()))
}

fn table(table: &Table, catalog: &Catalog, schemas: &BTreeMap<Arc<str>, u32>) -> Row {
    let id = int(table.id.into());
    let zone = catalog.objects().zone(table.options.zone);
    let profile = table.options.profile.as_ref().or_else(|| zone.and_then(|zone| zone.profiles.first()));
    let mut colocated: Vec<_> = table.newest().columns.iter().filter(|c| colocation(c, table).is_some()).collect();
    colocated.sort_by_key(|c| colocation(c, table));
    let colocated: Vec<&str> = colocated.iter().map(|c| &*c.name).collect();
    vec![
        text(&table.schema_name),
        text(&table.name),
        id.clone(),
        id,
        zone.map_or(Value::Null, |zone| text(&zone.name)),
        profile.map_or(Value::Null, |profile| text(profile)),
        text(&colocated.join(", ")),
        schema_id(table, schemas),
        int(table.options.zone.into()),
    ]
}

/// A column's place among those that place a row: those of the key, where nothing else is said.
fn colocation(column: &Column, table: &Table) -> Option<u16> {
    let by_key = table.newest().columns.iter().all(|c| c.colocation.is_none());
    if by_key { column.key } else { column.colocation }
}

fn columns(table: &Table, schemas: &BTreeMap<Arc<str>, u32>) -> Vec<Row> {
    let row = |(ordinal, column): (usize, &Arc<Column>)| {
        let [ty, precision, scale, length] = describe(column.ty);
        let place = |place: Option<u16>| place.map_or(Value::Null, |place| int(place.into()));
        vec![
            text(&table.schema_name),
            text(&table.name),
            int(table.id.into()),
            text(&column.name),
            ty,
            Value::Bool(column.nullable),
            precision,
            scale,
            length,
            int(ordinal as i64),
            schema_id(table, schemas),
            place(column.key),
            place(colocation(column, table)),
        ]
    };
    table.newest().columns.iter().enumerate().map(row).collect()
}

/// An index as the views show it, that of a primary key included.
struct Shown {
    id: u32,
    name: String,
    table: Arc<Table>,
    unique: bool,
    /// Columns by name, and how each is sorted, if it is.
    columns: Vec<(Arc<str>, Option<Order>)>,
}

fn indexes(catalog: &Catalog) -> impl Iterator<Item = Shown> {
    let keys = catalog.tables().map(|table| {
        let newest = table.newest();
        let orders = table.options.key_order.as_ref();
        let named = newest.key.iter().filter_map(|&i| newest.columns.get(i)).enumerate();
        let columns = named.map(|(i, c)| (Arc::clone(&c.name), orders.and_then(|orders| orders.get(i)).copied()));
        Shown {
            // It comes and goes with its table, and has its id.
            id: table.id,
            name: format!("{}_PK", table.name),
            table: Arc::clone(table),
            unique: true,
            columns: columns.collect(),
        }
    });
    let others = catalog.objects().indexes().filter_map(|index| {
        let table = catalog.table(index.table)?;
        let name = |id: i64| table.newest().columns.iter().find(|c| c.id == id).map(|c| Arc::clone(&c.name));
        let columns = index.columns.iter().filter_map(|&(id, order)| Some((name(id)?, index.sorted.then_some(order))));
        Some(Shown {
            id: index.id,
            name: index.name.to_string(),
            table: Arc::clone(table),
            unique: false,
            columns: columns.collect(),
        })
    });
    keys.chain(others)
}

impl Shown {
    fn row(&self, schemas: &BTreeMap<Arc<str>, u32>) -> Row {
        let column = |(name, order): &(Arc<str>, Option<Order>)| match order {
            None => name.to_string(),
            Some(order) => format!("{name} {}", if order.descending { "DESC" } else { "ASC" }),
        };
        let sorted = self.columns.iter().all(|(_, order)| order.is_some());
        vec![
            int(self.id.into()),
            text(&self.name),
            int(self.table.id.into()),
            text(&self.table.name),
            schema_id(&self.table, schemas),
            text(&self.table.schema_name),
            text(if sorted { "SORTED" } else { "HASH" }),
            Value::Bool(self.unique),
            text(&self.columns.iter().map(column).collect::<Vec<_>>().join(", ")),
            text("AVAILABLE"),
        ]
    }

    fn column_rows(&self, schemas: &BTreeMap<Arc<str>, u32>) -> Vec<Row> {
        let row = |(place, (name, order)): (usize, &(Arc<str>, Option<Order>))| {
            let collation = order.map_or(Value::Null, |order| {
                let direction = if order.descending { "DESC" } else { "ASC" };
                text(&format!("{direction}_NULLS_{}", if order.nulls_first { "FIRST" } else { "LAST" }))
            });
            vec![
                schema_id(&self.table, schemas),
                text(&self.table.schema_name),
                int(self.table.id.into()),
                text(&self.table.name),
                int(self.id.into()),
                text(&self.name),
                text(name),
                int(place as i64),
                collation,
            ]
        };
        self.columns.iter().enumerate().map(row).collect()
    }
}

fn zone(zone: &Zone, is_default: bool) -> Row {
    vec![
        text(&zone.name),
        int(zone.partitions.into()),
        zone.replicas.map_or_else(|| int(i32::MAX.into()), |replicas| int(replicas.into())),
        int(zone.scale_up.into()),
        int(zone.scale_down.into()),
        text(&zone.filter),
        Value::Bool(is_default),
        text(&zone.consistency),
        int(zone.id.into()),
        int(zone.quorum.into()),
    ]
}

fn view_columns(id: i64, view: &'static Definition) -> impl Iterator<Item = Row> {
    view.columns.iter().map(move |(name, source)| {
        let (ty, nullable) = view.ty(*source);
        let [ty, precision, scale, length] = describe(ty);
        vec![int(id), text(name), ty, Value::Bool(nullable), precision, scale, length]
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::catalog::tests::column;
    use crate::store::catalog::{Change, NewTable, TableOptions};
    use crate::value::ColumnType;

    /// A table.
    pub(in super::super) fn fill(catalog: &mut Catalog) {
        let new = NewTable {
            id: 18,
            uuid: 1,
            schema_name: "S".into(),
            name: "T".into(),
            draft_name: "S.T".into(),
            live: false,
            options: TableOptions::default(),
            columns: vec![column(1, "ID", ColumnType::Int8, Some(0))],
        };
        catalog.apply(&Change::CreateTable(Box::new(new))).unwrap();
    }
}
