//! Data directories that cannot be used: in use, damaged, of a newer version. The program says so and ends.

use crate::support::Process;
use flint::client::{Client, Column};
use flint::value::{ColumnType, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pairs() -> [Column; 2] {
    [Column::key("k", ColumnType::Int64), Column::value("v", ColumnType::Int64)]
}

/// A directory of a server that was killed after some writes.
fn used(dir: &Path) {
    let server = Process::start_on(dir, &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let table = client.table_create("t", &pairs()).unwrap();
    let table = client.table(table).unwrap();
    for k in 0..100 {
        table.upsert(&mut client, &[Value::Int(k), Value::Int(k)]).unwrap();
    }
    server.kill();
}

/// What a start says that has to fail.
fn refusal(dir: &Path) -> String {
    let mut child = Process::spawn(&["--data-dir", dir.to_str().unwrap()]);
    let status = child.wait().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "the ready line must not come");
    assert_eq!(status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

fn log_file(dir: &Path) -> PathBuf {
    let mut names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("log-")).unwrap()
}

/// The CRC-32 of Ethernet and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn one_that_is_in_use_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let server = Process::start_on(dir, &[]);
    let text = refusal(dir);
    assert!(text.contains("in use") && text.contains(dir.to_str().unwrap()), "{text}");
    // The first server noticed nothing.
    let mut client = Client::connect(server.addr()).unwrap();
    client.table_create("t", &pairs()).unwrap();
    // A server that was killed holds nothing.
    server.kill();
    let server = Process::start_on(dir, &[]);
    assert_eq!(Client::connect(server.addr()).unwrap().tables_get().unwrap().len(), 1);
}

#[test]
fn one_that_is_damaged_is_refused_with_the_place_and_advice() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    used(dir);
    let path = log_file(dir);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[1000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let text = refusal(dir);
    for part in [path.to_str().unwrap(), "damaged at byte", "flint check", "flint restore"] {
        assert!(text.contains(part), "{text}");
    }
    let check = Command::new(env!("CARGO_BIN_EXE_flint")).args(["check", "--data-dir"]).arg(dir).output().unwrap();
    assert_eq!(check.status.code(), Some(1));
    // Whole again, everything is there.
    fs::write(&path, &whole).unwrap();
    let server = Process::start_on(dir, &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let id = client.table_get("t").unwrap().unwrap();
    let table = client.table(id).unwrap();
    let keys: Vec<_> = (0..100).map(|k| vec![Value::Int(k)]).collect();
    assert_eq!(table.get_all(&mut client, &keys).unwrap().len(), 100);
}

#[test]
fn one_of_a_newer_version_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    used(dir);
    let path = log_file(dir);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&99_u32.to_le_bytes());
    // The header's checksum covers all of it but itself.
    let crc = crc32(&[&bytes[..12], &bytes[16..64]].concat());
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let text = refusal(dir);
    assert!(text.contains("99") && text.contains("newer"), "{text}");
}

#[test]
fn one_that_is_something_else_is_not_touched() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("MANIFEST"), "not ours").unwrap();
    let text = refusal(dir);
    assert!(text.contains("MANIFEST"), "{text}");
    assert_eq!(fs::read(dir.join("MANIFEST")).unwrap(), b"not ours");
}
