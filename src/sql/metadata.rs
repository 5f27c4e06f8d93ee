//! What drivers show: the tables, views, columns, keys and schemas there are, by name patterns, and what is told of types.
//!
//! A pattern is one of SQL's LIKE: `%` stands for any text, `_` for one character, and a backslash before either for
//! itself. No pattern is `%`.

use crate::config::{DECIMAL_SCALE_MAX, NAME_PATTERN_BYTES_MAX};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Catalog, PUBLIC, Table};
use crate::value::{ColumnType, UNLIMITED};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Precision and scale of a type that has none.
pub const UNDEFINED_PRECISION: i64 = -1;
/// As for the precision.
pub const UNDEFINED_SCALE: i64 = i32::MIN as i64;
/// Precision and scale of all intervals.
const INTERVAL_DIGITS: (i64, i64) = (10, 6);

/// The schema of the system views.
pub const SYSTEM: &str = "SYSTEM";

/// Which of the two a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// Rows of somebody's own.
    Table,
    /// What the server tells of itself.
    View,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// Which of the two.
    pub kind: RelationKind,
    /// Its schema.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// A column of a table or view.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInfo {
    /// The schema.
    pub schema: Arc<str>,
    /// The table or view.
    pub table: Arc<str>,
    /// The column.
    pub name: Arc<str>,
    /// Its type.
    pub ty: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The schema.
    pub schema: Arc<str>,
    /// The table.
    pub table: Arc<str>,
    /// The key's name.
    pub name: String,
    /// Its columns, in key order.
    pub columns: Vec<Arc<str>>,
}

impl RelationKind {
    /// As drivers show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
        }
    }

    /// Whether it is among those asked for; no list asks for all.
    pub fn is_asked_for(self, names: Option<&[&str]>) -> bool {
        names.is_none_or(|names| names.iter().any(|name| *name == "%" || *name == self.name()))
    }
}

/// A pattern for names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    AnyText,
    AnyOne,
    One(char),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `LimitExceeded` beyond [`NAME_PATTERN_BYTES_MAX`] bytes.
    pub fn new(text: Option<&str>) -> Result<Self> {
        let text = text.unwrap_or("%");
        if text.len() > NAME_PATTERN_BYTES_MAX {
            let text = format!("A name pattern of {} bytes, the limit is {NAME_PATTERN_BYTES_MAX}", text.len());
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '%' if pieces.last() == Some(&Piece::AnyText) => continue,
                '%' => Piece::AnyText,
                '_' => Piece::AnyOne,
                '\\' => Piece::One(chars.next().unwrap_or('\\')),
                c => Piece::One(c),
            });
        }
        Ok(Self(pieces))
    }

    /// Whether a name is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        // Where the last `%` stands, and the rest of the name that it was tried with.
        let mut retry = None;
        let (mut place, mut rest) = (0, name.chars());
        loop {
            let before = rest.clone();
            match (self.0.get(place), rest.next()) {
                (Some(Piece::AnyText), _) => {
                    place += 1;
                    rest = before;
                    retry = Some((place, rest.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some(Piece::AnyOne), Some(_)) => {
                    place += 1;
                    continue;
                }
                (Some(Piece::One(c)), Some(found)) if *c == found => {
                    place += 1;
                    continue;
                }
                _ => {}
            }
            // The text that the last `%` stands for is one character longer.
            let Some((after, tried)) = &mut retry else { return false };
            if tried.next().is_none() {
                return false;
            }
            (place, rest) = (*after, tried.clone());
        }
    }
}

/// Tables and views, by kind, schema and name.
pub fn relations(catalog: &Catalog, schema: &Pattern, name: &Pattern) -> BTreeSet<Relation> {
    let tables =
        catalog.tables().map(|table| (RelationKind::Table, Arc::clone(&table.schema_name), Arc::clone(&table.name)));
    let views = views().map(|(name, _)| (RelationKind::View, SYSTEM.into(), name.into()));
    tables
        .chain(views)
        .filter(|(_, of, named)| schema.matches(of) && name.matches(named))
        .map(|(kind, schema, name)| Relation { kind, schema, name })
        .collect()
}

/// Columns, by schema, table and their place in it.
pub fn columns<'a>(
    catalog: &'a Catalog,
    schema: &'a Pattern,
    table: &'a Pattern,
    column: &'a Pattern,
) -> impl Iterator<Item = ColumnInfo> + 'a {
    let mut owners: Vec<_> = relations(catalog, schema, table).into_iter().collect();
    owners.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    owners.into_iter().flat_map(move |owner| {
        let info = |name: &str, ty, nullable| ColumnInfo {
            schema: Arc::clone(&owner.schema),
            table: Arc::clone(&owner.name),
            name: name.into(),
            ty,
            nullable,
        };
        let found: Vec<ColumnInfo> = match owner.kind {
            RelationKind::Table => {
                let table = catalog.table_by_name(&owner.schema, &owner.name);
                let columns = table.map_or(&[][..], |table| &table.newest().columns[..]);
                columns.iter().map(|c| info(&c.name, c.ty, c.nullable)).collect()
            }
            RelationKind::View => {
                let columns = views().find(|(name, _)| **name == *owner.name).map(|(_, columns)| columns);
                columns.into_iter().flatten().map(|(name, ty, nullable)| info(name, ty, nullable)).collect()
            }
        };
        found.into_iter().filter(|found| column.matches(&found.name))
    })
}

