//! The disk fails while answers wait for it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use flint::TestServer;
use flint::client::{Client, Column, Table, op};
use flint::store::persist::faulty::{Fault, FaultyFiles};
use flint::value::{ColumnType, UNLIMITED, Value};

fn with_table(server: &TestServer) -> (Client, Table) {
    let bytes = ColumnType::Bytes { length: UNLIMITED };
    let columns = [Column::key("id", ColumnType::Int64), Column::value("v", bytes)];
    let id = server.create_table("t", &columns).unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let table = client.table(id).unwrap();
    (client, table)
}

fn row(id: i64) -> Vec<Value<'static>> {
    vec![Value::Int(id), Value::Bytes(vec![1].into())]
}

fn start(files: &FaultyFiles) -> TestServer {
    TestServer::builder().files(Arc::new(files.clone())).start()
}

#[test]
fn held_answers_become_errors() {
    let files = FaultyFiles::new();
    let server = start(&files);
    let (mut client, table) = with_table(&server);
    for id in 0..10 {
        table.upsert(&mut client, &row(id)).unwrap();
    }
    // The next operation is the write of what comes now.
    files.delay_syncs(Duration::from_millis(50));
    files.fail_at(files.operations(), Fault::Once(ErrorKind::Other));
    let mut ids = Vec::new();
    for id in 10..40 {
        ids.push(
            client
                .send(op::UPSERT, |bytes| {
                    table.write_head(bytes);
                    table.write_values(bytes, &row(id)).unwrap();
                })
                .unwrap(),
        );
    }
    client.flush().unwrap();
    for id in ids {
        let reply = client.receive_for(id).unwrap();
        let error = reply.reader().unwrap_err();
        assert!(error.server_message().unwrap().contains("disk"), "{error}");
    }
    // What was acknowledged stays readable, also on the same connection; writes are refused.
    assert_eq!(server.rows("t").unwrap().len(), 10);
    assert_eq!(table.get(&mut client, &[Value::Int(9)]).unwrap(), Some(vec![Value::Bytes(vec![1].into())]));
    assert_eq!(table.get(&mut client, &[Value::Int(10)]).unwrap(), None);
    let error = table.upsert(&mut client, &row(50)).unwrap_err();
    assert!(error.server_message().unwrap().contains("read-only"), "{error}");
    assert!(server.stop().is_err(), "the stop tells that the disk failed");

    // Of what was never acknowledged the disk may have some, from the oldest on.
    let server = start(&files.after_kill());
    let rows = server.rows("t").unwrap();
    assert!((10..=40).contains(&rows.len()));
    assert!(rows.into_iter().zip(0..).all(|(found, id)| found == row(id)));
}

#[test]
fn a_full_disk_makes_the_store_read_only() {
    let files = FaultyFiles::new();
    let server = start(&files);
    let (mut client, table) = with_table(&server);
    files.limit(Some(files.used() + 4096));
    let mut kept = 0;
    let error = loop {
        let large = Value::Bytes(vec![7; 100_000].into());
        match table.upsert(&mut client, &[Value::Int(kept), large]) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "the disk never fills");
    };
    assert!(error.server_message().unwrap().contains("full"), "{error}");
    assert_eq!(server.rows("t").unwrap().len() as i64, kept);
    drop(server);
    let server = start(&files.after_kill());
    assert_eq!(server.rows("t").unwrap().len() as i64, kept);
}
