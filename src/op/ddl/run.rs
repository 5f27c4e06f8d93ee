//! Runs statements about schemas, zones, indexes and transactions: the checks, in Ignite's words, then one commit.

use super::objects::{CreateIndex, Victim, ZoneChange, ZoneOptions};
use super::{TableName, check_schema, find, invalid, is_system, schema_of, validation};
use crate::config::CATALOG_OBJECTS_MAX;
use crate::error::{Error, Kind, Result};
use crate::op::table::{self, check_name};
use crate::store::catalog::{Change, PUBLIC, TableOptions};
use crate::store::engine::Engine;
use crate::store::objects::{Index, ObjectChange, Order, Zone};
use crate::store::tx::{self, State, TxId};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) fn create_schema(engine: &mut Engine, name: &str, if_not_exists: bool) -> Result<bool> {
    if is_system(name) {
        return Err(invalid(format!("Reserved system schema with name '{name}' can't be created.")));
    }
    if engine.catalog().has_schema(name) {
        if if_not_exists {
            return Ok(false);
        }
        return Err(invalid(format!("Schema with name '{name}' already exists.")));
    }
    check_name("schema", name).map_err(validation)?;
    let id = next_id(engine)?;
    object(engine, ObjectChange::CreateSchema { id, name: name.into() })
}

pub(super) fn drop_schema(engine: &mut Engine, name: &str, if_exists: bool, cascade: bool) -> Result<bool> {
    if is_system(name) {
        return Err(invalid(format!("Operations with system schemas are not allowed, schema: {name}")));
    }
    if !engine.catalog().has_schema(name) {
        if if_exists {
            return Ok(false);
        }
        return Err(invalid(format!("Schema with name '{name}' not found.")));
    }
    let inside = engine.catalog().tables().filter(|table| *table.schema_name == *name);
    let tables: Vec<u32> = inside.map(|table| table.id).collect();
    if !tables.is_empty() && !cascade {
        return Err(invalid(format!("Schema '{name}' is not empty. Use CASCADE to drop it anyway.")));
    }
    if name == PUBLIC {
        return Err(invalid("Schema 'PUBLIC' is that of unqualified names and cannot be dropped."));
    }
    engine.check_writable(0)?;
    let mut commit = engine.begin_commit();
    for id in tables {
        commit.change(&Change::DropTable { id })?;
    }
    commit.change(&Change::Object(ObjectChange::DropSchema { name: name.into() }))?;
    commit.finish();
    Ok(true)
}

pub(super) fn create_zone(engine: &mut Engine, name: &str, if_not_exists: bool, options: &ZoneOptions) -> Result<bool> {
    if engine.catalog().objects().zone_by_name(name).is_some() {
        if if_not_exists {
            return Ok(false);
        }
        return Err(zone_exists(name));
    }
    check_name("zone", name).map_err(validation)?;
    let mut zone = Zone::new(next_id(engine)?, name.into());
    set(&mut zone, options)?;
    object(engine, ObjectChange::PutZone(Box::new(zone)))
}

pub(super) fn alter_zone(engine: &mut Engine, name: &str, if_exists: bool, change: &ZoneChange) -> Result<bool> {
    let Some(zone) = zone(engine, name, if_exists)? else { return Ok(false) };
    let mut new = (*zone).clone();
    match change {
        ZoneChange::SetDefault => return object(engine, ObjectChange::SetDefaultZone { id: zone.id }),
        ZoneChange::Rename(name) => {
            if engine.catalog().objects().zone_by_name(name).is_some() {
                return Err(zone_exists(name));
            }
            check_name("zone", name).map_err(validation)?;
            new.name = name.as_str().into();
        }
        ZoneChange::Set(options) => {
            if options.partitions.is_some_and(|partitions| partitions != zone.partitions) {
                return Err(invalid("Partitions number cannot be altered."));
            }
            set(&mut new, options)?;
        }
    }
    object(engine, ObjectChange::PutZone(Box::new(new)))
}

