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

/// Answers which node holds each partition of a table: how many partitions there are, and, unless `named`, that nobody
/// in particular holds them. With one node there is nothing to choose, and a client that knows no more sends every
/// request as it is. Ignite's Java client 3.0.0 however counts the names to spread the rows of a data stream, and
/// divides by none.
pub fn partition_assignment(
    reader: &mut Reader<'_>,
    catalog: &Catalog,
    identity: &Identity,
    named: bool,
    out: &mut Vec<u8>,
) -> Result<()> {
    tables::by_id(reader, catalog)?;
    let timestamp = reader.i64()?;
    out.put_int(PARTITIONS.into());
    out.put_bool(named);
    if named {
        out.put_int(timestamp);
        (0..PARTITIONS).for_each(|_| out.put_str(&identity.node_name));
    }
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
