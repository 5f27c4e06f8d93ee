//! Rows as Parquet, written and read.
//!
//! Columns have the types that queries calculate with (`sql::query::types`): points in time keep microseconds, and a value
//! with more digits is refused rather than cut. What is read goes through text as a field of a CSV file does, so a file
//! of another program's types is read wherever its values are values of the table's columns.

use super::source::{Layout, Record, Records, columns, value};
use crate::client::ga::{ColumnMeta, Row, Table, TableColumn};
use crate::sql::query::arrays::{ColumnBuilder, value_at};
use crate::sql::query::types;
use crate::value::{ColumnType, Value, text};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes of encoded rows that are in memory before they are written as a row group.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// Rows that are decoded at a time.
const READ_ROWS: usize = 1024;
/// Nanoseconds of a microsecond.
const MICRO: u32 = 1_000;

/// Writes one file.
#[derive(Default)]
pub struct Sink {
    columns: Vec<(String, ColumnType)>,
    schema: Option<SchemaRef>,
    writer: Option<ArrowWriter<Buffer>>,
    /// What the writer has written and the output has not.
    written: Buffer,
    rows: u64,
}

/// Bytes between the writer and the output of each call.
#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn move_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&std::mem::take(&mut *self.0.lock()))
    }
}

impl super::Sink for Sink {
    fn begin(&mut self, out: &mut dyn Write, columns: &[ColumnMeta], _: &[Row]) -> io::Result<()> {
        let text = ColumnType::String { length: crate::value::UNLIMITED };
        // A column of nothing but nulls has no type.
        self.columns = columns.iter().map(|column| (column.name.clone(), column.ty().unwrap_or(text))).collect();
        let fields: Vec<_> = self.columns.iter().map(|(name, ty)| types::field(name, *ty, true)).collect();
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let schema = Arc::new(Schema::new(fields));
        self.schema = Some(Arc::clone(&schema));
        self.writer = Some(ArrowWriter::try_new(self.written.clone(), schema, Some(properties))?);
        self.written.move_to(out)
    }

    fn rows(&mut self, out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut builders: Vec<_> = self.columns.iter().map(|(_, ty)| ColumnBuilder::new(*ty, rows.len())).collect();
        for row in rows {
            self.rows += 1;
            for ((builder, value), (name, _)) in builders.iter_mut().zip(row).zip(&self.columns) {
                let refused = |why: String| {
                    let text = format!("row {}, column {name}: {why}", self.rows);
                    io::Error::new(io::ErrorKind::InvalidData, text)
                };
                if has_nanos(value) {
                    return Err(refused(format!("{value} has more digits than microseconds, which CSV can hold")));
                }
                builder.push(value).map_err(|error| refused(error.to_string()))?;
            }
        }
        let schema = self.schema.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
        let arrays = builders.into_iter().map(|mut builder| builder.finish()).collect();
        let batch = RecordBatch::try_new(schema, arrays).map_err(io::Error::other)?;
        writer.write(&batch)?;
        if writer.in_progress_size() >= ROW_GROUP_BYTES {
            writer.flush()?;
        }
        self.written.move_to(out)
    }

    fn end(&mut self, out: &mut dyn Write, _rows: u64) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        self.written.move_to(out)
    }
}

fn has_nanos(value: &Value<'_>) -> bool {
    match value {
        Value::Datetime(_, time) => time.nanos % MICRO != 0,
        Value::Timestamp(point) => point.nanos % MICRO != 0,
        _ => false,
    }
}

/// Reads the rows of one file.
pub struct Source {
    reader: ParquetRecordBatchReader,
    columns: Vec<TableColumn>,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    next: usize,
    /// Rows that were read.
    rows: u64,
    /// Rows and bytes of the file.
    of: (u64, u64),
}

impl Source {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// It is no such file, a name is no column's or stands there twice, or a key column is missing.
    pub fn new(file: File, table: &Table, layout: &Layout) -> Result<Self, String> {
        let bytes = file.metadata().map_err(|error| error.to_string())?.len();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
        let rows = builder.metadata().file_metadata().num_rows();
        let schema = Arc::clone(builder.schema());
        let names: Vec<&str> = match &layout.columns {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => schema.fields().iter().map(|field| field.name().as_str()).collect(),
        };
        if names.len() != schema.fields().len() {
            return Err(format!("{} columns, but {} names", schema.fields().len(), names.len()));
        }
        let columns = columns(table, &names)?;
        let reader = builder.with_batch_size(READ_ROWS).build().map_err(|error| error.to_string())?;
        let of = (u64::try_from(rows).unwrap_or_default(), bytes);
        Ok(Self { reader, columns, batch: None, next: 0, rows: 0, of })
    }
}