/// Primary keys, by schema and table.
pub fn keys<'a>(catalog: &'a Catalog, schema: &'a Pattern, table: &'a Pattern) -> impl Iterator<Item = KeyInfo> + 'a {
    let tables = relations(catalog, schema, table).into_iter().filter(|owner| owner.kind == RelationKind::Table);
    tables.filter_map(|owner| {
        let table = catalog.table_by_name(&owner.schema, &owner.name)?;
        let name = format!("PK_{}", owner.name);
        Some(KeyInfo { schema: owner.schema, table: owner.name, name, columns: key_columns(table).collect() })
    })
}

/// Schemas, by name: the two there always are, those that were made, and those that have tables.
pub fn schemas(catalog: &Catalog) -> BTreeSet<Arc<str>> {
    let of_tables = catalog.tables().map(|table| Arc::clone(&table.schema_name));
    let made = catalog.objects().schemas().map(|(name, _)| Arc::clone(name));
    of_tables.chain(made).chain([PUBLIC.into(), SYSTEM.into()]).collect()
}

/// The key columns of a table, in key order.
pub fn key_columns(table: &Table) -> impl Iterator<Item = Arc<str>> + '_ {
    let schema = table.newest();
    schema.key.iter().filter_map(|&place| schema.columns.get(place)).map(|column| column.name.as_ref().into())
}

/// Precision and scale that a real node tells of a column of this type.
pub fn precision_and_scale(ty: Option<ColumnType>) -> (i64, i64) {
    let length = |n: u32| if n == UNLIMITED { UNDEFINED_PRECISION } else { n.into() };
    match ty {
        None | Some(ColumnType::Uuid) => (UNDEFINED_PRECISION, UNDEFINED_SCALE),
        Some(ColumnType::Period | ColumnType::Duration) => INTERVAL_DIGITS,
        Some(ColumnType::Boolean) => (1, UNDEFINED_SCALE),
        Some(ColumnType::Int8) => (3, 0),
        Some(ColumnType::Int16) => (5, 0),
        Some(ColumnType::Int32) => (10, 0),
        Some(ColumnType::Int64) => (19, 0),
        Some(ColumnType::Float) => (7, UNDEFINED_SCALE),
        Some(ColumnType::Double) => (15, UNDEFINED_SCALE),
        Some(ColumnType::Decimal { precision, scale }) => {
            let limited = |n: u32| i64::from(n.min(DECIMAL_SCALE_MAX));
            (limited(precision), limited(scale))
        }
        Some(ColumnType::Number { precision }) => (precision.min(DECIMAL_SCALE_MAX).into(), 0),
        Some(ColumnType::Date) => (0, UNDEFINED_SCALE),
        Some(
            ColumnType::Time { precision } | ColumnType::Datetime { precision } | ColumnType::Timestamp { precision },
        ) => (precision.into(), UNDEFINED_SCALE),
        Some(ColumnType::String { length: n } | ColumnType::Bytes { length: n } | ColumnType::Bitmask { bits: n }) => {
            (length(n), UNDEFINED_SCALE)
        }
    }
}

type View = (&'static str, Vec<(&'static str, ColumnType, bool)>);

/// The system views and their columns, in builds that can read them.
fn views() -> impl Iterator<Item = View> {
    #[cfg(feature = "sql")]
    let views = super::query::views::all();
    #[cfg(not(feature = "sql"))]
    let views = std::iter::empty();
    views
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like() {
        for (pattern, yes, no) in [
            (None, &["", "A", "%"][..], &[][..]),
            (Some("T"), &["T"], &["t", "", "TT"]),
            (Some(""), &[""], &["A"]),
            (Some("T_1"), &["TA1", "T_1", "Té1"], &["T1", "TAB1"]),
            (Some("T\\_1"), &["T_1"], &["TA1"]),
            (Some("%A%B"), &["AB", "xAyB", "AABB"], &["BA", "ABx"]),
            (Some("A%%B_"), &["ABx", "AxBBy"], &["AB"]),
            (Some("100\\%"), &["100%"], &["1000"]),
            (Some("x\\"), &["x\\"], &["x"]),
        ] {
            let like = Pattern::new(pattern).unwrap();
            yes.iter().for_each(|name| assert!(like.matches(name), "{pattern:?} {name}"));
            no.iter().for_each(|name| assert!(!like.matches(name), "{pattern:?} {name}"));
        }
    }

    #[test]
    fn a_pattern_of_many_wildcards_is_quick() {
        let like = Pattern::new(Some(&"%a".repeat(500))).unwrap();
        assert!(!like.matches(&"a".repeat(499)));
        assert!(!like.matches(&format!("{}b", "a".repeat(5_000))));
        assert_eq!(Pattern::new(Some(&"a".repeat(2_000))).unwrap_err().kind, Kind::LimitExceeded);
    }
}
