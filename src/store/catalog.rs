//! The catalog: which tables there are, and every schema version each of them ever had.
//!
//! A table stores its columns once, each with the version that added it and the version that dropped it; the schema
//! versions follow from that. The catalog is persistent like the rest of the database value: a clone is a few reference
//! counts. It changes only by a [`Change`], which is also what the commit log keeps.

use super::column::Column;
use super::objects::{self, Index, ObjectChange, Objects, Order};
use super::schema::Schema;
use crate::config::{TABLE_VERSIONS_MAX, TABLES_MAX};
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The schema that an unqualified name belongs to.
pub const PUBLIC: &str = "PUBLIC";
/// Table ids start here, as those of users' tables do on a real node.
const FIRST_TABLE_ID: u32 = 18;

/// All tables.
#[derive(Debug, Clone)]
pub struct Catalog {
    tables: imbl::OrdMap<u32, Arc<Table>>,
    by_name: imbl::OrdMap<(Arc<str>, Arc<str>), u32>,
    by_uuid: imbl::OrdMap<u128, u32>,
    next_table_id: u32,
    /// Identifies this store to clients that hold several connections; made once.
    pub cluster_id: u128,
    objects: Objects,
    edition: u64,
}

/// Numbers for editions of catalogs: none is used twice, in whichever catalog.
static EDITIONS: AtomicU64 = AtomicU64::new(1);

/// A table's definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// The id of today's dialect; never reused.
    pub id: u32,
    /// The id of the draft dialect, whose second half is `id`; never reused.
    pub uuid: u128,
    /// The SQL schema it belongs to.
    pub schema_name: Arc<str>,
    /// Its name in that schema.
    pub name: Arc<str>,
    /// The name the draft dialect shows: the one it was created with there, else `SCHEMA.NAME`.
    pub draft_name: Arc<str>,
    /// Whether tuples with unknown columns make the schema grow.
    pub live: bool,
    /// What was said about it that has no effect on one node.
    #[serde(default)]
    pub options: TableOptions,
    columns: Vec<Versioned>,
    version: i32,
    #[serde(skip)]
    schemas: Vec<Arc<Schema>>,
}

/// What a table's definition says that has no effect on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOptions {
    /// The id of its zone.
    pub zone: u32,
    /// Its storage profile; none for the zone's first.
    pub profile: Option<Arc<str>>,
    /// How the columns of its key are sorted, if that was said; else clients are told that they are hashed.
    pub key_order: Option<Vec<Order>>,
}

/// A column and the versions it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Versioned {
    column: Arc<Column>,
    added: i32,
    dropped: Option<i32>,
}

/// A change of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    /// A new table of schema version 1.
    CreateTable(Box<NewTable>),
    /// The table and its rows go.
    DropTable {
        /// The table.
        id: u32,
    },
    /// One new schema version.
    AlterTable {
        /// The table.
        id: u32,
        /// Columns that come, with fresh ids.
        add: Vec<Column>,
        /// Ids of the columns that go.
        drop: Vec<i64>,
    },
    /// Columns change, in one new schema version.
    AlterColumns {
        /// The table.
        id: u32,
        /// The columns as they are now; their ids say which they were.
        columns: Vec<Column>,
    },
    /// Schemas, zones or indexes change.
    Object(ObjectChange),
    /// The table becomes live or strict.
    SetLive {
        /// The table.
        id: u32,
        /// Whether it is live now.
        live: bool,
    },
    /// The id of the store, made at its first start.
    ClusterId(u128),
}

/// A table to be created; ids are assigned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewTable {
    /// See [`Table::id`].
    pub id: u32,
    /// See [`Table::uuid`].
    pub uuid: u128,
    /// See [`Table::schema_name`].
    pub schema_name: Arc<str>,
    /// See [`Table::name`].
    pub name: Arc<str>,
    /// See [`Table::draft_name`].
    pub draft_name: Arc<str>,
    /// See [`Table::live`].
    pub live: bool,
    /// See [`Table::options`].
    #[serde(default)]
    pub options: TableOptions,
    /// The columns, with ids from 1.
    pub columns: Vec<Column>,
}

