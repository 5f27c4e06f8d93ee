//! Errors as a server reports them.

use crate::client::error::{Error, Result};
use crate::wire::msgpack::Reader;
use std::fmt;

/// Names of the error groups, by number from 1.
const GROUPS: [&str; 24] = [
    "CMN",
    "TBL",
    "CLIENT",
    "SQL",
    "META",
    "IDX",
    "TX",
    "REP",
    "STORAGE",
    "DISTRZONES",
    "NETWORK",
    "NODECFG",
    "CODEDEPLOY",
    "GC",
    "AUTHENTICATION",
    "COMPUTE",
    "CATALOG",
    "PLACEMENTDRIVER",
    "WORKERS",
    "RECOVERY",
    "EMBEDDED",
    "MARSHALLING",
    "REST",
    "COMMONCFG",
];

/// The fewest bytes of an extension: its key and its value.
const EXTENSION_BYTES_MIN: usize = 2;

/// An error that the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// The group in the upper 16 bits, the number within it in the lower.
    pub code: i32,
    /// The exception class that Java clients make of it.
    pub class: String,
    /// The server's sentence; empty if it sent none.
    pub message: String,
    /// The same number stands in the server's log.
    pub trace_id: u128,
    /// With code 131077: the schema version that the request has to use.
    pub expected_schema_version: Option<i32>,
    /// Of a batch that failed: the rows affected by each statement before the failing one.
    pub update_counters: Option<Vec<i64>>,
}

impl ServerError {
    /// Reads the body of an error.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let trace_id = match reader.nil_if_next()? {
            true => 0,
            false => read_uuid(reader)?,
        };
        let code = reader.i32()?;
        let class = reader.str()?.to_owned();
        let message = optional_text(reader)?.unwrap_or_default().to_owned();
        let _stack_trace = optional_text(reader)?;
        let mut error = Self { code, class, message, trace_id, expected_schema_version: None, update_counters: None };
        if reader.is_empty() || reader.nil_if_next()? {
            return Ok(error);
        }
        for _ in 0..reader.count(EXTENSION_BYTES_MIN)? {
            match reader.str()? {
                "expected-schema-ver" => error.expected_schema_version = Some(reader.i32()?),
                "sql-update-counters" => error.update_counters = Some(read_integers(reader)?),
                _ => {
                    reader.skip()?;
                }
            }
        }
        Ok(error)
    }

    /// The number within the code's group.
    pub fn number(&self) -> u16 {
        self.code as u16
    }

    /// The group's name: `SQL`, `TX`, ...
    pub fn group(&self) -> &'static str {
        let index = usize::try_from(self.code >> 16).ok().and_then(|group| group.checked_sub(1));
        index.and_then(|index| GROUPS.get(index)).copied().unwrap_or("UNKNOWN")
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IGN-{}-{}: {}", self.group(), self.number(), self.message)
    }
}

/// Reads a counted list of integers.
pub(super) fn read_integers(reader: &mut Reader<'_>) -> Result<Vec<i64>> {
    (0..reader.count(1)?).map(|_| Ok(reader.i64()?)).collect()
}

/// Reads a text, or nil.
pub(super) fn optional_text<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>> {
    if reader.nil_if_next()? { Ok(None) } else { Ok(Some(reader.str()?)) }
}

/// Reads a UUID: two little-endian halves, the upper first.
fn read_uuid(reader: &mut Reader<'_>) -> Result<u128> {
    match reader.ext()? {
        (3, bytes) => bytes
            .try_into()
            .map(|bytes| u128::from_le_bytes(bytes).rotate_left(64))
            .map_err(|_| Error::Protocol(format!("a UUID of {} bytes", bytes.len()))),
        (kind, _) => Err(Error::Protocol(format!("extension {kind} where a UUID belongs"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_with_their_extensions() {
        let mut body = b"\xd8\x03\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xce\0\x04\0\x05".to_vec();
        body.extend(b"\xa1C\xa2no\xc0\x02\xa1x\x90\xb3sql-update-counters\x02\x01\x02");
        let error = ServerError::read(&mut Reader::new(&body)).unwrap();
        assert_eq!(error.trace_id, (2 << 64) + 1);
        assert_eq!((error.code, error.class.as_str(), error.message.as_str()), (262_149, "C", "no"));
        assert_eq!(error.update_counters, Some(vec![1, 2]));
        assert_eq!(error.to_string(), "IGN-SQL-5: no");
        for cut in 0..body.len() {
            // Older servers end before the extensions.
            let whole = cut == body.len() - b"\x02\xa1x\x90\xb3sql-update-counters\x02\x01\x02".len();
            assert_eq!(ServerError::read(&mut Reader::new(&body[..cut])).is_ok(), whole, "{cut}");
        }
    }

    #[test]
    fn groups_have_names() {
        let named = |code| {
            let error = ServerError {
                code,
                class: String::new(),
                message: String::new(),
                trace_id: 0,
                expected_schema_version: None,
                update_counters: None,
            };
            format!("{}-{}", error.group(), error.number())
        };
        assert_eq!(named(65_537), "CMN-1");
        assert_eq!(named(131_071), "CMN-65535");
        assert_eq!(named(1_441_793), "MARSHALLING-1");
        assert_eq!(named(-1), "UNKNOWN-65535");
        assert_eq!(named(3), "UNKNOWN-3");
    }
}
