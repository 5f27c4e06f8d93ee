//! What the catalog records beside tables: schemas, distribution zones, secondary indexes.
//!
//! Clients create them and ask for them. All rows are in memory, in one place, so they have no effect on how rows are
//! kept; the query engine derives an order of the rows from an index.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The id of the zone that is there from the start.
pub const FIRST_ZONE: u32 = 0;
/// Seconds of an adjustment that never happens, as Ignite shows it.
pub const SCALE_OFF: u32 = i32::MAX as u32;

/// Schemas, zones and indexes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    schemas: imbl::OrdMap<Arc<str>, u32>,
    zones: imbl::OrdMap<u32, Arc<Zone>>,
    default_zone: u32,
    indexes: imbl::OrdMap<u32, Arc<Index>>,
}

/// A distribution zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Never reused.
    pub id: u32,
    /// Its name.
    pub name: Arc<str>,
    /// Partitions of its tables.
    pub partitions: u32,
    /// Copies of each partition; none stands for all nodes.
    pub replicas: Option<u32>,
    /// Copies that must agree.
    pub quorum: u32,
    /// Which nodes hold its data.
    pub filter: Arc<str>,
    /// Seconds after which a node that came is used.
    pub scale_up: u32,
    /// Seconds after which a node that left is given up.
    pub scale_down: u32,
    /// How copies agree.
    pub consistency: Arc<str>,
    /// Its storage profiles; the first is that of tables which name none.
    pub profiles: Vec<Arc<str>>,
}

/// A secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Never reused.
    pub id: u32,
    /// Its name, in the schema of its table.
    pub name: Arc<str>,
    /// The id of its table.
    pub table: u32,
    /// Whether it is sorted, or else hashed.
    pub sorted: bool,
    /// Its columns, by their ids.
    pub columns: Vec<(i64, Order)>,
}

/// How a column of an index is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Largest first.
    pub descending: bool,
    /// NULLs before values.
    pub nulls_first: bool,
}

/// A change of the objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ObjectChange {
    /// A schema comes.
    CreateSchema {
        /// Its id.
        id: u32,
        /// Its name.
        name: Arc<str>,
    },
    /// A schema goes; its tables have gone before.
    DropSchema {
        /// Its name.
        name: Arc<str>,
    },
    /// A zone comes, or is another one now.
    PutZone(Box<Zone>),
    /// A zone that no table is in goes.
    DropZone {
        /// Its id.
        id: u32,
    },
    /// Tables that name no zone belong to this one from now on.
    SetDefaultZone {
        /// Its id.
        id: u32,
    },
    /// An index comes.
    CreateIndex(Box<Index>),
    /// An index goes.
    DropIndex {
        /// Its id.
        id: u32,
    },
}

/// The stored form.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Image {
    schemas: Vec<(Arc<str>, u32)>,
    zones: Vec<Zone>,
    default_zone: u32,
    indexes: Vec<Index>,
}

impl Default for Objects {
    /// One zone, as on a node that was just started.
    fn default() -> Self {
        Self {
            schemas: imbl::OrdMap::new(),
            zones: imbl::OrdMap::unit(FIRST_ZONE, Arc::new(Zone::new(FIRST_ZONE, "Default".into()))),
            default_zone: FIRST_ZONE,
            indexes: imbl::OrdMap::new(),
        }
    }
}

impl Zone {
    /// A zone with Ignite's defaults.
    pub fn new(id: u32, name: Arc<str>) -> Self {
        Self {
            id,
            name,
            partitions: crate::config::PARTITIONS.into(),
            replicas: Some(1),
            quorum: 1,
            filter: "$..*".into(),
            scale_up: 5,
            scale_down: SCALE_OFF,
            consistency: "STRONG_CONSISTENCY".into(),
            profiles: vec!["default".into()],
        }
    }
}

impl Order {
    /// NULLs are larger than values unless told otherwise.
    pub fn new(descending: bool, nulls_first: Option<bool>) -> Self {
        Self { descending, nulls_first: nulls_first.unwrap_or(descending) }
    }
}

impl Objects {
    /// The schemas that were created, with their ids.
    pub fn schemas(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.schemas.iter().map(|(name, id)| (name, *id))
    }

    /// The id of a schema that was created.
    pub fn schema(&self, name: &str) -> Option<u32> {
        self.schemas.get(name).copied()
    }

    /// All zones, by id.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.values()
    }

    /// The zone of this id.
    pub fn zone(&self, id: u32) -> Option<&Arc<Zone>> {
        self.zones.get(&id)
    }

    /// The zone of this exact name.
    pub fn zone_by_name(&self, name: &str) -> Option<&Arc<Zone>> {
        self.zones().find(|zone| *zone.name == *name)
    }

    /// The id of the zone of tables that name none.
    pub fn default_zone(&self) -> u32 {
        self.default_zone
    }

    /// All indexes, by id.
    pub fn indexes(&self) -> impl Iterator<Item = &Arc<Index>> {
        self.indexes.values()
    }

    /// The indexes of a table, by id.
    pub fn indexes_of(&self, table: u32) -> impl Iterator<Item = &Arc<Index>> {
        self.indexes().filter(move |index| index.table == table)
    }

    /// How many there are of all kinds.
    pub fn count(&self) -> usize {
        self.schemas.len() + self.zones.len() + self.indexes.len()
    }

    pub(super) fn apply(&mut self, change: &ObjectChange) {
        match change {
            ObjectChange::CreateSchema { id, name } => {
                self.schemas.insert(Arc::clone(name), *id);
            }
            ObjectChange::DropSchema { name } => {
                self.schemas.remove(name);
            }
            ObjectChange::PutZone(zone) => {
                self.zones.insert(zone.id, Arc::new((**zone).clone()));
            }
            ObjectChange::DropZone { id } => {
                self.zones.remove(id);
            }
            ObjectChange::SetDefaultZone { id } => self.default_zone = *id,
            ObjectChange::CreateIndex(index) => {
                self.indexes.insert(index.id, Arc::new((**index).clone()));
            }
            ObjectChange::DropIndex { id } => {
                self.indexes.remove(id);
            }
        }
    }

    /// A table goes, and its indexes with it.
    pub(super) fn forget_table(&mut self, table: u32) {
        let gone: Vec<u32> = self.indexes_of(table).map(|index| index.id).collect();
        for id in gone {
            self.indexes.remove(&id);
        }
    }

    pub(super) fn image(&self) -> Image {
        Image {
            schemas: self.schemas.iter().map(|(name, id)| (Arc::clone(name), *id)).collect(),
            zones: self.zones().map(|zone| (**zone).clone()).collect(),
            default_zone: self.default_zone,
            indexes: self.indexes().map(|index| (**index).clone()).collect(),
        }
    }

    pub(super) fn of_image(image: Image) -> Self {
        Self {
            schemas: image.schemas.into_iter().collect(),
            zones: image.zones.into_iter().map(|zone| (zone.id, Arc::new(zone))).collect(),
            default_zone: image.default_zone,
            indexes: image.indexes.into_iter().map(|index| (index.id, Arc::new(index))).collect(),
        }
    }
}

impl ObjectChange {
    /// The id that the change gives to something, if it does.
    pub(super) fn new_id(&self) -> Option<u32> {
        match self {
            Self::CreateSchema { id, .. } => Some(*id),
            Self::PutZone(zone) => Some(zone.id),
            Self::CreateIndex(index) => Some(index.id),
            Self::DropSchema { .. } | Self::DropZone { .. } | Self::SetDefaultZone { .. } | Self::DropIndex { .. } => {
                None
            }
        }
    }
}
