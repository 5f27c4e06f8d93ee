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

/// What a statement's text tells of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// NULL.
    Null,
    /// DEFAULT.
    Default,
    /// It may be anything else.
    Something,
}

/// Refuses what the text of an INSERT tells to lack a value that the table needs: then nothing runs, as on a real node.
///
/// # Errors
/// `SqlConstraint`.
pub fn check_told(schema: &Schema, columns: &[usize], row: impl Iterator<Item = Told>) -> Result<()> {
    let mut all = vec![Told::Default; schema.columns.len()];
    for (&column, told) in columns.iter().zip(row.chain(std::iter::repeat(Told::Something))) {
        if let Some(slot) = all.get_mut(column) {
            *slot = told;
        }
    }
    let lacks = |(column, told): &(&Arc<Column>, &Told)| match told {
        Told::Null => !column.nullable,
        Told::Default => !column.nullable && column.default == Default::None,
        Told::Something => false,
    };
    match schema.columns.iter().zip(&all).find(lacks) {
        Some((column, _)) => Err(Error::new(Kind::SqlConstraint, column.null_refused().message)),
        None => Ok(()),
    }
}

/// A new row with values for `columns`, which are positions in `schema`. `None` is DEFAULT, as for a column that is not
/// named.
///
/// # Errors
/// Those of [`assign`].
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
