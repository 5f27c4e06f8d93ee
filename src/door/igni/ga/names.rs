//! Names of tables as today's clients write and read them.

use crate::error::{Error, Kind, Result};
use crate::store::catalog::PUBLIC;
use std::borrow::Cow;

/// Reads a canonical name, `[schema.]object`, into normalized parts: upper-cased unless quoted, without quotes.
///
/// # Errors
/// `InvalidArgument` for a name with an empty part, a missing quote, or a character no unquoted name may have.
pub fn parse_canonical(name: &str) -> Result<(String, String)> {
    let bad = |reason: &str| Error::new(Kind::InvalidArgument, format!("Malformed name [name={name}]: {reason}"));
    let mut parts = Vec::new();
    let mut rest = name;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => take_quoted(quoted).ok_or_else(|| bad("the closing quote is missing"))?,
            None => {
                let (part, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                let mut chars = part.chars();
                let starts = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
                if !starts || !chars.all(|c| c.is_alphanumeric() || c == '_') {
                    return Err(bad("an unquoted name has letters, digits and underscores, a digit not first"));
                }
                (part.to_uppercase(), after)
            }
        };
        if part.is_empty() {
            return Err(bad("a part of it is empty"));
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return Err(bad("something follows the closing quote")),
        }
    }
    let object = parts.pop().unwrap_or_default();
    match (parts.pop(), parts.is_empty()) {
        (None, _) => Ok((PUBLIC.into(), object)),
        (Some(schema), true) => Ok((schema, object)),
        _ => Err(bad("it has more than two parts")),
    }
}

/// The text before the closing quote, with doubled quotes undone, and what follows it.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((name, after)),
        }
    }
}

/// A normalized name as a client parses it back: quoted where upper-casing would change it.
pub fn quoted(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_uppercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_are_normalized() {
        for (name, schema, object) in [
            ("person", "PUBLIC", "PERSON"),
            ("public.Person", "PUBLIC", "PERSON"),
            ("\"my.Schema\".\"a\"\"b\"", "my.Schema", "a\"b"),
            ("s.\"t\"", "S", "t"),
            ("_x1", "PUBLIC", "_X1"),
            ("größe", "PUBLIC", "GRÖSSE"),
        ] {
            assert_eq!(parse_canonical(name).unwrap(), (schema.into(), object.into()), "{name}");
        }
        for bad in ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "\"a", "\"a\"b", "\"\"", "a-b", "a\"b\""] {
            assert_eq!(parse_canonical(bad).unwrap_err().kind, Kind::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn what_was_quoted_is_quoted_again() {
        for (name, shown) in
            [("PERSON_1", "PERSON_1"), ("Person", "\"Person\""), ("a\"b", "\"a\"\"b\""), ("1A", "\"1A\"")]
        {
            assert_eq!(quoted(name), shown);
            assert_eq!(parse_canonical(shown).unwrap().1, name);
        }
    }
}
