//! The rows that INSERT and UPDATE make.

use super::assign::assign;
use crate::error::{Error, Kind, Result};
use crate::op::resolve::Resolver;
use crate::op::tuple::NewTuple;
use crate::store::catalog::Table;
use crate::store::column::{Column, Default};
use crate::store::row::Row;
use crate::store::schema::Schema;
use crate::value::Value;
use std::sync::Arc;

/// A new row with values for `columns`, which are positions in `schema`. `None` is DEFAULT, as for a column that is not
/// named.
///
/// # Errors
/// Those of [`assign`]; `SqlConstraint` for a column that needs a value.
pub fn inserted(
    schema: &Schema,
    columns: &[usize],
    values: impl Iterator<Item = Option<Value<'static>>>,
    rng: &mut fastrand::Rng,
) -> Result<NewTuple> {
    let mut row: Vec<Option<Value<'static>>> = vec![None; schema.columns.len()];
    for (&column, value) in columns.iter().zip(values) {
        if let (Some(slot), Some(column), Some(value)) = (row.get_mut(column), schema.columns.get(column), value) {
            *slot = Some(assign(value, column)?);
        }
    }
    let lacks = |(column, value): &(&Arc<Column>, &Option<_>)| {
        value.is_none() && !column.nullable && column.default == Default::None
    };
    if let Some((column, _)) = schema.columns.iter().zip(&row).find(lacks) {
        return Err(Error::new(Kind::SqlConstraint, column.null_refused().message));
    }
    packed(schema, row, rng)
}

/// A stored row of `table` with new values for `columns`, which are positions in its newest schema.
///
/// # Errors
/// Those of [`assign`].
pub fn updated(
    table: &Table,
    row: &Row,
    columns: &[usize],
    values: impl Iterator<Item = Value<'static>>,
    rng: &mut fastrand::Rng,
) -> Result<NewTuple> {
    let schema = table.newest();
    let widened = match table.schema(row.version()) {
        Some(of) if of.version != schema.version => Some(schema.widen(row, of)),
        _ => None,
    };
    let old = schema.tuple(widened.as_ref().unwrap_or(row))?;
    let mut new = Vec::with_capacity(schema.columns.len());
    for (place, column) in schema.columns.iter().enumerate() {
        new.push(Some(old.value(place, column.ty)?.into_owned()));
    }
    for (&column, value) in columns.iter().zip(values) {
        if let (Some(slot), Some(column)) = (new.get_mut(column), schema.columns.get(column)) {
            *slot = Some(assign(value, column)?);
        }
    }
    packed(schema, new, rng)
}

/// What a row lacks breaks a constraint.
fn packed(schema: &Schema, row: Vec<Option<Value<'static>>>, rng: &mut fastrand::Rng) -> Result<NewTuple> {
    Resolver::new(schema).tuple(row.into_iter(), rng).map_err(|error| match error.kind {
        Kind::NotNull | Kind::MissingKey => Error::new(Kind::SqlConstraint, error.message),
        _ => error,
    })
}
