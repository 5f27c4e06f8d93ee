//! The GA answer to the first frame: who this server is, or why it refuses.

use super::error;
use crate::door::igni::handshake::put_version;
use crate::error::Error;
use crate::wire::msgpack::Write;

/// The features both sides may use: bit 1, tables by qualified name.
///
/// Every bit changes layouts, so only what is parsed is offered. One byte at least: Ignite's C++ client reads it
/// without asking for the length.
const FEATURES: &[u8] = &[0b10];

/// The product version that is announced: the newest that the traffic was compared with.
const PRODUCT: [i64; 3] = [3, 1, 0];

/// How long a connection may be silent as far as clients are told, in milliseconds. They send a heartbeat at a third of
/// it; nobody is cut off for being late, since Ignite's Python client sends none.
const IDLE_TIMEOUT_MS: i64 = 30_000;

/// Who this server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// This process.
    pub node_id: u128,
    /// The node's name; partition maps name nodes by it.
    pub node_name: String,
    /// This store: stays the same across restarts, or clients that reconnect refuse it.
    pub cluster_id: u128,
    /// A name for people.
    pub cluster_name: String,
}

/// Appends the answer to an accepted handshake. `timestamp` is hybrid time and above 0: Ignite's Java client stumbles
/// over 0 in its first SQL request.
pub fn accept(out: &mut Vec<u8>, identity: &Identity, timestamp: i64) {
    put_version(out);
    out.put_nil();
    out.put_int(IDLE_TIMEOUT_MS);
    error::put_uuid(out, identity.node_id);
    out.put_str(&identity.node_name);
    out.put_int(1);
    error::put_uuid(out, identity.cluster_id);
    out.put_str(&identity.cluster_name);
    out.put_int(timestamp);
    PRODUCT.into_iter().for_each(|part| out.put_int(part));
    // Neither a patch number nor a pre-release name.
    out.put_nil();
    out.put_nil();
    out.put_bin(FEATURES);
    out.put_int(0);
}

/// Appends the answer to a refused handshake; the connection is closed after it.
pub fn refuse(out: &mut Vec<u8>, error: &Error, trace_id: u128) {
    put_version(out);
    error::put_body(out, error, trace_id, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn the_answer_has_every_field() {
        let identity =
            Identity { node_id: 1, node_name: "node-1".into(), cluster_id: 2, cluster_name: "cluster".into() };
        let mut out = Vec::new();
        accept(&mut out, &identity, 1 << 40);
        let mut expected = vec![3, 0, 0, 0xc0, 0xcd, 0x75, 0x30, 0xd8, 3];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"\xa6node-1\x01\xd8\x03");
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"\xa7cluster\xcf\0\0\x01\0\0\0\0\0\x03\x01\0\xc0\xc0\xc4\x01\x02\0");
        assert_eq!(out, expected);
    }

    #[test]
    fn a_refusal_starts_with_a_trace_id() {
        let mut out = Vec::new();
        refuse(&mut out, &Error::new(Kind::InvalidCredentials, "Authentication failed"), 0);
        assert!(out.starts_with(&[3, 0, 0, 0xd8, 3]));
    }
}
