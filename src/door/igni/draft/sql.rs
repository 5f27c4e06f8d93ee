//! The SQL family, which JDBC used: every operation is answered in its own form, and says that it is not supported.

use super::opcode::Opcode;
use crate::wire::msgpack::Write;

/// The status inside an answer of the SQL family that means "unsupported operation".
const UNSUPPORTED: i64 = 1002;

/// Answers an operation of the SQL family: no results, the status, a sentence. The envelope's status stays success, where
/// these clients do not look for errors.
pub fn refuse(op: Opcode, out: &mut Vec<u8>) {
    out.put_bool(false);
    out.put_int(UNSUPPORTED);
    out.put_str(&format!(
        "{} is not supported in this protocol version: use tuple operations, or SQL from an Ignite 3.0 or newer client",
        op.name()
    ));
}
