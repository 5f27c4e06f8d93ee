//! Rows as CSV (RFC 4180), written.
//!
//! Null is a text of the caller's choice without quotes, and a text that equals it gets quotes. Most readers, the one of
//! `flint import` among them, do not tell whether a field had quotes; a file that is to be read back therefore refuses
//! such a text ([`Sink::to_read_back`]).

use crate::client::ga::{ColumnMeta, Row};
use crate::value::{Value, text};
use std::io::{self, Write};

/// What stands for null in files that are to be read back.
pub const NULL: &str = "\\N";

/// Writes CSV with a first line of names.
#[derive(Debug)]
pub struct Sink {
    null: String,
    /// Whether a text that equals the null text is refused.
    strict: bool,
    names: Vec<String>,
    rows: u64,
}

impl Sink {
    /// Null is an empty field, an empty text a pair of quotes.
    pub fn for_programs() -> Self {
        Self { null: String::new(), strict: false, names: Vec::new(), rows: 0 }
    }

    /// Null is `null`; a text that equals it cannot be written.
    pub fn to_read_back(null: &str) -> Self {
        Self { null: null.into(), strict: true, names: Vec::new(), rows: 0 }
    }

    fn put(&self, line: &mut String, value: &Value<'_>, index: usize) -> io::Result<()> {
        let Some(text) = text::plain(value) else {
            line.push_str(&self.null);
            return Ok(());
        };
        if text == self.null && self.strict {
            let (row, name) = (self.rows + 1, self.names.get(index).map_or("", |name| name));
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("row {row}, column {name} is the text {text:?}, which stands for null; --null names another"),
            ));
        }
        put_text(line, &text, text == self.null);
        Ok(())
    }
}

impl super::Sink for Sink {
    fn begin(&mut self, out: &mut dyn Write, columns: &[ColumnMeta], _: &[Row]) -> io::Result<()> {
        self.names = columns.iter().map(|column| column.name.clone()).collect();
        let mut line = String::new();
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            put_text(&mut line, name, name.is_empty());
        }
        writeln!(out, "{line}")
    }

    fn rows(&mut self, out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
        let mut line = String::new();
        for row in rows {
            line.clear();
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                self.put(&mut line, value, index)?;
            }
            // A line of nothing would be none to readers.
            let line = if line.is_empty() { "\"\"" } else { &line };
            writeln!(out, "{line}")?;
            self.rows += 1;
        }
        Ok(())
    }

    fn end(&mut self, _: &mut dyn Write, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a field, with quotes if it would read as something else without them.
fn put_text(line: &mut String, text: &str, quote: bool) {
    if !quote && !text.contains([',', '"', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::Sink as _;
    use super::super::samples::{column, columns, rows, written};
    use super::*;

    #[test]
    fn fields_have_quotes_where_they_need_them() {
        let expected = "ID,NAME,PRICE,OK\n1,\"Blåbær, \"\"wild\"\"\",12.50,true\n-20,\"\",3,\n3,,,false\n4,\"two\nlines\",0.1,false\n";
        assert_eq!(written(&mut Sink::for_programs(), &columns(), &rows()), expected);
        let back = written(&mut Sink::to_read_back(NULL), &columns(), &rows());
        assert!(back.contains("\n-20,,3,\\N\n3,\\N,\\N,false\n"), "{back}");
    }

    #[test]
    fn a_text_that_stands_for_null_is_not_written() {
        let mut sink = Sink::to_read_back("");
        let mut out = Vec::new();
        sink.begin(&mut out, &columns(), &[]).unwrap();
        let error = sink.rows(&mut out, &rows()).unwrap_err().to_string();
        assert!(error.contains("row 2, column NAME"), "{error}");
    }

    #[test]
    fn a_row_of_one_null_is_a_line() {
        assert_eq!(written(&mut Sink::for_programs(), &[column("A", 4)], &[vec![Value::Null]]), "A\n\"\"\n");
    }
}
