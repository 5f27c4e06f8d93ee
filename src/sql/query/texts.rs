//! Functions of text that count in UTF-16 units, and some that DataFusion has not.
//!
//! Observed on Ignite 3.1.0: SUBSTRING may begin before the text, and fails for a negative length; a negative count of LEFT,
//! RIGHT or SPACE is 0; REPLACE of nothing changes nothing; STRCMP answers 1 if the first is the lesser.

use super::rowwise::{Known, RowFunction, cannot_apply, failed, unexpected};
use crate::error::Result;
use crate::value::{ColumnType, UNLIMITED, Value};
use datafusion::logical_expr::ScalarUDF;
use std::cmp::Ordering;
use std::sync::Arc;

/// Characters of a SOUNDEX.
const SOUNDEX_LENGTH: usize = 4;
/// Spaces that SPACE makes at most.
const SPACES_MAX: i64 = 1 << 20;

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// All of them.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(
            &["substring", "substr"],
            (2, 3),
            |args| part_of("SUBSTRING", args),
            |args, _| match args {
                [value, Value::Int(from)] => substring(value, *from, None),
                [value, Value::Int(from), Value::Int(length)] => substring(value, *from, Some(*length)),
                _ => Err(failed("SUBSTRING takes a text and whole numbers")),
            },
        ),
        RowFunction::udf(
            &["left"],
            (2, 2),
            |args| part_of("LEFT", args),
            |args, _| match args {
                [value, Value::Int(count)] => substring(value, 1, Some((*count).max(0))),
                _ => Err(failed("LEFT takes a text and a whole number")),
            },
        ),
        RowFunction::udf(
            &["right"],
            (2, 2),
            |args| part_of("RIGHT", args),
            |args, _| match args {
                [value, Value::Int(count)] => {
                    let length = i64::try_from(length(value)?).unwrap_or(i64::MAX);
                    substring(value, (length - (*count).clamp(0, length)).saturating_add(1), None)
                }
                _ => Err(failed("RIGHT takes a text and a whole number")),
            },
        ),
        RowFunction::udf(
            &["replace"],
            (3, 3),
            |args| texts("REPLACE", args, TEXT),
            |args, _| match args {
                [Value::Str(text), Value::Str(from), _] if from.is_empty() => Ok(Value::Str(text.to_string().into())),
                [Value::Str(text), Value::Str(from), Value::Str(to)] => {
                    Ok(Value::Str(text.replace(&**from, to).into()))
                }
                _ => Err(failed("REPLACE takes three texts")),
            },
        ),
        RowFunction::udf(
            &["space"],
            (1, 1),
            |args| whole("SPACE", args),
            |args, _| match args {
                [Value::Int(count)] if *count > SPACES_MAX => {
                    Err(failed(format!("SPACE makes {SPACES_MAX} spaces at most")))
                }
                [Value::Int(count)] => Ok(Value::Str(" ".repeat(usize::try_from(*count).unwrap_or(0)).into())),
                _ => Err(failed("SPACE takes a whole number")),
            },
        ),
        RowFunction::udf(
            &["strcmp"],
            (2, 2),
            |args| texts("STRCMP", args, ColumnType::Int32),
            |args, _| match args {
                [Value::Str(a), Value::Str(b)] => Ok(Value::Int(match a.encode_utf16().cmp(b.encode_utf16()) {
                    Ordering::Less => 1,
                    Ordering::Equal => 0,
                    Ordering::Greater => -1,
                })),
                _ => Err(failed("STRCMP takes two texts")),
            },
        ),
        RowFunction::udf(
            &["soundex"],
            (1, 1),
            |args| texts("SOUNDEX", args, ColumnType::String { length: SOUNDEX_LENGTH as u32 }),
            |args, _| match args {
                [Value::Str(text)] => Ok(Value::Str(soundex(text).into())),
                _ => Err(failed("SOUNDEX takes a text")),
            },
        ),
        RowFunction::udf(
            &["difference"],
            (2, 2),
            |args| texts("DIFFERENCE", args, ColumnType::Int32),
            |args, _| match args {
                [Value::Str(a), Value::Str(b)] => {
                    let (a, b) = (soundex(a), soundex(b));
                    Ok(Value::Int(a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count() as i64))
                }
                _ => Err(failed("DIFFERENCE takes two texts")),
            },
        ),
        RowFunction::udf(
            &["to_base64"],
            (1, 1),
            |args| anything("TO_BASE64", args, TEXT),
            |args, _| match args {
                [Value::Str(text)] => Ok(Value::Str(to_base64(text.as_bytes()).into())),
                [Value::Bytes(bytes)] => Ok(Value::Str(to_base64(bytes).into())),
                _ => Err(failed("TO_BASE64 takes text or bytes")),
            },
        ),
        RowFunction::udf(
            &["from_base64"],
            (1, 1),
            |args| texts("FROM_BASE64", args, ColumnType::Bytes { length: UNLIMITED }),
            |args, _| match args {
                [Value::Str(text)] => Ok(from_base64(text).map_or(Value::Null, |bytes| Value::Bytes(bytes.into()))),
                _ => Err(failed("FROM_BASE64 takes a text")),
            },
        ),
    ]
}

