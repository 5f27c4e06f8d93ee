//! POSITION, and REGEXP_REPLACE with a place to begin at.
//!
//! Observed on Ignite 3.1.0: places count from 1; REGEXP_REPLACE(text, pattern, with, place, occurrence, flags) replaces all
//! matches from the place on, or the one that `occurrence` counts to; POSITION fails where it is to begin before the text.

use super::rowwise::{Known, RowFunction, cannot_apply, failed};
use crate::error::Result;
use crate::value::{ColumnType, UNLIMITED, Value};
use datafusion::logical_expr::ScalarUDF;
use regex::{Regex, RegexBuilder};
use std::sync::Arc;

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

/// All of them.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(&["position"], (2, 3), position_type, |args, _| match args {
            [what, of] => position(what, of, 1),
            [what, of, Value::Int(from)] => position(what, of, *from),
            _ => Err(failed("POSITION takes two texts and a whole number")),
        }),
        RowFunction::udf(&["regexp_replace_from"], (4, 6), replace_type, |args, _| replace(args)),
    ]
}

fn position_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let text = |arg: &Known| arg.ty.is_none_or(|ty| matches!(ty, ColumnType::String { .. }));
    let bytes = |arg: &Known| arg.ty.is_none_or(|ty| matches!(ty, ColumnType::Bytes { .. }));
    let (values, from) = args.split_at_checked(2).unwrap_or((args, &[]));
    match (values.iter().all(text) || values.iter().all(bytes)) && from.iter().all(counts) {
        true => Ok(Some(ColumnType::Int32)),
        false => Err(cannot_apply("POSITION", args)),
    }
}

fn counts(arg: &Known) -> bool {
    use ColumnType as T;
    arg.ty.is_none_or(|ty| matches!(ty, T::Int8 | T::Int16 | T::Int32 | T::Int64))
}

fn replace_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let text = |arg: &Known| arg.ty.is_none_or(|ty| matches!(ty, ColumnType::String { .. }));
    let is_right = |(place, arg): (usize, &Known)| if matches!(place, 3 | 4) { counts(arg) } else { text(arg) };
    match args.iter().enumerate().all(is_right) {
        true => Ok(Some(TEXT)),
        false => Err(cannot_apply("REGEXP_REPLACE", args)),
    }
}

/// Where one is in the other from a place on; 0 if it is not.
fn position(what: &Value<'_>, of: &Value<'_>, from: i64) -> Result<Value<'static>> {
    let Some(skipped) = from.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()) else {
        return Err(failed(format!("POSITION from {from}: places count from 1")));
    };
    let found = match (what, of) {
        (Value::Str(what), Value::Str(of)) => {
            let units: Vec<u16> = of.encode_utf16().collect();
            first(&units, &what.encode_utf16().collect::<Vec<_>>(), skipped)
        }
        (Value::Bytes(what), Value::Bytes(of)) => first(of, what, skipped),
        _ => return Err(failed("POSITION takes two texts or two strings of bytes")),
    };
    Ok(Value::Int(found.and_then(|place| i64::try_from(place + 1).ok()).unwrap_or(0)))
}

fn first<T: PartialEq>(of: &[T], what: &[T], skipped: usize) -> Option<usize> {
    let rest = of.get(skipped..)?;
    if what.is_empty() {
        return Some(skipped);
    }
    rest.windows(what.len()).position(|window| window == what).map(|place| place + skipped)
}

