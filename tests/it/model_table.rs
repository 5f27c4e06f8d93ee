//! A table as anybody would write it down: a map of maps, columns with versions, and what each operation answers.

use flint::client::op;
use flint::value::{ColumnType, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The values of a row by column; null is no value.
pub type Fields = BTreeMap<String, Value<'static>>;

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
    pub key: bool,
    pub nullable: bool,
    pub default: Option<Value<'static>>,
    /// The first version that has it.
    pub since: i64,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub live: bool,
    pub version: i64,
    pub columns: Vec<Column>,
    /// Rows by their key's values as text.
    pub rows: BTreeMap<String, Fields>,
}

/// A tuple or a key of a request; its values may be null, and its bytes are those sent.
#[derive(Debug, Clone)]
pub struct Tuple {
    pub fields: Vec<(String, Value<'static>)>,
    pub bytes: Vec<u8>,
}

/// What an operation answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A status other than success.
    Refused,
    Done,
    Bool(bool),
    /// Nil, or one row: of the value columns only, or of all.
    Row {
        version: i64,
        values_only: bool,
        row: Option<Fields>,
    },
    /// Nil for none, else rows of all columns.
    Rows {
        version: i64,
        rows: Vec<Fields>,
    },
    /// Nil for none, else keys as they were sent.
    Keys {
        version: i64,
        keys: Vec<Vec<u8>>,
    },
    /// Nil for none, else maps as they were sent.
    Maps(Vec<Vec<u8>>),
}

/// A tuple that fits its table.
#[derive(Debug, Clone, PartialEq)]
struct Resolved {
    key: String,
    row: Fields,
}