fn is_text(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::String { .. })
}

fn is_whole(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64)
}

/// Text or bytes of the first argument's length, counted by the others.
fn part_of(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let Some((first, counts)) = args.split_first() else { return Err(cannot_apply(name, args)) };
    let fits = first.ty.is_none_or(|ty| is_text(ty) || matches!(ty, ColumnType::Bytes { .. }));
    match fits && counts.iter().all(|arg| arg.ty.is_none_or(is_whole)) {
        true => Ok(first.ty),
        false => Err(cannot_apply(name, args)),
    }
}

fn texts(name: &str, args: &[Known], ty: ColumnType) -> std::result::Result<Option<ColumnType>, String> {
    match args.iter().all(|arg| arg.ty.is_none_or(is_text)) {
        true => Ok(Some(ty)),
        false => Err(cannot_apply(name, args)),
    }
}

fn anything(name: &str, args: &[Known], ty: ColumnType) -> std::result::Result<Option<ColumnType>, String> {
    match args.iter().all(|arg| arg.ty.is_none_or(|ty| is_text(ty) || matches!(ty, ColumnType::Bytes { .. }))) {
        true => Ok(Some(ty)),
        false => Err(cannot_apply(name, args)),
    }
}

fn whole(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    match args.iter().all(|arg| arg.ty.is_none_or(is_whole)) {
        true => Ok(Some(TEXT)),
        false => Err(cannot_apply(name, args)),
    }
}

fn length(value: &Value<'_>) -> Result<usize> {
    match value {
        Value::Str(text) => Ok(text.encode_utf16().count()),
        Value::Bytes(bytes) => Ok(bytes.len()),
        other => Err(unexpected(other)),
    }
}

/// The units from number `from`, counted from 1, to the end or so many of them.
fn substring(value: &Value<'_>, from: i64, length: Option<i64>) -> Result<Value<'static>> {
    let end = match length {
        Some(length) if length < 0 => return Err(failed("Substring error: negative substring length not allowed")),
        Some(length) => from.saturating_add(length),
        None => i64::MAX,
    };
    let skip = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
    let take = usize::try_from(end.saturating_sub(from.max(1)).max(0)).unwrap_or(usize::MAX);
    Ok(match value {
        // Half of a pair of units is no character.
        Value::Str(text) => {
            let units: Vec<_> = text.encode_utf16().skip(skip).take(take).collect();
            Value::Str(String::from_utf16_lossy(&units).into())
        }
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().copied().skip(skip).take(take).collect::<Vec<_>>().into()),
        other => return Err(unexpected(other)),
    })
}

/// The first letter and the digits of three consonants that follow it; nothing of nothing.
fn soundex(text: &str) -> String {
    let code = |letter: char| match letter {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    };
    let mut letters = text.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase());
    let Some(first) = letters.next() else { return String::new() };
    let (mut out, mut last) = (String::from(first), code(first));
    for letter in letters {
        let digit = code(letter);
        if digit != last
            && let Some(digit) = digit
        {
            out.push(digit);
        }
        // H and W do not part equal sounds.
        if !matches!(letter, 'H' | 'W') {
            last = digit;
        }
        if out.len() == SOUNDEX_LENGTH {
            break;
        }
    }
    format!("{out:0<SOUNDEX_LENGTH$}")
}

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place) & 63) as usize;
            out.push(if place <= chunk.len() { char::from(BASE64.get(index).copied().unwrap_or(b'=')) } else { '=' });
        }
    }
    out
}

/// The bytes, if the text is one of bytes.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = BASE64.iter().position(|known| *known == digit)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 255) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on Ignite 3.1.0.
    #[test]
    fn parts_of_texts() {
        let part = |from, length| match substring(&Value::Str("abc".into()), from, length) {
            Ok(Value::Str(text)) => text.into_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(part(2, None), "bc");
        assert_eq!(part(0, Some(2)), "a");
        assert_eq!(part(-1, Some(3)), "a");
        assert_eq!(part(5, None), "");
        assert_eq!(part(2, Some(i64::MAX)), "bc");
        assert!(part(1, Some(-1)).contains("negative substring length"));
    }

    #[test]
    fn sounds() {
        assert_eq!(soundex("Robert"), "R163");
        assert_eq!(soundex("Rupert"), "R163");
        assert_eq!(soundex("abc"), "A120");
        assert_eq!(soundex(""), "");
    }

    #[test]
    fn base64_there_and_back() {
        for (bytes, text) in [(&b"abc"[..], "YWJj"), (b"", ""), (b"\0\xff", "AP8="), (b"a", "YQ==")] {
            assert_eq!(to_base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(from_base64("!!"), None);
    }
}