impl Table {
    /// The newest schema version.
    pub fn newest(&self) -> &Arc<Schema> {
        // A table is made with version 1 and only gains versions.
        self.schemas.last().unwrap_or_else(|| unreachable!("table {} has no schema", self.name))
    }

    /// A schema version, if the table ever had it.
    pub fn schema(&self, version: i32) -> Option<&Arc<Schema>> {
        self.schemas.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    /// The id that a next column gets.
    pub fn next_column_id(&self) -> i64 {
        self.columns.last().map_or(1, |c| c.column.id + 1)
    }

    /// `SCHEMA.NAME`, as error texts show it.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.schema_name, self.name)
    }

    fn alter(&mut self, columns: &[Column]) {
        self.version += 1;
        let version = self.version;
        for column in columns {
            let newest = |c: &Versioned| c.column.id == column.id && c.dropped.is_none();
            let Some(at) = self.columns.iter().position(newest) else { continue };
            if let Some(before) = self.columns.get_mut(at) {
                before.dropped = Some(version);
            }
            // Next to what it was: ids ascend in table order.
            self.columns.insert(at + 1, Versioned { column: Arc::new(column.clone()), added: version, dropped: None });
        }
        self.derive();
    }

    fn derive(&mut self) {
        for version in self.schemas.len() as i32 + 1..=self.version {
            let live = |c: &&Versioned| c.added <= version && c.dropped.is_none_or(|d| version < d);
            let columns = self.columns.iter().filter(live).map(|c| Arc::clone(&c.column)).collect();
            self.schemas.push(Arc::new(Schema::new(version, columns)));
        }
    }
}

