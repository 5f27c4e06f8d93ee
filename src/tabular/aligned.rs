//! Rows for people: columns under each other.

use super::Sink;
use crate::client::ga::{ColumnMeta, Row};
use crate::value::{ColumnType, Value, text};
use std::borrow::Cow;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// How null is shown; text in brackets could be a text, but never looks like this by accident.
const NULL: &str = "[null]";
/// A column is not made wider than this for the sake of its longest value.
const WIDTH_MAX: usize = 80;

/// A table whose columns are as wide as the values of the first page.
#[derive(Debug, Default)]
pub struct Aligned {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    width: usize,
    /// Numbers stand on the right.
    right: bool,
}

impl Sink for Aligned {
    fn begin(&mut self, out: &mut dyn Write, columns: &[ColumnMeta], first: &[Row]) -> io::Result<()> {
        self.columns = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = first.iter().filter_map(|row| row.get(index)).map(|value| shown(value).width());
                let width = cells.chain([printable(&column.name).width()]).max().unwrap_or(0).min(WIDTH_MAX);
                Column { width, right: column.ty().is_some_and(is_number) }
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|column| printable(&column.name)).collect();
        self.line(out, names.iter().map(|name| (&**name, false)))?;
        let rules: Vec<_> = self.columns.iter().map(|column| "-".repeat(column.width + 2)).collect();
        writeln!(out, "{}", rules.join("+"))
    }

    fn rows(&mut self, out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            let cells: Vec<_> = row.iter().map(shown).collect();
            self.line(out, cells.iter().zip(&self.columns).map(|(cell, column)| (&**cell, column.right)))?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write, rows: u64) -> io::Result<()> {
        writeln!(out, "({rows} {})", if rows == 1 { "row" } else { "rows" })
    }
}

impl Aligned {
    fn line<'c>(&self, out: &mut dyn Write, cells: impl Iterator<Item = (&'c str, bool)>) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, right), column) in cells.zip(&self.columns) {
            let padding = " ".repeat(column.width.saturating_sub(cell.width()));
            line.push_str(if line.is_empty() { " " } else { "| " });
            if right {
                line.push_str(&padding);
            }
            line.push_str(cell);
            if !right {
                line.push_str(&padding);
            }
            line.push(' ');
        }
        writeln!(out, "{}", line.trim_end())
    }
}

fn is_number(ty: ColumnType) -> bool {
    use ColumnType as T;
    matches!(ty, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Float | T::Double | T::Decimal { .. })
}

fn shown<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match text::plain(value) {
        None => Cow::Borrowed(NULL),
        Some(Cow::Borrowed(text)) => printable(text),
        Some(owned) => owned,
    }
}

/// Text without what would move the cursor or change the terminal.
fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
        return Cow::Owned(text.chars().map(escape).collect());
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{column, columns, rows, written};
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let expected = " ID  | NAME           | PRICE  | OK
-----+----------------+--------+--------
   1 | Blåbær, \"wild\" |  12.50 | true
 -20 |                |      3 | [null]
   3 | [null]         | [null] | false
   4 | two\\nlines     |    0.1 | false
(4 rows)
";
        assert_eq!(written(&mut Aligned::default(), &columns(), &rows()), expected);
    }

    #[test]
    fn widths_are_those_of_the_terminal_and_have_a_limit() {
        let rows = [vec![Value::Str("日本".into())], vec![Value::Str("x".repeat(200).into())]];
        let text = written(&mut Aligned::default(), &[column("C", 15)], &rows[..1]);
        assert_eq!(text, " C\n------\n 日本\n(1 row)\n");
        let text = written(&mut Aligned::default(), &[column("C", 15)], &rows);
        assert_eq!(text.lines().nth(1).unwrap().len(), WIDTH_MAX + 2);
        assert_eq!(
            written(&mut Aligned::default(), &[column("C\u{1b}[0m", 0)], &[]),
            " C\\u{1b}[0m\n------------\n(0 rows)\n"
        );
    }
}
