//! The written form of a trace, and reading bytes back from it.

use super::conversation::{Conversation, Direction};
use super::fields::Field;
use crate::door::igni::handshake::Dialect;
use crate::wire::frame::MAGIC;
use std::borrow::Cow;
use std::fmt::Write;

/// Columns of the bytes, and of the bytes and the name.
const BYTES_COLUMNS: usize = 28;
const NAME_COLUMNS: usize = 20;

/// Appends one unit.
pub(super) fn unit(out: &mut String, from: Direction, title: &str, bytes: &[u8], fields: &[Field]) {
    out.push_str(mark(from));
    out.push(' ');
    out.push_str(title);
    out.push('\n');
    for Field { bytes: range, name, value } in fields {
        let mut hex = String::with_capacity(2 * range.len());
        for byte in bytes.get(range.clone()).unwrap_or_default() {
            let _ = write!(hex, "{byte:02x}");
        }
        if hex.is_empty() {
            hex.push('-');
        }
        let (name, value) = (one_line(name), one_line(value));
        let _ = writeln!(out, "  {hex:<BYTES_COLUMNS$}  {name:<NAME_COLUMNS$}  {value}");
    }
}

/// Text from the wire, which must not end a line or pass for one of its own.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

fn mark(from: Direction) -> &'static str {
    match from {
        Direction::Client => ">",
        Direction::Server => "<",
    }
}

/// A line of a trace, or of hex.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing, or a remark that begins with `#` or `!`. A frame does not go on behind it.
    Remark(&'a str),
    /// The bytes that follow come from here.
    From(Direction),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Reads traces and plain hex. A line that begins with two spaces is a field, whose first column is bytes; elsewhere all
/// columns are. `>` and `<` turn the direction, with a title or with bytes behind them.
///
/// # Errors
/// A line that is neither, by number from 1.
pub fn lines(text: &str) -> Result<Vec<Line<'_>>, String> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let bad = || format!("line {}: neither a field of a trace nor hex: {line}", number + 1);
        if line.trim().is_empty() || line.starts_with(['#', '!']) {
            lines.push(Line::Remark(line));
        } else if let Some(rest) = line.strip_prefix("  ") {
            match rest.split_whitespace().next().unwrap_or_default() {
                "-" => {}
                column => lines.push(Line::Bytes(hex(column).ok_or_else(bad)?)),
            }
        } else if let Some(rest) = line.strip_prefix('>') {
            lines.push(Line::From(Direction::Client));
            lines.extend(hex(rest).filter(|bytes| !bytes.is_empty()).map(Line::Bytes));
        } else if let Some(rest) = line.strip_prefix('<') {
            lines.push(Line::From(Direction::Server));
            lines.extend(hex(rest).filter(|bytes| !bytes.is_empty()).map(Line::Bytes));
        } else {
            lines.push(Line::Bytes(hex(line).ok_or_else(bad)?));
        }
    }
    Ok(lines)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Annotates captured bytes: a trace, hex, or the raw bytes of one direction. `from` is who speaks where the input does