impl Catalog {
    /// A catalog without tables.
    pub fn new() -> Self {
        Self {
            tables: imbl::OrdMap::new(),
            by_name: imbl::OrdMap::new(),
            by_uuid: imbl::OrdMap::new(),
            next_table_id: FIRST_TABLE_ID,
            cluster_id: 0,
            objects: Objects::default(),
            edition: EDITIONS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Names what the catalog holds: two catalogs of the same edition hold the same.
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// All tables, by id.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// The table of this id.
    pub fn table(&self, id: u32) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    /// The table of this exact name.
    pub fn table_by_name(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.table(*self.by_name.get(&(schema.into(), name.into()))?)
    }

    /// The table that the draft dialect calls so: `SCHEMA.NAME`, or `NAME` in PUBLIC.
    pub fn table_by_draft_name(&self, name: &str) -> Option<&Arc<Table>> {
        let (schema, name) = split_draft_name(name);
        self.table_by_name(schema, name)
    }

    /// The table of this draft id.
    pub fn table_by_uuid(&self, uuid: u128) -> Option<&Arc<Table>> {
        self.table(*self.by_uuid.get(&uuid)?)
    }

    /// The id that a next table, schema, zone or index gets.
    pub fn next_table_id(&self) -> u32 {
        self.next_table_id
    }

    /// Schemas, zones and indexes.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The index of this name in a schema. Those of primary keys have none of their own.
    pub fn index_by_name(&self, schema: &str, name: &str) -> Option<&Arc<Index>> {
        let within = |index: &&Arc<Index>| self.table(index.table).is_some_and(|t| *t.schema_name == *schema);
        self.objects.indexes().filter(|index| *index.name == *name).find(within)
    }

    /// Whether there is such a schema: it was created, or a table is in it.
    pub fn has_schema(&self, name: &str) -> bool {
        name == PUBLIC || self.objects.schema(name).is_some() || self.tables().any(|table| *table.schema_name == *name)
    }

    /// Applies a change, whose arguments were checked when it was made; a second check guards the replay of a log.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        self.edition = EDITIONS.fetch_add(1, Ordering::Relaxed);
        match change {
            Change::CreateTable(new) => self.create(new),
            Change::DropTable { id } => {
                let table = self.tables.remove(id).ok_or_else(|| unknown(*id))?;
                self.by_name.remove(&(Arc::clone(&table.schema_name), Arc::clone(&table.name)));
                self.by_uuid.remove(&table.uuid);
                self.objects.forget_table(*id);
                Ok(())
            }
            Change::AlterTable { id, add, drop } => self.update(*id, |table| {
                table.version += 1;
                let version = table.version;
                for column in table.columns.iter_mut().filter(|c| drop.contains(&c.column.id)) {
                    column.dropped = Some(version);
                }
                let added =
                    add.iter().map(|c| Versioned { column: Arc::new(c.clone()), added: version, dropped: None });
                table.columns.extend(added);
                table.derive();
            }),
            Change::AlterColumns { id, columns } => self.update(*id, |table| table.alter(columns)),
            Change::Object(change) => {
                if let Some(id) = change.new_id() {
                    self.next_table_id = self.next_table_id.max(id.saturating_add(1));
                }
                self.objects.apply(change);
                Ok(())
            }
            Change::SetLive { id, live } => self.update(*id, |table| table.live = *live),
            Change::ClusterId(id) => {
                self.cluster_id = *id;
                Ok(())
            }
        }
    }

    /// Whether there is room for what a change adds.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn check_room(&self, change: &Change) -> Result<()> {
        match change {
            Change::CreateTable(_) if self.tables.len() >= TABLES_MAX => {
                Err(Error::new(Kind::LimitExceeded, format!("There are {TABLES_MAX} tables, which is the limit")))
            }
            Change::AlterTable { id, .. } | Change::AlterColumns { id, .. } => match self.table(*id) {
                Some(table) if table.version >= TABLE_VERSIONS_MAX => {
                    let name = table.qualified_name();
                    let message = format!("Table {name} has {TABLE_VERSIONS_MAX} schema versions, which is the limit");
                    Err(Error::new(Kind::LimitExceeded, message))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The catalog as bytes for a checkpoint.
    pub fn encode(&self) -> Vec<u8> {
        let image = Image {
            next_table_id: self.next_table_id,
            cluster_id: self.cluster_id,
            tables: self.tables.values().map(|t| (**t).clone()).collect(),
            objects: Some(self.objects.image()),
        };
        serde_json::to_vec(&image).unwrap_or_default()
    }

    /// Reads what [`Catalog::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let image: Image = serde_json::from_slice(bytes)
            .map_err(|e| Error::new(Kind::Internal, format!("the stored catalog cannot be read: {e}")))?;
        let mut catalog = Self { next_table_id: image.next_table_id, cluster_id: image.cluster_id, ..Self::new() };
        if let Some(objects) = image.objects {
            catalog.objects = Objects::of_image(objects);
        }
        for mut table in image.tables {
            if table.version < 1 {
                return Err(Error::new(
                    Kind::Internal,
                    format!("the stored catalog has table {} without a version", table.name),
                ));
            }
            table.derive();
            catalog.insert(table);
        }
        Ok(catalog)
    }

    fn create(&mut self, new: &NewTable) -> Result<()> {
        if self.table_by_name(&new.schema_name, &new.name).is_some() || self.tables.contains_key(&new.id) {
            return Err(Error::new(
                Kind::TableExists,
                format!("Table with name '{}.{}' already exists.", new.schema_name, new.name),
            ));
        }
        let columns = new.columns.iter().map(|c| Versioned { column: Arc::new(c.clone()), added: 1, dropped: None });
        let mut table = Table {
            id: new.id,
            uuid: new.uuid,
            schema_name: Arc::clone(&new.schema_name),
            name: Arc::clone(&new.name),
            draft_name: Arc::clone(&new.draft_name),
            live: new.live,
            options: new.options.clone(),
            columns: columns.collect(),
            version: 1,
            schemas: Vec::new(),
        };
        table.derive();
        self.next_table_id = self.next_table_id.max(new.id + 1);
        self.insert(table);
        Ok(())
    }

    fn insert(&mut self, table: Table) {
        self.by_name.insert((Arc::clone(&table.schema_name), Arc::clone(&table.name)), table.id);
        self.by_uuid.insert(table.uuid, table.id);
        self.tables.insert(table.id, Arc::new(table));
    }

    fn update(&mut self, id: u32, change: impl FnOnce(&mut Table)) -> Result<()> {
        let table = self.tables.get_mut(&id).ok_or_else(|| unknown(id))?;
        change(Arc::make_mut(table));
        Ok(())
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

/// Schema and object of a draft table name.
pub fn split_draft_name(name: &str) -> (&str, &str) {
    name.split_once('.').filter(|(schema, object)| !schema.is_empty() && !object.is_empty()).unwrap_or((PUBLIC, name))
}

fn unknown(id: u32) -> Error {
    Error::new(Kind::TableIdUnknown, format!("Table does not exist: {id}"))
}

/// The catalog's stored form.
#[derive(Serialize, Deserialize)]
struct Image {
    next_table_id: u32,
    cluster_id: u128,
    tables: Vec<Table>,
    /// None in stores that were written before there were any.
    #[serde(default)]
    objects: Option<objects::Image>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::column::Default;
    use super::*;
    use crate::value::ColumnType;

    /// A nullable or key column, for tests of other modules too.
    pub(crate) fn column(id: i64, name: &str, ty: ColumnType, key: Option<u16>) -> Column {
        Column {
            id,
            name: name.into(),
            ty,
            nullable: key.is_none(),
            default: Default::None,
            filler: None,
            key,
            colocation: None,
        }
    }

    /// Creates table 18, `t`.
    pub(crate) fn create_t(columns: Vec<Column>) -> Change {
        Change::CreateTable(Box::new(NewTable {
            id: 18,
            uuid: 1,
            schema_name: PUBLIC.into(),
            name: "t".into(),
            draft_name: "t".into(),
            live: false,
            options: TableOptions::default(),
            columns,
        }))
    }

    fn table(catalog: &Catalog, name: &str) -> Change {
        let columns = vec![column(1, "id", ColumnType::Int64, Some(0)), column(2, "v", ColumnType::Int8, None)];
        let (schema, object) = split_draft_name(name);
        Change::CreateTable(Box::new(NewTable {
            id: catalog.next_table_id(),
            uuid: u128::from(catalog.next_table_id()) << 64,
            schema_name: schema.into(),
            name: object.into(),
            draft_name: name.into(),
            live: true,
            options: TableOptions::default(),
            columns,
        }))
    }

    #[test]
    fn tables_come_go_and_keep_their_versions_through_a_checkpoint() {
        let mut catalog = Catalog::new();
        catalog.apply(&table(&catalog, "a")).unwrap();
        catalog.apply(&table(&catalog, "S.b")).unwrap();
        let twice = table(&catalog, "PUBLIC.a");
        assert_eq!(catalog.apply(&twice).unwrap_err().kind, Kind::TableExists);
        let id = catalog.table_by_draft_name("a").unwrap().id;
        let before = catalog.clone();
        catalog
            .apply(&Change::AlterTable { id, add: vec![column(3, "w", ColumnType::Int8, None)], drop: vec![] })
            .unwrap();
        catalog.apply(&Change::AlterTable { id, add: vec![], drop: vec![2] }).unwrap();
        assert_eq!(before.table(id).unwrap().newest().version, 1);

        let mut again = Catalog::decode(&catalog.encode()).unwrap();
        let names = |c: &Catalog, v| {
            c.table(id).unwrap().schema(v).unwrap().columns.iter().map(|c| c.name.to_string()).collect::<Vec<_>>()
        };
        for c in [&catalog, &again] {
            assert_eq!(names(c, 1), ["id", "v"]);
            assert_eq!(names(c, 2), ["id", "v", "w"]);
            assert_eq!(names(c, 3), ["id", "w"]);
            assert!(c.table(id).unwrap().schema(4).is_none() && c.table(id).unwrap().schema(0).is_none());
        }
        again.apply(&Change::DropTable { id }).unwrap();
        assert!(again.table_by_draft_name("a").is_none() && again.table_by_uuid(u128::from(id) << 64).is_none());
        assert_eq!(again.next_table_id(), catalog.next_table_id());
        assert_eq!(again.table_by_name("S", "b").unwrap().qualified_name(), "S.b");
    }

    #[test]
    fn columns_change_in_place_and_objects_go_with_their_table() {
        let mut catalog = Catalog::new();
        catalog.apply(&table(&catalog, "a")).unwrap();
        let id = catalog.table_by_draft_name("a").unwrap().id;
        catalog
            .apply(&Change::AlterTable { id, add: vec![column(3, "w", ColumnType::Int8, None)], drop: vec![] })
            .unwrap();
        catalog.apply(&Change::AlterColumns { id, columns: vec![column(2, "v", ColumnType::Int64, None)] }).unwrap();
        let index =
            Index { id: 30, name: "I".into(), table: id, sorted: true, columns: vec![(2, Order::new(true, None))] };
        catalog.apply(&Change::Object(ObjectChange::CreateIndex(Box::new(index)))).unwrap();
        catalog.apply(&Change::Object(ObjectChange::CreateSchema { id: 31, name: "R".into() })).unwrap();

        let mut again = Catalog::decode(&catalog.encode()).unwrap();
        for c in [&catalog, &again] {
            let types = |v| {
                let columns = &c.table(id).unwrap().schema(v).unwrap().columns;
                columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect::<Vec<_>>().join(", ")
            };
            assert_eq!(types(1), "id INT64, v INT8");
            assert_eq!(types(2), "id INT64, v INT8, w INT8");
            assert_eq!(types(3), "id INT64, v INT64, w INT8");
            assert_eq!((c.table(id).unwrap().next_column_id(), c.next_table_id()), (4, 32));
            assert!(c.index_by_name("PUBLIC", "I").is_some() && c.has_schema("R") && !c.has_schema("Q"));
        }
        again.apply(&Change::DropTable { id }).unwrap();
        assert_eq!(again.objects().indexes().count(), 0);
    }

    #[test]
    fn a_catalog_from_before_there_were_schemas_zones_and_indexes_is_read() {
        let old = r#"{"next_table_id":19,"cluster_id":7,"tables":[{"id":18,"uuid":1,"schema_name":"PUBLIC","name":"T",
            "draft_name":"T","live":false,"version":1,"columns":[{"added":1,"dropped":null,"column":{"id":1,"name":"ID",
            "ty":"Int32","nullable":false,"default":"None","key":0,"colocation":null}}]}]}"#;
        let catalog = Catalog::decode(old.as_bytes()).unwrap();
        let table = catalog.table_by_name(PUBLIC, "T").unwrap();
        assert_eq!((table.options.clone(), table.newest().columns[0].filler.clone()), (TableOptions::default(), None));
        assert_eq!(&*catalog.objects().zone(catalog.objects().default_zone()).unwrap().name, "Default");
        let change = r#"{"AlterTable":{"id":18,"add":[],"drop":[2]}}"#;
        assert!(matches!(serde_json::from_str(change).unwrap(), Change::AlterTable { id: 18, .. }));
        let change = r#"{"CreateTable":{"id":18,"uuid":1,"schema_name":"PUBLIC","name":"T","draft_name":"T","live":false,
            "columns":[]}}"#;
        assert!(matches!(serde_json::from_str(change).unwrap(), Change::CreateTable(_)));
    }

    #[test]
    fn tables_and_their_versions_have_limits() {
        let mut catalog = Catalog::new();
        let create = create_t(vec![column(1, "id", ColumnType::Int32, Some(0))]);
        let alter = Change::AlterTable { id: 18, add: Vec::new(), drop: Vec::new() };
        catalog.apply(&create).unwrap();
        let mut table = Table::clone(catalog.table(18).unwrap());
        for (version, fits) in [(TABLE_VERSIONS_MAX - 1, true), (TABLE_VERSIONS_MAX, false)] {
            table.version = version;
            catalog.tables.insert(18, Arc::new(table.clone()));
            assert_eq!(catalog.check_room(&alter).is_ok(), fits);
        }
        catalog.tables = (1..TABLES_MAX as u32).map(|id| (id, Arc::new(table.clone()))).collect();
        catalog.check_room(&create).unwrap();
        catalog.tables.insert(0, Arc::new(table));
        let error = catalog.check_room(&create).unwrap_err();
        assert_eq!((error.kind, &*error.message), (Kind::LimitExceeded, "There are 100000 tables, which is the limit"));
    }
}
