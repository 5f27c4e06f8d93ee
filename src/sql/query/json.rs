//! Functions of texts that are JSON.
//!
//! Observed on Ignite 3.1.0: JSON_VALUE answers scalars and JSON_QUERY the rest, null for what is not there or of the other
//! kind. A path is `$` with members and places behind it, in `lax` or `strict` mode; members come in the order of their
//! names.

use super::rowwise::{Known, RowFunction, cannot_apply, failed};
use crate::error::Result;
use crate::value::text::plain;
use crate::value::{ColumnType, UNLIMITED, Value};
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Length of the texts that the functions answer.
const TEXT: ColumnType = ColumnType::String { length: 2000 };

/// The type of what is JSON on its way into other JSON: no text, which would be quoted there.
const JSON: ColumnType = ColumnType::Bytes { length: UNLIMITED };

/// All of them.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(
            &["json_value"],
            (2, 2),
            |args| texts("JSON_VALUE", args, TEXT),
            |args, _| {
                Ok(match found(args)? {
                    Some(Json::String(text)) => Value::Str(text.into()),
                    Some(scalar @ (Json::Number(_) | Json::Bool(_))) => Value::Str(scalar.to_string().into()),
                    _ => Value::Null,
                })
            },
        ),
        RowFunction::udf(
            &["json_query"],
            (2, 2),
            |args| texts("JSON_QUERY", args, TEXT),
            |args, _| {
                Ok(match found(args)? {
                    Some(whole @ (Json::Object(_) | Json::Array(_))) => Value::Str(whole.to_string().into()),
                    _ => Value::Null,
                })
            },
        ),
        RowFunction::udf(
            &["json_exists"],
            (2, 2),
            |args| texts("JSON_EXISTS", args, ColumnType::Boolean),
            |args, _| Ok(Value::Bool(found(args)?.is_some())),
        ),
        RowFunction::udf(
            &["json_type"],
            (1, 1),
            |args| texts("JSON_TYPE", args, TEXT),
            |args, _| {
                Ok(Value::Str(
                    match document(args)? {
                        Json::Null => "NULL",
                        Json::Bool(_) => "BOOLEAN",
                        Json::Number(number) if number.is_f64() => "DOUBLE",
                        Json::Number(number) if number.as_i64().is_none_or(|n| i32::try_from(n).is_err()) => "LONG",
                        Json::Number(_) => "INTEGER",
                        Json::String(_) => "STRING",
                        Json::Array(_) => "ARRAY",
                        Json::Object(_) => "OBJECT",
                    }
                    .into(),
                ))
            },
        ),
        RowFunction::udf(
            &["json_depth"],
            (1, 1),
            |args| texts("JSON_DEPTH", args, ColumnType::Int32),
            |args, _| Ok(Value::Int(depth(&document(args)?))),
        ),
        RowFunction::udf(
            &["json_length"],
            (1, 2),
            |args| texts("JSON_LENGTH", args, ColumnType::Int32),
            |args, _| {
                let length = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
                let of = if args.len() == 1 { Some(document(args)?) } else { found(args)? };
                Ok(match of {
                    None => Value::Null,
                    Some(Json::Array(items)) => length(items.len()),
                    Some(Json::Object(members)) => length(members.len()),
                    Some(_) => length(1),
                })
            },
        ),
        RowFunction::udf(
            &["json_keys"],
            (1, 2),
            |args| texts("JSON_KEYS", args, TEXT),
            |args, _| {
                let of = if args.len() == 1 { Some(document(args)?) } else { found(args)? };
                let keys = match of {
                    Some(Json::Object(members)) => members.keys().map(|key| Json::String(key.clone())).collect(),
                    _ => return Ok(Value::Str("null".into())),
                };
                Ok(Value::Str(Json::Array(keys).to_string().into()))
            },
        ),
        RowFunction::udf(
            &["json_pretty"],
            (1, 1),
            |args| texts("JSON_PRETTY", args, TEXT),
            |args, _| {
                let mut out = String::new();
                pretty(&document(args)?, 0, &mut out);
                Ok(Value::Str(out.into()))
            },
        ),
        RowFunction::udf(
            &["is_json"],
            (2, 2),
            |args| texts("IS JSON", args, ColumnType::Boolean),
            |args, _| {
                let [_, Value::Str(kind)] = args else { return Err(failed("a text and a kind are expected")) };
                let found = document(args).ok();
                Ok(Value::Bool(match (&**kind, &found) {
                    (_, None) => false,
                    ("OBJECT", Some(found)) => found.is_object(),
                    ("ARRAY", Some(found)) => found.is_array(),
                    ("SCALAR", Some(found)) => !found.is_object() && !found.is_array(),
                    (_, Some(_)) => true,
                }))
            },
        ),
        RowFunction::of_nulls("json_object", (1, usize::MAX), |_| Ok(Some(TEXT)), |args, _| object(args)),
        RowFunction::of_nulls("json_array", (1, usize::MAX), |_| Ok(Some(TEXT)), |args, _| array(args)),
        RowFunction::udf(
            &["as_json"],
            (1, 1),
            |args| texts("JSON", args, TEXT).map(|ty| ty.map(|_| JSON)),
            |args, _| Ok(Value::Bytes(document(args)?.to_string().into_bytes().into())),
        ),
    ]
}