/// Decimals without zeros behind the point, so that equal ones are equal.
pub fn canonical(value: Value<'static>) -> Value<'static> {
    match value {
        Value::Decimal(decimal) => {
            let shortest = decimal.normalized();
            Value::Decimal(if shortest.scale < 0 { shortest.rescaled(0) } else { shortest })
        }
        other => other,
    }
}

/// The type a live table gives to a new column.
fn live_type(value: &Value<'_>) -> Option<ColumnType> {
    Some(match value {
        Value::Int(_) => ColumnType::Int64,
        Value::Bool(_) => ColumnType::Boolean,
        Value::Double(_) => ColumnType::Double,
        Value::Str(_) => ColumnType::String { length: flint::value::UNLIMITED },
        Value::Bytes(_) => ColumnType::Bytes { length: flint::value::UNLIMITED },
        Value::Uuid(_) => ColumnType::Uuid,
        Value::Date(_) => ColumnType::Date,
        Value::Decimal(_) => ColumnType::Decimal { precision: 19, scale: 3 },
        Value::Timestamp(_) => ColumnType::Timestamp { precision: 6 },
        _ => return None,
    })
}

fn fits(ty: ColumnType, value: &Value<'_>) -> bool {
    let within = |bits: u32, v: i64| v >> (bits - 1) == 0 || v >> (bits - 1) == -1;
    match (ty, value) {
        (ColumnType::Int8, Value::Int(v)) => within(8, *v),
        (ColumnType::Int16, Value::Int(v)) => within(16, *v),
        (ColumnType::Int32, Value::Int(v)) => within(32, *v),
        (ColumnType::String { length }, Value::Str(v)) => v.chars().count() <= length as usize,
        (ColumnType::Int64, Value::Int(_))
        | (ColumnType::Boolean, Value::Bool(_))
        | (ColumnType::Float, Value::Float(_))
        | (ColumnType::Double, Value::Double(_))
        | (ColumnType::Decimal { .. } | ColumnType::Number { .. }, Value::Decimal(_))
        | (ColumnType::Date, Value::Date(_))
        | (ColumnType::Time { .. }, Value::Time(_))
        | (ColumnType::Datetime { .. }, Value::Datetime(..))
        | (ColumnType::Timestamp { .. }, Value::Timestamp(_))
        | (ColumnType::Uuid, Value::Uuid(_))
        | (ColumnType::Bytes { .. } | ColumnType::Bitmask { .. }, Value::Bytes(_)) => true,
        _ => false,
    }
}

impl Table {
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.key)
    }

    /// The columns of a version.
    pub fn columns_of(&self, version: i64) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| column.since <= version)
    }

    /// Runs an operation on tuples in schema order; `version` is the request's.
    pub fn run_plain(&mut self, code: i64, version: i64, tuples: &[Tuple]) -> Answer {
        if version < 1 || version > self.version {
            return Answer::Refused;
        }
        let on_keys = [op::GET, op::GET_ALL, op::DELETE, op::DELETE_ALL, op::GET_AND_DELETE, op::CONTAINS_KEY];
        if on_keys.contains(&code) {
            return self.run_keys(code, tuples).unwrap_or(Answer::Refused);
        }
        match tuples.iter().map(|tuple| self.resolve(tuple)).collect::<Option<Vec<_>>>() {
            Some(resolved) => self.run(code, resolved, tuples, false),
            None => Answer::Refused,
        }
    }

    /// Runs an operation on maps, after the schema has grown by them.
    pub fn run_schemaless(&mut self, code: i64, tuples: &[Tuple]) -> Answer {
        let Some(new) = self.growth(tuples) else { return Answer::Refused };
        let before = self.clone();
        if !new.is_empty() {
            self.version += 1;
            let since = self.version;
            self.columns.extend(new.into_iter().map(|(name, ty)| Column {
                name,
                ty,
                key: false,
                nullable: true,
                default: None,
                since,
            }));
        }
        match tuples.iter().map(|tuple| self.resolve(tuple)).collect::<Option<Vec<_>>>() {
            Some(resolved) => self.run(code - 1, resolved, tuples, true),
            None => {
                *self = before;
                Answer::Refused
            }
        }
    }

    /// The columns that tuples bring; none if they may not.
    fn growth(&self, tuples: &[Tuple]) -> Option<BTreeMap<String, ColumnType>> {
        let mut new = BTreeMap::new();
        for (name, value) in tuples.iter().flat_map(|tuple| &tuple.fields) {
            if self.columns.iter().any(|column| column.name == *name) {
                continue;
            }
            let ty = live_type(value).filter(|_| self.live)?;
            if *new.entry(name.clone()).or_insert(ty) != ty {
                return None;
            }
        }
        Some(new)
    }

    fn resolve(&self, tuple: &Tuple) -> Option<Resolved> {
        let mut row = Fields::new();
        for column in &self.columns {
            let given = tuple.fields.iter().find(|(name, _)| *name == column.name).map(|(_, value)| value);
            match given.filter(|value| !value.is_null()).or(column.default.as_ref()) {
                Some(value) if fits(column.ty, value) => {
                    drop(row.insert(column.name.clone(), canonical(value.clone())))
                }
                None if column.nullable && !column.key => {}
                _ => return None,
            }
        }
        Some(Resolved { key: self.key_of(&row)?, row })
    }

    fn key_of(&self, row: &Fields) -> Option<String> {
        let mut key = String::new();
        for column in self.key_columns() {
            let value = row.get(&column.name).filter(|value| fits(column.ty, value))?;
            key += &format!("{value:?} ");
        }
        Some(key)
    }

    fn run_keys(&mut self, code: i64, tuples: &[Tuple]) -> Option<Answer> {
        let mut keys = Vec::new();
        let mut once = BTreeSet::new();
        for tuple in tuples {
            let fields: Fields = tuple.fields.iter().cloned().map(|(name, v)| (name, canonical(v))).collect();
            let key = self.key_of(&fields)?;
            if once.insert(key.clone()) {
                keys.push((key, tuple.bytes.clone()));
            }
        }
        let version = self.version;
        Some(match code {
            op::GET => Answer::Row { version, values_only: true, row: self.rows.get(&keys[0].0).cloned() },
            op::GET_ALL => {
                Answer::Rows { version, rows: keys.iter().filter_map(|(key, _)| self.rows.get(key).cloned()).collect() }
            }
            op::CONTAINS_KEY => Answer::Bool(self.rows.contains_key(&keys[0].0)),
            op::DELETE => Answer::Bool(self.rows.remove(&keys[0].0).is_some()),
            op::GET_AND_DELETE => Answer::Row { version, values_only: true, row: self.rows.remove(&keys[0].0) },
            op::DELETE_ALL => {
                keys.retain(|(key, _)| self.rows.remove(key).is_none());
                Answer::Keys { version, keys: keys.into_iter().map(|(_, bytes)| bytes).collect() }
            }
            _ => unreachable!("operation {code} is none on keys"),
        })
    }

    /// Runs an operation by its plain code.
    fn run(&mut self, code: i64, mut tuples: Vec<Resolved>, sent: &[Tuple], schemaless: bool) -> Answer {
        let version = self.version;
        let old = |row| Answer::Row { version, values_only: !schemaless, row };
        match code {
            op::UPSERT | op::UPSERT_ALL => {
                tuples.into_iter().for_each(|t| self.put(t));
                Answer::Done
            }
            op::INSERT_ALL | op::DELETE_ALL_EXACT => {
                let mut bytes: Vec<Vec<u8>> = sent.iter().map(|tuple| tuple.bytes.clone()).collect();
                let first: Vec<bool> = (0..tuples.len()).map(|i| !tuples[..i].contains(&tuples[i])).collect();
                let mut keep = first.iter();
                tuples.retain(|_| *keep.next().unwrap());
                let mut keep = first.iter();
                bytes.retain(|_| *keep.next().unwrap());
                let done = |t: &Resolved| match code {
                    op::INSERT_ALL => self.insert(t),
                    _ => self.delete_exact(t),
                };
                let skipped: Vec<bool> = tuples.iter().map(done).map(|done| !done).collect();
                let rows = tuples.into_iter().zip(&skipped).filter(|(_, s)| **s).map(|(t, _)| t.row);
                match schemaless {
                    false => Answer::Rows { version, rows: rows.collect() },
                    true => {
                        Answer::Maps(bytes.into_iter().zip(&skipped).filter(|(_, s)| **s).map(|(b, _)| b).collect())
                    }
                }
            }
            op::INSERT => Answer::Bool(self.insert(&tuples[0])),
            op::DELETE_EXACT => Answer::Bool(self.delete_exact(&tuples[0])),
            op::GET_AND_UPSERT => {
                let row = self.rows.get(&tuples[0].key).cloned();
                self.put(tuples.remove(0));
                old(row)
            }
            op::REPLACE | op::GET_AND_REPLACE => {
                let row = self.rows.get(&tuples[0].key).cloned();
                if row.is_some() {
                    self.put(tuples.remove(0));
                }
                if code == op::REPLACE { Answer::Bool(row.is_some()) } else { old(row) }
            }
            op::REPLACE_EXACT => {
                let same = tuples[0].key == tuples[1].key && self.rows.get(&tuples[0].key) == Some(&tuples[0].row);
                if same {
                    self.put(tuples.remove(1));
                }
                Answer::Bool(same)
            }
            _ => unreachable!("operation {code} is none on tuples"),
        }
    }

    fn put(&mut self, t: Resolved) {
        self.rows.insert(t.key, t.row);
    }

    fn insert(&mut self, t: &Resolved) -> bool {
        let free = !self.rows.contains_key(&t.key);
        if free {
            self.put(t.clone());
        }
        free
    }

    fn delete_exact(&mut self, t: &Resolved) -> bool {
        let same = self.rows.get(&t.key) == Some(&t.row);
        if same {
            self.rows.remove(&t.key);
        }
        same
    }
}
