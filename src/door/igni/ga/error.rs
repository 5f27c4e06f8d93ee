//! How an operation error looks to a GA client: its code, its Java class, and the body of the reply.

use crate::error::{Error, Kind};
use crate::wire::msgpack::Write;

/// The `code` of an error group: the group in the upper half, its number in the lower.
const fn code(group: i32, number: i32) -> i32 {
    group << 16 | number
}

const COMMON: i32 = 1;
const TABLE: i32 = 2;
const CLIENT: i32 = 3;
const SQL: i32 = 4;
const TX: i32 = 7;
const AUTHENTICATION: i32 = 15;
const COMPUTE: i32 = 16;
const MARSHALLING: i32 = 22;

const IGNITE: &str = "org.apache.ignite.lang.IgniteException";
const MARSHALLER: &str = "org.apache.ignite.lang.MarshallerException";
const SQL_EXCEPTION: &str = "org.apache.ignite.sql.SqlException";
const TRANSACTION: &str = "org.apache.ignite.tx.TransactionException";

/// The wire code of a kind, and the exception class that the Java client makes of it.
pub fn wire(kind: Kind) -> (i32, &'static str) {
    match kind {
        Kind::Internal
        | Kind::ResourceNotFound
        | Kind::SchemaVersionUnknown
        | Kind::OutOfMemory
        | Kind::ReadOnlyStore => (code(COMMON, 65535), IGNITE),
        Kind::InvalidArgument | Kind::LimitExceeded => (code(COMMON, 3), IGNITE),
        Kind::Stopping => (code(COMMON, 1), IGNITE),
        Kind::TableNotFound | Kind::TableIdUnknown => (code(TABLE, 2), "org.apache.ignite.lang.TableNotFoundException"),
        Kind::ColumnNotFound => (code(TABLE, 4), "org.apache.ignite.lang.ColumnNotFoundException"),
        Kind::SchemaVersionMismatch { .. } => (code(TABLE, 5), IGNITE),
        Kind::Protocol | Kind::UnknownOperation => (code(CLIENT, 2), IGNITE),
        Kind::ProtocolVersion => (code(CLIENT, 3), IGNITE),
        Kind::SqlParse => (code(SQL, 3), SQL_EXCEPTION),
        // Today's clients make and change tables by SQL only.
        Kind::SqlValidation | Kind::TableExists | Kind::ColumnExists => (code(SQL, 4), SQL_EXCEPTION),
        Kind::SqlConstraint => (code(SQL, 5), SQL_EXCEPTION),
        Kind::Cancelled => (code(SQL, 6), SQL_EXCEPTION),
        Kind::SqlRuntime => (code(SQL, 7), SQL_EXCEPTION),
        Kind::SqlTransactionControl => (code(SQL, 9), SQL_EXCEPTION),
        Kind::LockConflict => (code(TX, 4), TRANSACTION),
        Kind::LockTimeout => (code(TX, 5), TRANSACTION),
        Kind::CommitFailed => (code(TX, 6), TRANSACTION),
        Kind::WriteInReadOnlyTransaction => (code(TX, 8), TRANSACTION),
        Kind::IncompatibleSchema => (code(TX, 11), "org.apache.ignite.tx.IncompatibleSchemaException"),
        Kind::TransactionFinished => (code(TX, 13), TRANSACTION),
        Kind::TransactionTimedOut => (code(TX, 16), TRANSACTION),
        Kind::UnsupportedAuthentication => {
            (code(AUTHENTICATION, 1), "org.apache.ignite.security.exception.UnsupportedAuthenticationTypeException")
        }
        Kind::InvalidCredentials => {
            (code(AUTHENTICATION, 2), "org.apache.ignite.security.exception.InvalidCredentialsException")
        }
        Kind::ComputeUnsupported => (code(COMPUTE, 3), "org.apache.ignite.compute.ComputeException"),
        Kind::TypeMismatch
        | Kind::OutOfRange
        | Kind::MissingKey
        | Kind::NotNull
        | Kind::SchemaMismatch
        | Kind::LiveSchemaRefused => (code(MARSHALLING, 1), MARSHALLER),
    }
}

