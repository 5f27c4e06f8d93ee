//! MD5 and SHA1 of texts and bytes.

use super::rowwise::{Known, RowFunction, cannot_apply, unexpected};
use crate::error::Result;
use crate::value::{ColumnType, UNLIMITED, Value};
use datafusion::logical_expr::ScalarUDF;
use std::fmt::Write as _;
use std::sync::Arc;

/// All of them.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(
            &["md5"],
            (1, 1),
            |args| digest_type("MD5", args),
            |args, _| Ok(hexadecimal(&<md5::Md5 as md5::Digest>::digest(bytes_of(args)?))),
        ),
        RowFunction::udf(
            &["sha1"],
            (1, 1),
            |args| digest_type("SHA1", args),
            |args, _| Ok(hexadecimal(&<sha1::Sha1 as sha1::Digest>::digest(bytes_of(args)?))),
        ),
    ]
}

fn digest_type(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let fits = |ty| matches!(ty, ColumnType::String { .. } | ColumnType::Bytes { .. });
    match args.iter().all(|arg| arg.ty.is_none_or(fits)) {
        true => Ok(Some(ColumnType::String { length: UNLIMITED })),
        false => Err(cannot_apply(name, args)),
    }
}

fn bytes_of<'v>(args: &'v [Value<'_>]) -> Result<&'v [u8]> {
    match args {
        [Value::Str(text)] => Ok(text.as_bytes()),
        [Value::Bytes(bytes)] => Ok(bytes),
        other => Err(unexpected(other.first().unwrap_or(&Value::Null))),
    }
}

fn hexadecimal(bytes: &[u8]) -> Value<'static> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Value::Str(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let text = [Value::Str("abc".into())];
        let bytes = bytes_of(&text).unwrap();
        assert_eq!(
            hexadecimal(&<md5::Md5 as md5::Digest>::digest(bytes)),
            Value::Str("900150983cd24fb0d6963f7d28e17f72".into())
        );
        assert_eq!(
            hexadecimal(&<sha1::Sha1 as sha1::Digest>::digest(bytes)),
            Value::Str("a9993e364706816aba3e25717850c26c9cd0d89d".into())
        );
    }
}