/// `{"name":value,...}` of what nulls mean and then names and values in turn.
fn object(args: &[Value<'_>]) -> Result<Value<'static>> {
    let (absent, args) = nulls(args);
    let (pairs, _) = args.as_chunks::<2>();
    // The last of several members of one name stays, as wherever JSON is read.
    let mut members = BTreeMap::new();
    for [name, value] in pairs {
        let Value::Str(name) = name else { return Err(failed("the name of a member of JSON_OBJECT is no text")) };
        match absent && value.is_null() {
            true => members.remove(&**name),
            false => members.insert(&**name, written(value)?),
        };
    }
    let members = members.iter().map(|(name, value)| format!("{}:{value}", Json::String((*name).to_owned())));
    Ok(Value::Str(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into()))
}

/// `[value,...]` of what nulls mean and then the values.
fn array(args: &[Value<'_>]) -> Result<Value<'static>> {
    let (absent, args) = nulls(args);
    let items = args.iter().filter(|item| !absent || !item.is_null()).map(written);
    Ok(Value::Str(format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(",")).into()))
}

/// Whether nulls are left out, and the arguments behind what says so.
fn nulls<'a, 'v>(args: &'a [Value<'v>]) -> (bool, &'a [Value<'v>]) {
    match args.split_first() {
        Some((Value::Str(nulls), rest)) => (nulls.starts_with("ABSENT"), rest),
        _ => (false, args),
    }
}

/// A value as JSON; what is JSON already comes as bytes.
fn written(value: &Value<'_>) -> Result<String> {
    Ok(match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Bytes(json) => String::from_utf8(json.to_vec()).map_err(|_| failed("JSON has no bytes"))?,
        number @ (Value::Int(_) | Value::Decimal(_)) => plain(number).unwrap_or_default().into_owned(),
        Value::Float(v) if v.is_finite() => v.to_string(),
        Value::Double(v) if v.is_finite() => v.to_string(),
        other => Json::String(plain(other).unwrap_or_default().into_owned()).to_string(),
    })
}

fn texts(name: &str, args: &[Known], ty: ColumnType) -> std::result::Result<Option<ColumnType>, String> {
    match args.iter().all(|arg| arg.ty.is_none_or(|ty| matches!(ty, ColumnType::String { .. }))) {
        true => Ok(Some(ty)),
        false => Err(cannot_apply(name, args)),
    }
}