/// Appends the body of an error reply. `trace_id` is random, so that a person can tell two reports apart. A batch of SQL
/// changes that failed tells how many rows each run before the failure has changed.
pub fn put_body(out: &mut Vec<u8>, error: &Error, trace_id: u128, batch: Option<&[u64]>) {
    let (code, class) = wire(error.kind);
    let class = if batch.is_some() { "org.apache.ignite.sql.SqlBatchException" } else { class };
    put_uuid(out, trace_id);
    out.put_int(code.into());
    out.put_str(class);
    out.put_str(&error.message);
    // No stack trace.
    out.put_nil();
    match error.kind {
        // The client loads this schema and sends the same request again.
        Kind::SchemaVersionMismatch { current } => {
            out.put_int(1);
            out.put_str("expected-schema-ver");
            out.put_int(current.into());
        }
        _ => match batch {
            None => out.put_nil(),
            Some(counts) => {
                out.put_int(1);
                out.put_str("sql-update-counters");
                put_counts(out, counts);
            }
        },
    }
}

/// Appends the counts of a batch, in forms of 32 bits at most.
pub fn put_counts(out: &mut Vec<u8>, counts: &[u64]) {
    out.put_int(counts.len() as i64);
    for &count in counts {
        out.put_int(i32::try_from(count).unwrap_or(i32::MAX).into());
    }
}

/// Appends a UUID: the extension of type 3, each half little-endian, the upper half first.
pub fn put_uuid(out: &mut Vec<u8>, uuid: u128) {
    let mut bytes = [0; 16];
    let (upper, lower) = bytes.split_at_mut(8);
    upper.copy_from_slice(&((uuid >> 64) as u64).to_le_bytes());
    lower.copy_from_slice(&(uuid as u64).to_le_bytes());
    out.put_ext(3, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on Ignite 3.1.0.
    #[test]
    fn codes_are_those_of_a_real_node() {
        assert_eq!(wire(Kind::Internal).0, 131_071);
        assert_eq!(wire(Kind::TableIdUnknown).0, 131_074);
        assert_eq!(wire(Kind::SchemaVersionMismatch { current: 1 }).0, 131_077);
        assert_eq!(wire(Kind::Protocol).0, 196_610);
        assert_eq!(wire(Kind::SqlValidation).0, 262_148);
        assert_eq!(wire(Kind::LockConflict).0, 458_756);
        assert_eq!(wire(Kind::TransactionTimedOut).0, 458_768);
        assert_eq!(wire(Kind::InvalidCredentials).0, 983_042);
        assert_eq!(wire(Kind::ComputeUnsupported).0, 1_048_579);
        assert_eq!(wire(Kind::MissingKey).0, 1_441_793);
    }

    #[test]
    fn the_body_has_seven_fields() {
        let mut out = Vec::new();
        let id = 0x4f82_4faa_87b7_a21f_17bf_81d7_ec9c_a2f0;
        put_body(&mut out, &Error::new(Kind::SqlParse, "no"), id, None);
        let mut expected = vec![0xd8, 3, 0x1f, 0xa2, 0xb7, 0x87, 0xaa, 0x4f, 0x82, 0x4f];
        expected.extend([0xf0, 0xa2, 0x9c, 0xec, 0xd7, 0x81, 0xbf, 0x17]);
        expected.extend([0xce, 0, 4, 0, 3, 0xd9, 34]);
        expected.extend(b"org.apache.ignite.sql.SqlException\xa2no\xc0\xc0");
        assert_eq!(out, expected);

        let mut out = Vec::new();
        put_body(&mut out, &Error::new(Kind::SchemaVersionMismatch { current: 7 }, "old"), id, None);
        assert!(out.ends_with(b"\xc0\x01\xb3expected-schema-ver\x07"), "{out:02x?}");
    }
}
