//! Rows of a table, read from files; those of CSV.
//!
//! A [`Source`] gives one row after the other, as values of the table's columns, with the line it began on. The form of
//! each value is that of [`text::parse`].

use crate::client::ga::{Table, TableColumn};
use crate::value::{ColumnType, Value, text};
use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord};
use std::fmt::Write as _;
use std::io::Read;

/// Characters of a bad field that its error shows.
const SHOWN_MAX: usize = 64;

/// How a file is to be read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The columns of the fields; `None` takes them from the first line.
    pub columns: Option<Vec<String>>,
    /// Whether there is a first line of names. Without `columns` there must be one.
    pub header: bool,
    /// The field that stands for null.
    pub null: String,
}

/// Reads rows.
#[derive(Debug)]
pub struct Source<R> {
    reader: Reader<R>,
    /// The columns of the fields.
    columns: Vec<TableColumn>,
    null: String,
    record: StringRecord,
    /// Whether the last record ended with a carriage return whose line feed was not read yet.
    half_ended: bool,
}

/// A row and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The line on which it begins, or its number, from 1.
    pub line: u64,
    /// Bytes of its text.
    pub bytes: usize,
    /// The values, in the order of [`Source::columns`].
    pub values: Vec<Value<'static>>,
}

/// Rows of a file for the columns of a table.
pub trait Records {
    /// The columns of the values.
    fn columns(&self) -> &[TableColumn];

    /// What [`Record::line`] counts.
    fn unit(&self) -> &'static str;

    /// How many bytes of the file were read.
    fn position(&self) -> u64;

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// The file cannot be read, or a value is none of its column: the message names the place, the column, its type and
    /// the value.
    fn next_record(&mut self) -> Result<Option<Record>, String>;
}

impl<R: Read> Source<R> {
    /// Reads the first line, if it has names, and finds the columns.
    ///
    /// # Errors
    /// The file cannot be read, a name is no column's or stands there twice, or a key column is missing.
    pub fn new(input: R, table: &Table, layout: &Layout) -> Result<Self, String> {
        let has_names = layout.header || layout.columns.is_none();
        let mut reader = ReaderBuilder::new().has_headers(has_names).flexible(true).from_reader(input);
        let first = match has_names {
            true => reader.headers().map_err(|error| explain(&error))?.clone(),
            false => StringRecord::new(),
        };
        let names: Vec<&str> = match &layout.columns {
            Some(names) => names.iter().map(String::as_str).collect(),
            // Some programs mark text as UTF-8 with a byte order mark.
            None => first.iter().map(|name| name.trim_start_matches('\u{feff}')).collect(),
        };
        let columns = columns(table, &names)?;
        let half_ended = has_names && reader.position().line() == 1 + breaks(first.as_slice());
        Ok(Self { reader, columns, null: layout.null.clone(), record: StringRecord::new(), half_ended })
    }

    /// The line on which the record begins. The reader counts line feeds, and of the two characters that end a line of
    /// some files, it reads the second one only with the next record.
    fn line(&mut self, before: u64) -> u64 {
        let after = self.reader.position().line();
        let inside = breaks(self.record.as_slice());
        let outside = after.saturating_sub(before + inside);
        self.half_ended = outside <= u64::from(self.half_ended);
        after.saturating_sub(inside + u64::from(!self.half_ended))
    }

    fn value(&self, field: &str, column: &TableColumn, line: u64) -> Result<Value<'static>, String> {
        // Of all types, only text has a value that is written as nothing.
        let nothing = field.is_empty() && !matches!(column.ty, ColumnType::String { .. });
        let field_or_null = if field == self.null || nothing { None } else { Some(field) };
        value(field_or_null, column, &|| format!("line {line}"))
    }
}

impl<R: Read> Records for Source<R> {
    fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    fn unit(&self) -> &'static str {
        "line"
    }

    fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    fn next_record(&mut self) -> Result<Option<Record>, String> {
        let before = self.reader.position().line();
        if !self.reader.read_record(&mut self.record).map_err(|error| explain(&error))? {
            return Ok(None);
        }
        let line = self.line(before);
        let (fields, expected) = (self.record.len(), self.columns.len());
        if fields != expected {
            return Err(format!("line {line}: {fields} fields, but {expected} columns"));
        }
        let values = self.record.iter().zip(&self.columns).map(|(field, column)| self.value(field, column, line));
        let values = values.collect::<Result<_, _>>()?;
        Ok(Some(Record { line, bytes: self.record.as_slice().len(), values }))
    }
}

/// The text of a value as one of the column; `None` is null. `at` tells where it stands.
///
/// # Errors
/// It is none of the column.
pub(super) fn value(
    field: Option<&str>,
    column: &TableColumn,
    at: &dyn Fn() -> String,
) -> Result<Value<'static>, String> {
    let bad = |why: &str| {
        let mut message = format!("{}, column {}, {}: {why}, found ", at(), column.name, column.ty);
        let field = field.unwrap_or_default();
        let shown: String = field.chars().take(SHOWN_MAX).collect();
        // Writing to a string does not fail.
        let _ = write!(message, "{shown:?}{}", if shown.len() < field.len() { "..." } else { "" });
        message
    };
    match field {
        None if column.nullable => Ok(Value::Null),
        None => Err(bad("null is not allowed")),
        Some(field) => text::parse(field, column.ty).map(Value::into_owned).map_err(|expected| bad(&expected)),
    }
}

fn breaks(text: &str) -> u64 {
    text.bytes().filter(|&byte| byte == b'\n').count() as u64
}