fn document(args: &[Value<'_>]) -> Result<Json> {
    let Some(Value::Str(text)) = args.first() else { return Err(failed("a text is expected")) };
    serde_json::from_str(text).map_err(|e| failed(format!("'{text}' is no JSON: {e}")))
}

/// What a path leads to; nothing in a text that is no JSON, unless the path is strict.
fn found(args: &[Value<'_>]) -> Result<Option<Json>> {
    let [_, Value::Str(path)] = args else { return Err(failed("a text and a path are expected")) };
    let (strict, path) = match (path.trim().strip_prefix("strict "), path.trim().strip_prefix("lax ")) {
        (Some(path), _) => (true, path),
        (_, Some(path)) => (false, path),
        _ => (false, path.trim()),
    };
    let steps = steps(path.trim()).ok_or_else(|| failed(format!("Illegal JSON path '{path}'")))?;
    let mut at = match document(args) {
        Ok(document) => document,
        Err(error) if strict => return Err(error),
        Err(_) => return Ok(None),
    };
    for step in steps {
        let next = match (&mut at, &step) {
            (Json::Object(members), Step::Member(name)) => members.remove(name.as_str()),
            (Json::Array(items), Step::Place(place)) if *place < items.len() => Some(items.swap_remove(*place)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None if strict => return Err(failed(format!("Nothing is at the JSON path '{path}'"))),
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Place(usize),
}

/// Reads `$.a."b c"[0]['d']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix(".\"") {
            let (name, after) = name.split_once('"')?;
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        } else if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at_checked(end)?;
            if name.is_empty() || name == "*" {
                return None;
            }
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let name = inside.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
            steps.push(match name {
                Some(name) => Step::Member(name.to_owned()),
                None => Step::Place(inside.trim().parse().ok()?),
            });
            rest = after;
        }
    }
    Some(steps)
}

/// How many levels there are; the parser has limited them.
fn depth(json: &Json) -> i64 {
    1 + match json {
        Json::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Members on lines of their own, items side by side.
fn pretty(json: &Json, level: usize, out: &mut String) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (place, (name, member)) in members.iter().enumerate() {
                out.push_str(if place == 0 { "\n" } else { ",\n" });
                out.push_str(&"  ".repeat(level + 1));
                out.push_str(&Json::String(name.clone()).to_string());
                out.push_str(" : ");
                pretty(member, level + 1, out);
            }
            out.push('\n');
            out.push_str(&"  ".repeat(level));
            out.push('}');
        }
        Json::Object(_) => out.push_str("{ }"),
        Json::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place == 0 { "[ " } else { ", " });
                pretty(item, level, out);
            }
            out.push_str(" ]");
        }
        Json::Array(_) => out.push_str("[ ]"),
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere_or_nowhere() {
        let at = |text: &'static str, path: &'static str| {
            found(&[Value::Str(text.into()), Value::Str(path.into())]).map(|json| json.map(|json| json.to_string()))
        };
        let text = r#"{"a": {"b c": [1, {"d": "x"}]}}"#;
        assert_eq!(at(text, r#"$.a."b c"[1]['d']"#).unwrap().unwrap(), "\"x\"");
        assert_eq!(at(text, "lax $.a.x").unwrap(), None);
        assert!(at(text, "strict $.a.x").is_err());
        assert_eq!(at("{", "$").unwrap(), None);
        for wrong in ["a", "$.", "$[x]", "$[1", "$.*"] {
            assert!(at("{}", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn documents_are_made_of_values() {
        let text = |text: &'static str| Value::Str(text.into());
        let args = [text("NULL ON NULL"), text("b\""), Value::Int(1), text("a"), Value::Null, text("c"), text("x")];
        assert_eq!(object(&args).unwrap(), text(r#"{"a":null,"b\"":1,"c":"x"}"#));
        let json = Value::Bytes(b"[1]".to_vec().into());
        let args = [text("ABSENT ON NULL"), Value::Null, Value::Bool(true), Value::Double(0.5), json];
        assert_eq!(array(&args).unwrap(), text("[true,0.5,[1]]"));
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn shapes_of_documents() {
        let json = |text| serde_json::from_str::<Json>(text).unwrap();
        assert_eq!(depth(&json(r#"{"a": [1]}"#)), 3);
        let mut out = String::new();
        pretty(&json(r#"{"a":1}"#), 0, &mut out);
        assert_eq!(out, "{\n  \"a\" : 1\n}");
    }
}
