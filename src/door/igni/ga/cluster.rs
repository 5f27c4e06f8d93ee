//! The cluster as clients see it: one node that holds every partition.

use super::error::put_uuid;
use super::handshake::Identity;
use crate::config::PARTITIONS;
use crate::error::Result;
use crate::store::catalog::Catalog;
use crate::wire::msgpack::{Reader, Write};
use std::net::SocketAddr;

use super::tables;

/// Appends the list of nodes.
pub fn put_nodes(out: &mut Vec<u8>, identity: &Identity, address: SocketAddr) {
    out.put_int(1);
    put_node(out, identity, address);
}

/// Answers which node holds each partition of a table: how many partitions there are, and that nobody in particular
/// holds them. With one node there is nothing to choose, and a client that knows no more sends every request as it is.
pub fn partition_assignment(reader: &mut Reader<'_>, catalog: &Catalog, out: &mut Vec<u8>) -> Result<()> {
    tables::by_id(reader, catalog)?;
    let _timestamp = reader.i64()?;
    out.put_int(PARTITIONS.into());
    out.put_bool(false);
    Ok(())
}

/// Answers the primary replica of each partition of a table.
pub fn primary_replicas(
    reader: &mut Reader<'_>,
    catalog: &Catalog,
    identity: &Identity,
    address: SocketAddr,
    out: &mut Vec<u8>,
) -> Result<()> {
    tables::by_id(reader, catalog)?;
    out.put_int(PARTITIONS.into());
    for partition in 0..PARTITIONS {
        out.put_int(partition.into());
        put_node(out, identity, address);
    }
    Ok(())
}

fn put_node(out: &mut Vec<u8>, identity: &Identity, address: SocketAddr) {
    /// Fields of a node; the Java client accepts this number only.
    const FIELDS: i64 = 4;
    out.put_int(FIELDS);
    put_uuid(out, identity.node_id);
    out.put_str(&identity.node_name);
    out.put_str(&address.ip().to_string());
    out.put_int(address.port().into());
}