pub(super) fn drop_zone(engine: &mut Engine, name: &str, if_exists: bool) -> Result<bool> {
    let Some(zone) = zone(engine, name, if_exists)? else { return Ok(false) };
    if zone.id == engine.catalog().objects().default_zone() {
        return Err(invalid(format!("Default distribution zone can't be dropped: zoneName={name}.")));
    }
    if let Some(table) = engine.catalog().tables().find(|table| table.options.zone == zone.id) {
        return Err(invalid(format!("Distribution zone '{name}' is assigned to the table '{}'.", table.name)));
    }
    object(engine, ObjectChange::DropZone { id: zone.id })
}

/// What CREATE TABLE says of its zone and storage profile.
pub(super) fn table_options(
    engine: &Engine,
    zone: Option<&str>,
    profile: Option<&str>,
    key_order: Option<Vec<Order>>,
) -> Result<TableOptions> {
    let objects = engine.catalog().objects();
    let found = match zone {
        Some(name) => objects.zone_by_name(name).ok_or_else(|| no_zone(name))?,
        None => objects.zone(objects.default_zone()).ok_or_else(|| no_zone("Default"))?,
    };
    if let Some(profile) = profile.filter(|profile| !found.profiles.iter().any(|p| **p == **profile)) {
        return Err(invalid(format!(
            "Zone with name '{}' does not contain table's storage profile [storageProfile='{profile}'].",
            found.name
        )));
    }
    Ok(TableOptions { zone: found.id, profile: profile.map(Into::into), key_order })
}

pub(super) fn create_index(engine: &mut Engine, create: &CreateIndex, schema: &str) -> Result<bool> {
    let schema = schema_of(&create.table, schema);
    check_schema(engine, &schema)?;
    let name = &create.name;
    if engine.catalog().table_by_name(&schema, name).is_some() {
        return Err(invalid(format!("Table with name '{schema}.{name}' already exists.")));
    }
    if engine.catalog().index_by_name(&schema, name).is_some() || of_key(engine, &schema, name) {
        if create.if_not_exists {
            return Ok(false);
        }
        return Err(invalid(format!("Index with name '{schema}.{name}' already exists.")));
    }
    check_name("index", name).map_err(validation)?;
    let table = find(engine, &create.table, false, &schema)?.ok_or_else(|| invalid("Table not found."))?;
    let newest = table.newest();
    let mut named = HashSet::new();
    let mut columns = Vec::with_capacity(create.columns.len().min(newest.columns.len()));
    for (column, order) in &create.columns {
        if !named.insert(column) {
            return Err(invalid(format!("Column with name '{column}' specified more than once.")));
        }
        let found = newest.position(column).and_then(|place| newest.columns.get(place)).ok_or_else(|| {
            invalid(format!("Column with name '{column}' not found in table '{}'.", table.qualified_name()))
        })?;
        columns.push((found.id, *order));
    }
    let (table, id) = (table.id, next_id(engine)?);
    let index = Index { id, name: name.as_str().into(), table, sorted: create.sorted, columns };
    object(engine, ObjectChange::CreateIndex(Box::new(index)))
}

pub(super) fn drop_index(engine: &mut Engine, index: &TableName, if_exists: bool, schema: &str) -> Result<bool> {
    let schema = schema_of(index, schema);
    if !if_exists {
        check_schema(engine, &schema)?;
    }
    match engine.catalog().index_by_name(&schema, &index.name).map(|index| index.id) {
        Some(id) => object(engine, ObjectChange::DropIndex { id }),
        None if of_key(engine, &schema, &index.name) => Err(invalid("Dropping primary key index is not allowed.")),
        None if if_exists => Ok(false),
        None => Err(invalid(format!("Index with name '{schema}.{}' not found.", index.name))),
    }
}

/// The number of a UUID that KILL names.
///
/// # Errors
/// `SqlRuntime`.
pub fn victim(what: Victim, id: &str) -> Result<u128> {
    let grouped = id.len() == 36 && [8, 13, 18, 23].iter().all(|&at| id.as_bytes().get(at) == Some(&b'-'));
    let digits: String = id.chars().filter(|c| *c != '-').collect();
    let bad = || {
        Error::new(Kind::SqlRuntime, format!("Invalid operation ID format [operationId={id}, type={}].", what.name()))
    };
    if !grouped || digits.len() != 32 || digits.starts_with('+') {
        return Err(bad());
    }
    u128::from_str_radix(&digits, 16).map_err(|_| bad())
}