/// The columns with these names: exactly, or else in another case.
pub(super) fn columns(table: &Table, names: &[&str]) -> Result<Vec<TableColumn>, String> {
    let mut found: Vec<TableColumn> = Vec::new();
    for name in names {
        let exact = table.columns.iter().find(|column| *column.name == **name);
        let column = exact.or_else(|| table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)));
        let Some(column) = column else {
            let all: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
            return Err(format!("{} has no column {name:?}; it has {}", table.name, all.join(", ")));
        };
        if found.contains(column) {
            return Err(format!("column {} stands there twice", column.name));
        }
        found.push(column.clone());
    }
    match table.key().find(|key| !found.contains(key)) {
        Some(key) => Err(format!("the key column {} of {} is missing", key.name, table.name)),
        None => Ok(found),
    }
}

fn explain(error: &csv::Error) -> String {
    let line = error.position().map_or(0, Position::line);
    match error.kind() {
        ErrorKind::Io(error) => error.to_string(),
        ErrorKind::Utf8 { err, .. } => format!("line {line}: field {} is not UTF-8", err.field() + 1),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::UNLIMITED;

    fn table() -> Table {
        let text = ColumnType::String { length: UNLIMITED };
        let column =
            |name: &str, ty, key: Option<usize>| TableColumn { name: name.into(), ty, nullable: key.is_none(), key };
        Table::for_test(vec![
            column("ID", ColumnType::Int32, Some(0)),
            column("NAME", text, None),
            column("at", ColumnType::Date, None),
            column("RAW", ColumnType::Bytes { length: UNLIMITED }, None),
        ])
    }

    fn read(text: &str, columns: Option<&[&str]>, header: bool) -> Result<Vec<Record>, String> {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let layout = Layout { columns, header, null: "\\N".into() };
        let mut source = Source::new(text.as_bytes(), &table(), &layout)?;
        std::iter::from_fn(|| source.next_record().transpose()).collect()
    }

    #[test]
    fn fields_become_values_of_their_columns() {
        let rows = read("\u{feff}Name,ID,AT\n\"a,\nb\",1,2024-02-29\n,2,\r\n\\N,3,\\N\n", None, true).unwrap();
        let date = text::parse("2024-02-29", ColumnType::Date).unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(rows[0].values, [Value::Str("a,\nb".into()), Value::Int(1), date]);
        assert_eq!(rows[1].values, [Value::Str("".into()), Value::Int(2), Value::Null]);
        assert_eq!(rows[2].values, [Value::Null, Value::Int(3), Value::Null]);
        let bare = read("7,0x00\n8,\n", Some(&["ID", "RAW"]), false).unwrap();
        assert_eq!(bare[0].values, [Value::Int(7), Value::Bytes(vec![0].into())]);
        assert_eq!(bare[1].values, [Value::Int(8), Value::Null]);
        assert_eq!(read("x,y\n7,0x00\n", Some(&["ID", "RAW"]), true).unwrap(), [Record { line: 2, ..bare[0].clone() }]);
        assert_eq!(read("ID\n", None, true), Ok(vec![]));
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        let lines = |text: &str| read(text, None, true).unwrap().iter().map(|row| row.line).collect::<Vec<_>>();
        assert_eq!(lines("ID,NAME\n1,a\n2,\"b\nc\"\n3,d\n4,e"), [2, 3, 5, 6]);
        assert_eq!(lines("ID,NAME\r\n1,a\r\n2,\"b\r\nc\"\r\n3,d\r\n4,e"), [2, 3, 5, 6]);
        assert_eq!(lines("ID\n\n\n1\n\n2\n"), [4, 6]);
        let layout = Layout { columns: Some(vec!["ID".into()]), header: false, null: String::new() };
        let mut source = Source::new(&b"1\r\n2\r\n"[..], &table(), &layout).unwrap();
        assert_eq!(source.next_record().unwrap().unwrap().line, 1);
        assert_eq!(source.next_record().unwrap().unwrap().line, 2);
    }

    #[test]
    fn a_bad_field_is_named() {
        let long = "x".repeat(200);
        for (text, parts) in [
            ("ID,AT\n1,2024-02-29\n2,soon\n", &["line 3", "column at", "DATE", "2024-02-29", "\"soon\""][..]),
            ("ID\n4000000000\n", &["line 2", "column ID", "INT32", "2147483647", "4000000000"]),
            ("ID\n\\N\n", &["line 2", "column ID", "null is not allowed"]),
            ("ID,NAME\n,a\n", &["null is not allowed"]),
            ("ID,NAME\n1\n", &["line 2", "1 fields, but 2 columns"]),
            ("ID,NAME\n1,2,3\n", &["line 2", "3 fields, but 2 columns"]),
            ("ID,NAMES\n", &["no column \"NAMES\"", "ID, NAME, at, RAW"]),
            ("NAME\n", &["key column ID"]),
            ("ID,id\n", &["ID stands there twice"]),
            ("", &["key column ID"]),
            (&format!("ID\n{long}\n"), &["line 2", "xxx\"..."]),
        ] {
            let error = read(text, None, true).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{text}: {error} lacks {part}");
            }
            assert!(error.len() < 250, "{error}");
        }
        let layout = Layout { columns: None, header: true, null: String::new() };
        let mut source = Source::new(&b"ID,NAME\n1,\xff\n"[..], &table(), &layout).unwrap();
        assert_eq!(source.next_record().unwrap_err(), "line 2: field 2 is not UTF-8");
    }
}
