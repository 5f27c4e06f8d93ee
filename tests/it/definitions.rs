//! What DDL defines beside tables, and columns that change: over the wire, and over every way a store comes back.

use crate::support::Process;
use flint::TestServer;
use flint::client::ga::{Client, SqlOptions, TxOptions};
use flint::value::{ColumnType, Value};
use std::path::Path;
use std::process::Command;

const SETUP: &[&str] = &[
    "CREATE SCHEMA S",
    "CREATE ZONE Z (PARTITIONS 5, REPLICAS ALL) STORAGE PROFILES ['default', 'fast']",
    "CREATE ZONE OLD WITH STORAGE_PROFILES='default', PARTITIONS=3",
    "ALTER ZONE OLD RENAME TO NEW",
    "CREATE TABLE S.T (ID INT PRIMARY KEY, V INT, N VARCHAR(3) NOT NULL DEFAULT 'x') ZONE Z STORAGE PROFILE 'fast'",
    "CREATE INDEX I ON S.T USING HASH (V)",
    "CREATE INDEX J ON S.T (V DESC, N)",
    "DROP INDEX S.I",
];

/// Statements, each with what it answers while what [`SETUP`] made is there; none of them changes anything.
const ASKED: &[(&str, &str)] = &[
    ("CREATE SCHEMA S", "Schema with name 'S' already exists."),
    ("CREATE SCHEMA IF NOT EXISTS S", "false"),
    ("DROP SCHEMA S", "Schema 'S' is not empty. Use CASCADE to drop it anyway."),
    ("DROP SCHEMA R", "Schema with name 'R' not found."),
    ("CREATE ZONE IF NOT EXISTS NEW STORAGE PROFILES ['default']", "false"),
    ("DROP ZONE OLD", "Distribution zone with name 'OLD' not found."),
    ("DROP ZONE Z", "Distribution zone 'Z' is assigned to the table 'T'."),
    ("DROP ZONE \"Default\"", "Default distribution zone can't be dropped: zoneName=Default."),
    ("CREATE TABLE X (ID INT PRIMARY KEY) ZONE NO", "Distribution zone with name 'NO' not found."),
    (
        "CREATE TABLE X (ID INT PRIMARY KEY) ZONE NEW STORAGE PROFILE 'fast'",
        "Zone with name 'NEW' does not contain table's storage profile [storageProfile='fast'].",
    ),
    ("CREATE INDEX J ON S.T (N)", "Index with name 'S.J' already exists."),
    ("CREATE INDEX T ON S.T (N)", "Table with name 'S.T' already exists."),
    ("CREATE TABLE S.J (ID INT PRIMARY KEY)", "Index with name 'S.J' already exists."),
    ("DROP INDEX S.I", "Index with name 'S.I' not found."),
    ("DROP INDEX IF EXISTS S.I", "false"),
    ("DROP INDEX S.T_PK", "Dropping primary key index is not allowed."),
    ("ALTER TABLE S.T DROP COLUMN V", "Deleting column 'V' used by index(es) [J], it is not allowed."),
    ("ALTER TABLE S.T ALTER COLUMN V SET NOT NULL", "Adding NOT NULL constraint is not allowed."),
    ("ALTER TABLE S.T ALTER COLUMN N SET DATA TYPE INT", "Changing the type from STRING to INT32 is not allowed."),
    (
        "ALTER TABLE S.T ALTER COLUMN N SET DATA TYPE VARCHAR(2)",
        "Decreasing the length for column of type 'STRING' is not allowed.",
    ),
    ("ALTER TABLE S.T ALTER COLUMN ID DROP NOT NULL", "Dropping NOT NULL constraint on key column is not allowed."),
    ("ALTER TABLE S.T ALTER COLUMN ID SET DATA TYPE BIGINT", "Changing the type of key column is not allowed."),
    ("ALTER TABLE S.T ALTER COLUMN NO DROP NOT NULL", "Column with name 'NO' not found in table 'S.T'."),
    ("ALTER TABLE S.T ALTER COLUMN V SET DEFAULT 'text'", "Invalid default value for column 'V'"),
    ("KILL COMPUTE '00000000-0000-0000-0000-000000000001'", "false"),
    ("KILL TRANSACTION 'abc'", "Invalid operation ID format [operationId=abc, type=TRANSACTION]."),
];