/// Rolls a transaction back that is open; whether it was.
pub(super) fn kill_transaction(engine: &mut Engine, id: u128) -> bool {
    let Ok(id) = u64::try_from(id).map(TxId) else { return false };
    let open = engine.transactions.get(id).is_some_and(|tx| !matches!(tx.state, State::Dead(_)));
    if open {
        engine.kill(id, tx::finished(id));
    }
    open
}

/// Whether this is the name that a primary key's index is shown with.
fn of_key(engine: &Engine, schema: &str, name: &str) -> bool {
    name.strip_suffix("_PK").is_some_and(|table| engine.catalog().table_by_name(schema, table).is_some())
}

fn set(zone: &mut Zone, options: &ZoneOptions) -> Result<()> {
    if let Some(replicas) = options.replicas {
        zone.replicas = replicas;
    }
    zone.partitions = options.partitions.unwrap_or(zone.partitions);
    zone.quorum = options.quorum.unwrap_or(zone.quorum);
    zone.scale_up = options.scale_up.unwrap_or(zone.scale_up);
    zone.scale_down = options.scale_down.unwrap_or(zone.scale_down);
    if let Some(filter) = &options.filter {
        zone.filter = filter.as_str().into();
    }
    if let Some(consistency) = &options.consistency {
        zone.consistency = consistency.to_uppercase().into();
        if !matches!(&*zone.consistency, "STRONG_CONSISTENCY" | "HIGH_AVAILABILITY") {
            return Err(invalid(format!("Failed to parse consistency mode: {consistency}.")));
        }
    }
    if !options.profiles.is_empty() {
        for profile in &options.profiles {
            check_name("storage profile", profile).map_err(validation)?;
        }
        zone.profiles = options.profiles.iter().map(|name| name.as_str().into()).collect();
    }
    Ok(())
}

fn zone(engine: &Engine, name: &str, if_exists: bool) -> Result<Option<Arc<Zone>>> {
    match engine.catalog().objects().zone_by_name(name) {
        Some(zone) => Ok(Some(Arc::clone(zone))),
        None if if_exists => Ok(None),
        None => Err(no_zone(name)),
    }
}

fn no_zone(name: &str) -> Error {
    invalid(format!("Distribution zone with name '{name}' not found."))
}

fn zone_exists(name: &str) -> Error {
    invalid(format!("Distribution zone with name '{name}' already exists."))
}

fn next_id(engine: &Engine) -> Result<u32> {
    if engine.catalog().objects().count() >= CATALOG_OBJECTS_MAX {
        return Err(invalid(format!(
            "The store has {CATALOG_OBJECTS_MAX} schemas, zones and indexes, which is the limit."
        )));
    }
    Ok(engine.catalog().next_table_id())
}

fn object(engine: &mut Engine, change: ObjectChange) -> Result<bool> {
    engine.change(&Change::Object(change)).map_err(validation)?;
    Ok(true)
}

/// Changes a column, once its table is known.
pub(super) fn alter_column(
    engine: &mut Engine,
    table: &crate::store::catalog::Table,
    name: &str,
    change: &super::AlterColumn,
) -> Result<bool> {
    let newest = table.newest();
    let column = newest.position(name).and_then(|place| newest.columns.get(place)).ok_or_else(|| {
        invalid(format!("Column with name '{name}' not found in table '{}'.", table.qualified_name()))
    })?;
    let ty = change.ty.unwrap_or(column.ty);
    let default = match &change.default {
        None => None,
        Some(super::NewDefault::Literal(literal)) => Some(
            literal.value(ty).ok_or_else(|| super::refused(format!("Invalid default value for column '{name}'")))?,
        ),
        Some(super::NewDefault::Function) => return Err(super::no_functional_default(name)),
    };
    let change = table::ColumnChange { ty: change.ty, nullable: change.nullable, default };
    table::alter_column(engine, table, column, &change).map_err(validation)?;
    Ok(true)
}