/// not say; `dialect` is what is spoken where the input begins after the handshake.
///
/// # Errors
/// Text that is no hex.
pub fn decode(input: &[u8], from: Direction, dialect: Dialect) -> Result<String, String> {
    let parsed = match std::str::from_utf8(input) {
        Ok(text) if !input.starts_with(&MAGIC) => lines(text)?,
        _ => vec![Line::Bytes(input.to_vec())],
    };
    let begins_with_magic = parsed.iter().find_map(|line| match line {
        Line::Bytes(bytes) => Some(bytes.starts_with(&MAGIC)),
        _ => None,
    });
    let mut conversation = match begins_with_magic {
        Some(false) => Conversation::established(dialect),
        _ => Conversation::new(""),
    };
    let (mut out, mut from) = (String::new(), from);
    for line in &parsed {
        match line {
            Line::Remark(text) => {
                conversation.finish(&mut out);
                out.push_str(text);
                out.push('\n');
            }
            Line::From(direction) => from = *direction,
            Line::Bytes(bytes) => conversation.bytes(from, bytes, &mut out),
        }
    }
    conversation.finish(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's first steps, as captured.
    const CAPTURE: &str = "\
> 49474e49 0000000703000002c40080
< 49474e49
< 0000000703000000c40080
> 0000000b0401a86472765f6d61696e
< 0000001e000100c718090a465f9cb2f249b198f1420cb17131780000000000000000
> 0000001e0502c718090a465f9cb2f249b198f1420cb17131780000000000000000c0
< 0000001600020081019294a2696404c3c294a46e616d6509c2c3
> 000000250a03c718090a465f9cb2f249b198f1420cb1713178000000000000000001cd03e9a36f6e65
< 00000003000300
";

    fn decoded(text: &str) -> String {
        decode(text.as_bytes(), Direction::Client, Dialect::Draft).unwrap()
    }

    #[test]
    fn a_capture_becomes_fields_that_name_columns() {
        let text = decoded(CAPTURE);
        let last: Vec<&str> = text.lines().skip_while(|line| !line.contains("TUPLE_UPSERT 3")).collect();
        assert_eq!(
            last,
            [
                "> TUPLE_UPSERT 3",
                "  00000025                      length                37",
                "  0a                            operation             10 TUPLE_UPSERT",
                "  03                            request id            3",
                "  c718090a465f9cb2f249b198f1420cb17131780000000000000000  table                 0a465f9c-b2f2-49b1-98f1-420cb1713178/0",
                "  01                            schema                1",
                "  cd03e9                        id                    1001",
                "  a36f6e65                      name                  \"one\"",
                "< TUPLE_UPSERT 3",
                "  00000003                      length                3",
                "  00                            type                  0 response",
                "  03                            request id            3",
                "  00                            status                0 success",
            ]
        );
    }

    #[test]
    fn a_trace_decodes_to_itself_and_bytes_may_be_split_anywhere() {
        let once = decoded(CAPTURE);
        assert_eq!(decoded(&once), once);
        let mut conversation = Conversation::new("");
        let (mut out, mut from) = (String::new(), Direction::Client);
        for line in lines(&once).unwrap() {
            match line {
                Line::From(direction) => from = direction,
                Line::Bytes(bytes) => bytes.chunks(1).for_each(|b| conversation.bytes(from, b, &mut out)),
                Line::Remark(_) => {}
            }
        }
        assert_eq!(out, once);
    }

    #[test]
    fn what_is_malformed_is_shown_and_the_next_frame_is_read() {
        let text = decoded("> 00000002 0407 00000002 0305\n< ffffffff0301\n> 0000");
        assert!(text.contains("malformed             Message ends early"), "{text}");
        assert!(text.contains("> TABLES_GET 5"), "{text}");
        assert!(text.contains("< broken"), "{text}");
        assert!(text.contains("> incomplete"), "{text}");
        assert!(lines("zz").unwrap_err().contains("line 1"));
    }

    #[test]
    fn text_from_the_wire_stays_on_its_line() {
        // A column whose name is a line feed and what looks like a unit.
        let text = decoded("> 00000025 0b07 c71809000000000000000000000000000000000000000000000000 81 a40a3e2078 a10a");
        assert!(text.contains(r"\n> x"), "{text}");
        assert_eq!(decoded(&text), text);
    }

    #[test]
    fn no_byte_is_lost_where_a_field_is_not_what_it_should_be() {
        let text = decoded("> 00000009 0507 c7032a010203 c0 c0");
        assert!(
            text.contains("  c7032a010203c0                malformed             extension 42 is no table id"),
            "{text}"
        );
    }

    #[test]
    fn a_refused_handshake_is_tried_again() {
        let text = decoded(
            "> 49474e490000000702080002c40080\n< 49474e490000001f03000001ba556e737570706f727465642076657273696f6e3a20322e382e30\n\
             > 0000000703000002c40080\n< 49474e490000000703000000c40080\n> 000000020307\n",
        );
        assert!(text.contains("\"Unsupported version: 2.8.0\""), "{text}");
        assert_eq!(text.matches("< magic").count(), 2, "{text}");
        assert!(text.contains("> TABLES_GET 7"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_annotated(client: Vec<u8>, server: Vec<u8>) {
            for mut conversation in [Conversation::new(""), Conversation::established(Dialect::Draft), Conversation::established(Dialect::Ga)] {
                let mut out = String::new();
                conversation.bytes(Direction::Client, &client, &mut out);
                conversation.bytes(Direction::Server, &server, &mut out);
                conversation.finish(&mut out);
                lines(&out).unwrap();
            }
        }
    }
}