fn replace(args: &[Value<'_>]) -> Result<Value<'static>> {
    let [Value::Str(text), Value::Str(pattern), Value::Str(with), Value::Int(place), rest @ ..] = args else {
        return Err(failed("REGEXP_REPLACE takes three texts and a place"));
    };
    let (occurrence, flags) = match rest {
        [] => (0, ""),
        [Value::Int(occurrence)] => (*occurrence, ""),
        [Value::Int(occurrence), Value::Str(flags)] => (*occurrence, &**flags),
        _ => return Err(failed("REGEXP_REPLACE takes an occurrence and flags behind the place")),
    };
    let (Some(skipped), Ok(occurrence)) =
        (place.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()), usize::try_from(occurrence))
    else {
        return Err(failed("REGEXP_REPLACE: places count from 1, and occurrences from 0, which is all"));
    };
    let pattern = compiled(pattern, flags)?;
    let with = groups(with);
    // The place counts UTF-16 units.
    let mut units = 0;
    let start = text.char_indices().find(|(_, c)| {
        let here = units >= skipped;
        units += c.len_utf16();
        here
    });
    let Some((before, after)) = start.and_then(|(start, _)| text.split_at_checked(start)) else {
        return Ok(Value::Str(text.to_string().into()));
    };
    let mut out = before.to_owned();
    let mut end = 0;
    for (number, found) in pattern.captures_iter(after).enumerate() {
        let Some(whole) = found.get(0).filter(|_| occurrence == 0 || occurrence == number + 1) else { continue };
        out.push_str(after.get(end..whole.start()).unwrap_or_default());
        found.expand(&with, &mut out);
        end = whole.end();
    }
    out.push_str(after.get(end..).unwrap_or_default());
    Ok(Value::Str(out.into()))
}

fn compiled(pattern: &str, flags: &str) -> Result<Regex> {
    let mut builder = RegexBuilder::new(pattern);
    for flag in flags.chars() {
        match flag {
            'c' => builder.case_insensitive(false),
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            'n' | 's' => builder.dot_matches_new_line(true),
            other => return Err(failed(format!("Invalid input parameter value for 'flags': '{other}'"))),
        };
    }
    builder.build().map_err(|e| failed(e.to_string()))
}

/// `$1x` is the first group and an x; to the regular expressions here it would be the group of that name.
fn groups(with: &str) -> String {
    let mut out = String::with_capacity(with.len());
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$' && chars.peek().is_some_and(char::is_ascii_digit) {
            out.push('{');
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                out.push(digit);
            }
            out.push('}');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first ones observed on Ignite 3.1.0.
    #[test]
    fn patterns_are_replaced_from_a_place_on() {
        let text = |text: &'static str| Value::Str(text.into());
        let told = |of, pattern, with, place, n, flags| {
            replace(&[text(of), text(pattern), text(with), Value::Int(place), Value::Int(n), text(flags)])
                .map(|value| value.to_string())
        };
        for (text, pattern, with, place, n, flags, expected) in [
            ("abcabc", "b", "X", 3, 0, "", "abcaXc"),
            ("abcabc", "b", "X", 1, 2, "", "abcaXc"),
            ("ABC", "b", "X", 1, 0, "i", "AXC"),
            ("abc", "(b)", "<$1x>", 1, 0, "", "a<bx>c"),
            ("abc", "b", "X", 9, 0, "", "abc"),
        ] {
            assert_eq!(
                told(text, pattern, with, place, n, flags).unwrap(),
                format!("{expected:?}"),
                "{text} {pattern}"
            );
        }
        for (place, n, flags) in [(0, 0, ""), (1, -1, ""), (1, 0, "?"), (i64::MIN, 0, "")] {
            assert!(told("abc", "b", "", place, n, flags).is_err());
        }
    }

    #[test]
    fn places_of_texts_and_bytes() {
        let text = |text: &'static str| Value::Str(text.into());
        let at = |what: &Value<'_>, of: &Value<'_>, from| position(what, of, from).unwrap();
        assert_eq!(at(&text("b"), &text("abcb"), 1), Value::Int(2));
        assert_eq!(at(&text("b"), &text("abcb"), 3), Value::Int(4));
        assert_eq!(at(&text("b"), &text("abcb"), 9), Value::Int(0));
        assert_eq!(at(&text(""), &text("abc"), 1), Value::Int(1));
        assert_eq!(at(&text("b"), &text("\u{1F600}b"), 1), Value::Int(3));
        assert_eq!(at(&Value::Bytes(vec![2].into()), &Value::Bytes(vec![1, 2].into()), 1), Value::Int(2));
        assert!(position(&text("a"), &text("a"), 0).is_err());
    }
}