impl Records for Source {
    fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    fn unit(&self) -> &'static str {
        "row"
    }

    fn position(&self) -> u64 {
        let (rows, bytes) = self.of;
        u64::try_from(u128::from(bytes) * u128::from(self.rows) / u128::from(rows.max(1))).unwrap_or(bytes)
    }

    fn next_record(&mut self) -> Result<Option<Record>, String> {
        let batch = loop {
            match &self.batch {
                Some(batch) if self.next < batch.num_rows() => break batch,
                _ => {}
            }
            let Some(batch) = self.reader.next() else { return Ok(None) };
            self.batch = Some(batch.map_err(|error| error.to_string())?);
            self.next = 0;
        };
        let row = self.next;
        self.next += 1;
        self.rows += 1;
        let (mut bytes, mut values) = (0, Vec::with_capacity(self.columns.len()));
        for (array, column) in batch.columns().iter().zip(&self.columns) {
            let at = || format!("row {}", self.rows);
            let found = value_at(array, row).map_err(|error| format!("{}, column {}: {error}", at(), column.name))?;
            let field = text::plain(&found);
            bytes += field.as_ref().map_or(1, |field| field.len());
            values.push(value(field.as_deref(), column, &at)?);
        }
        Ok(Some(Record { line: self.rows, bytes, values }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::{Sink as _, samples};
    use crate::value::{Date, Time, Timestamp};

    fn table() -> Table {
        let column = |name: &str, ty| TableColumn { name: name.into(), ty, nullable: name != "ID", key: None };
        let mut columns = vec![
            column("ID", ColumnType::Int64),
            column("NAME", ColumnType::String { length: 20 }),
            column("PRICE", ColumnType::Decimal { precision: 5, scale: 2 }),
            column("OK", ColumnType::Boolean),
        ];
        columns[0].key = Some(0);
        Table::for_test(columns)
    }

    fn file(columns: &[ColumnMeta], rows: &[Row]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let mut sink = Sink::default();
        sink.begin(&mut file, columns, rows).unwrap();
        for row in rows {
            sink.rows(&mut file, std::slice::from_ref(row)).unwrap();
        }
        sink.end(&mut file, rows.len() as u64).unwrap();
        file
    }

    fn columns() -> Vec<ColumnMeta> {
        let mut columns = samples::columns();
        columns[2].precision = Some(10);
        columns[2].scale = Some(2);
        columns
    }

    #[test]
    fn rows_are_read_back() {
        let layout = Layout { columns: None, header: false, null: String::new() };
        let mut source = Source::new(file(&columns(), &samples::rows()), &table(), &layout).unwrap();
        let mut read = Vec::new();
        while let Some(record) = source.next_record().unwrap() {
            read.push(record.values);
        }
        let shown = |rows: &[Row]| {
            rows.iter()
                .map(|row| row.iter().map(text::plain).map(|t| t.map(String::from)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let mut expected = shown(&samples::rows());
        for (row, price) in expected.iter_mut().zip(["12.50", "3.00", "", "0.10"]) {
            row[2] = (!price.is_empty()).then(|| price.to_owned());
        }
        assert_eq!(shown(&read), expected);
        assert_eq!(source.position(), source.of.1);
    }

    #[test]
    fn what_the_table_cannot_hold_is_named() {
        let layout = Layout { columns: None, header: false, null: String::new() };
        let mut rows = samples::rows();
        rows[1][0] = Value::Null;
        let mut source = Source::new(file(&columns(), &rows), &table(), &layout).unwrap();
        source.next_record().unwrap();
        assert!(source.next_record().unwrap_err().contains("row 2, column ID"));
        let other = Layout { columns: Some(vec!["ID".into()]), ..layout };
        assert!(
            Source::new(file(&columns(), &rows), &table(), &other).err().unwrap().contains("4 columns, but 1 names")
        );
    }

    #[test]
    fn digits_are_refused_rather_than_lost() {
        let mut sink = Sink::default();
        let column = ColumnMeta { precision: Some(9), ..samples::column("AT", 12) };
        sink.begin(&mut Vec::new(), &[column], &[]).unwrap();
        let at = |nanos| {
            let point = Timestamp::from_utc(Date::parse("2024-02-29").unwrap(), Time::new(1, 2, 3, nanos).unwrap());
            vec![Value::Timestamp(point)]
        };
        sink.rows(&mut Vec::new(), &[at(1_000)]).unwrap();
        let error = sink.rows(&mut Vec::new(), &[at(1)]).unwrap_err().to_string();
        assert!(error.contains("row 2, column AT"), "{error}");
    }
}