/// Whether something changed, or the error's last words.
fn ask(client: &mut Client, text: &str) -> String {
    match client.sql(text, &[], &SqlOptions::default()) {
        Ok(result) => result.was_applied.to_string(),
        Err(error) => error.to_string(),
    }
}

fn check(client: &mut Client) {
    for (text, expected) in ASKED {
        let answer = ask(client, text);
        assert!(answer.ends_with(expected), "{text}: {answer}");
    }
}

#[test]
fn definitions_have_ignites_rules_and_survive_a_kill_a_checkpoint_a_backup_and_a_restore() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let server = Process::start_on(&dir, &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    for text in SETUP {
        assert_eq!(ask(&mut client, text), "true", "{text}");
    }
    check(&mut client);
    server.kill();

    // From the log.
    let server = Process::start_on(&dir, &[]);
    check(&mut Client::connect(server.addr()).unwrap());
    flint::control::ask(&dir, "checkpoint").unwrap();
    server.kill();

    // From the checkpoint.
    let server = Process::start_on(&dir, &[]);
    check(&mut Client::connect(server.addr()).unwrap());
    server.kill();

    let (file, copy) = (temp.path().join("backup"), temp.path().join("copy"));
    run(&["backup", "--data-dir"], &dir, &[], &file);
    run(&["restore"], &file, &["--data-dir"], &copy);
    let server = Process::start_on(&copy, &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    check(&mut client);
    // And all of it goes.
    for (text, answer) in [
        ("DROP SCHEMA S CASCADE", "true"),
        ("CREATE SCHEMA S", "true"),
        ("DROP INDEX IF EXISTS S.J", "false"),
        ("DROP ZONE Z", "true"),
        ("ALTER ZONE NEW SET DEFAULT", "true"),
        ("DROP ZONE \"Default\"", "true"),
        ("CREATE TABLE S.T (ID INT PRIMARY KEY)", "true"),
    ] {
        assert_eq!(ask(&mut client, text), answer, "{text}");
    }
    let error = ask(&mut client, "DROP ZONE NEW");
    assert!(error.contains("Default distribution zone can't be dropped"), "{error}");
}

fn run(before: &[&str], a: &Path, between: &[&str], b: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_flint")).args(before).arg(a).args(between).arg(b).output().unwrap();
    assert!(output.status.success(), "{before:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_changed_column_reads_what_was_stored_before() {
    let temp = tempfile::tempdir().unwrap();
    let server = Process::start_on(temp.path(), &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let ddl = |client: &mut Client, text: &str| assert_eq!(ask(client, text), "true", "{text}");
    ddl(&mut client, "CREATE TABLE T (ID INT PRIMARY KEY, A TINYINT NOT NULL, F REAL, D DECIMAL(5, 2))");
    let mut table = client.table("T").unwrap().unwrap();
    let dec = |text: &str| Value::Decimal(flint::value::Decimal::parse(text).unwrap());
    let row = [("ID", Value::Int(1)), ("A", Value::Int(-7)), ("F", Value::Float(0.1)), ("D", dec("999.99"))];
    table.upsert(&mut client, None, &row).unwrap();
    ddl(&mut client, "ALTER TABLE T ADD COLUMN S VARCHAR(1) DEFAULT 'a'");
    for text in [
        "ALTER TABLE T ALTER COLUMN A SET DATA TYPE BIGINT DEFAULT 5",
        "ALTER TABLE T ALTER COLUMN A DROP NOT NULL",
        "ALTER TABLE T ALTER COLUMN F SET DATA TYPE DOUBLE",
        "ALTER TABLE T ALTER COLUMN D SET DATA TYPE DECIMAL(20, 2)",
        "ALTER TABLE T ALTER COLUMN S SET DATA TYPE VARCHAR(5)",
        "ALTER TABLE T ALTER COLUMN S SET DEFAULT 'later'",
        // Nothing changes, and that is fine.
        "ALTER TABLE T ALTER COLUMN S SET DEFAULT 'later'",
    ] {
        ddl(&mut client, text);
    }
    server.kill();
    let server = Process::start_on(temp.path(), &[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let mut table = client.table("T").unwrap().unwrap();
    assert_eq!(table.version, 8);
    let types: Vec<_> = table.columns.iter().map(|column| (column.ty, column.nullable)).collect();
    assert_eq!(types[1..3], [(ColumnType::Int64, true), (ColumnType::Double, true)]);
    let mut read = |client: &mut Client, id| {
        let row = table.get(client, None, &[("ID", Value::Int(id))]).unwrap().unwrap();
        row.into_values().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
    };
    // The row is from before S came, which had another default then.
    assert_eq!(read(&mut client, 1), format!("1 -7 {} 999.99 \"a\"", f64::from(0.1_f32)));
    let wide = [("ID", Value::Int(2)), ("D", dec("123456789012345678.12"))];
    let mut again = client.table("T").unwrap().unwrap();
    again.upsert(&mut client, None, &wide).unwrap();
    assert_eq!(read(&mut client, 2), "2 5 null 123456789012345678.12 \"later\"");
    let wide = [("ID", Value::Int(3)), ("A", Value::Int(i64::MIN)), ("F", Value::Double(1e300))];
    again.upsert(&mut client, None, &wide).unwrap();
    assert!(read(&mut client, 3).starts_with("3 -9223372036854775808 1"));
}

#[test]
fn a_transaction_keeps_to_the_columns_it_began_with() {
    let server = TestServer::start();
    server.sql("CREATE TABLE T (ID INT PRIMARY KEY, V INT)").unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let mut table = client.table("T").unwrap().unwrap();
    for (ddl, message) in [
        ("ALTER TABLE T ALTER COLUMN V SET DATA TYPE BIGINT", None),
        ("ALTER TABLE T ALTER COLUMN V SET DEFAULT 1", Some("Column default value changed")),
    ] {
        let tx = client.begin(TxOptions::default()).unwrap();
        table.upsert(&mut client, Some(tx), &[("ID", Value::Int(1)), ("V", Value::Int(1))]).unwrap();
        assert_eq!(ask(&mut client, ddl), "true");
        match (client.commit(tx), message) {
            (Ok(()), None) => {}
            (Err(error), Some(message)) => assert!(error.to_string().contains(message), "{error}"),
            other => panic!("{other:?}"),
        }
        table = client.table("T").unwrap().unwrap();
    }
}

#[test]
fn a_transaction_is_killed_by_its_id() {
    let server = TestServer::start();
    server.sql("CREATE TABLE T (ID INT PRIMARY KEY)").unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let mut table = client.table("T").unwrap().unwrap();
    let tx = client.begin(TxOptions::default()).unwrap();
    table.upsert(&mut client, Some(tx), &[("ID", Value::Int(1))]).unwrap();
    // It is the first of its server.
    let kill = "KILL TRANSACTION '00000000-0000-0000-0000-000000000001' NO WAIT";
    assert_eq!(ask(&mut client, kill), "true");
    assert_eq!(ask(&mut client, kill), "false");
    let error = table.get(&mut client, Some(tx), &[("ID", Value::Int(1))]).unwrap_err();
    assert!(error.to_string().contains("Transaction is already finished"), "{error}");
    assert_eq!(table.get(&mut client, None, &[("ID", Value::Int(1))]).unwrap(), None);
}
