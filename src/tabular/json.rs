//! Rows for programs: one JSON object a line.

use super::Sink;
use crate::client::ga::{ColumnMeta, Row};
use crate::value::{Value, text};
use std::io::{self, Write};

/// Objects with the columns' names as keys. Numbers and truth values are JSON's own; everything else is text, also the
/// doubles that JSON has no number for.
#[derive(Debug, Default)]
pub struct Json {
    /// Each key with its quotes and the colon.
    keys: Vec<String>,
}

impl Sink for Json {
    fn begin(&mut self, _: &mut dyn Write, columns: &[ColumnMeta], _: &[Row]) -> io::Result<()> {
        self.keys =
            columns.iter().map(|column| Ok(format!("{}:", quoted(&column.name)?))).collect::<io::Result<_>>()?;
        Ok(())
    }

    fn rows(&mut self, out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
        let mut line = String::new();
        for row in rows {
            line.clear();
            for (key, value) in self.keys.iter().zip(row) {
                line.push(if line.is_empty() { '{' } else { ',' });
                line.push_str(key);
                line.push_str(&json(value)?);
            }
            line.push_str(if line.is_empty() { "{}" } else { "}" });
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn end(&mut self, _: &mut dyn Write, _: u64) -> io::Result<()> {
        Ok(())
    }
}

fn json(value: &Value<'_>) -> io::Result<String> {
    let number = match value {
        Value::Int(_) | Value::Bool(_) | Value::Decimal(_) => true,
        Value::Float(v) => v.is_finite(),
        Value::Double(v) => v.is_finite(),
        _ => false,
    };
    match text::plain(value) {
        None => Ok("null".into()),
        Some(text) if number => Ok(text.into_owned()),
        Some(text) => quoted(&text),
    }
}

fn quoted(text: &str) -> io::Result<String> {
    serde_json::to_string(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{column, columns, rows, written};
    use super::*;

    #[test]
    fn each_row_is_an_object() {
        let text = written(&mut Json::default(), &columns(), &rows());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], r#"{"ID":1,"NAME":"Blåbær, \"wild\"","PRICE":12.50,"OK":true}"#);
        assert_eq!(lines[1], r#"{"ID":-20,"NAME":"","PRICE":3,"OK":null}"#);
        assert_eq!(lines[3], r#"{"ID":4,"NAME":"two\nlines","PRICE":0.1,"OK":false}"#);
        for line in lines {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn what_is_no_number_of_json_is_text() {
        let row = vec![Value::Double(f64::NAN), Value::Double(1e300), Value::Float(-0.0)];
        let columns = [column("A", 7), column("B", 7), column("C", 6)];
        assert_eq!(written(&mut Json::default(), &columns, &[row]), "{\"A\":\"NaN\",\"B\":1e300,\"C\":-0.0}\n");
    }
}
