//! JDBC requests, which are refused: a failure is a status and a text inside an ordinary answer.

use crate::wire::msgpack::Write;

/// SQL state 0A000, feature not supported.
const UNSUPPORTED: i64 = 1002;

/// Refuses a request; `batch` requests have counters behind the status.
pub fn refuse(batch: bool, out: &mut Vec<u8>) {
    out.put_int(UNSUPPORTED);
    out.put_str("SQL over JDBC is not supported yet");
    if batch {
        // The code of an unknown error, and no counters.
        out.put_int(1);
        out.put_nil();
    }
}
