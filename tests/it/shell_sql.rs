//! `flint shell` with statements that answer rows.

use crate::shell::shell;
use crate::shell_terminal::{ENTER, Terminal};
use flint::fixture::TestServer;
use std::process::Command;

const CITIES: &str = "CREATE TABLE CITY (ID INT PRIMARY KEY, NAME VARCHAR(20), AREA DECIMAL(7, 2), FOUNDED DATE);
    INSERT INTO CITY VALUES (1, 'Oslo; \"the\" city', 480.75, DATE '1040-01-01'), (2, NULL, NULL, NULL), (3, '', 5, NULL);";

fn with_cities() -> TestServer {
    let server = TestServer::start();
    assert_eq!(shell(&server, &["-e", CITIES], ""), (Some(0), "done\n3 rows affected\n".into(), String::new()));
    server
}

#[test]
fn rows_are_written_in_three_formats() {
    let server = with_cities();
    let query = ["-e", "SELECT * FROM CITY ORDER BY ID"];
    let (_, out, _) = shell(&server, &query, "");
    let table = " ID | NAME             | AREA   | FOUNDED
----+------------------+--------+------------
  1 | Oslo; \"the\" city | 480.75 | 1040-01-01
  2 | [null]           | [null] | [null]
  3 |                  |   5.00 | [null]
(3 rows)
";
    assert_eq!(out, table);
    let (_, out, _) = shell(&server, &[&["--format", "csv"], &query[..]].concat(), "");
    assert_eq!(out, "ID,NAME,AREA,FOUNDED\n1,\"Oslo; \"\"the\"\" city\",480.75,1040-01-01\n2,,,\n3,\"\",5.00,\n");
    let (_, out, _) = shell(&server, &[&["--format", "json"], &query[..]].concat(), "");
    let objects: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["NAME"], "Oslo; \"the\" city");
    assert_eq!((&objects[1]["NAME"], &objects[2]["NAME"]), (&serde_json::Value::Null, &"".into()));
    let (_, out, _) = shell(&server, &[], "\\d city\n");
    assert!(out.contains("| VARCHAR(20)") && out.contains("| DECIMAL(7, 2)"), "{out}");
}

#[test]
fn a_script_mixes_statements_transactions_and_errors() {
    let server = with_cities();
    let script = "start transaction;
        delete from city where id = 1; -- a comment; with a semicolon
        select count(*) as n from city;
        rollback;
        select count(*) as n from city;
        begin; update city set name = 'x' where id = 2; commit;
        select name from city where id = 2;
        insert into city (id) values (2);
        start transaction read only; delete from city; rollback;
        select 1/0;
        select no_such from city;
        select 1";
    let (code, out, errors) = shell(&server, &["--on-error", "continue", "--format", "csv"], script);
    assert_eq!((code, out.as_str()), (Some(1), "N\n2\nN\n3\nNAME\nx\n1\n1\n"));
    let codes: Vec<_> = errors.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(codes, ["IGN-SQL-5", "IGN-SQL-7", "IGN-SQL-7", "IGN-SQL-4"], "{errors}");
    let places: Vec<_> = errors.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["stdin:8", "stdin:9", "stdin:10", "stdin:11"], "{errors}");
}

#[test]
fn rows_are_fetched_page_by_page() {
    let server = TestServer::start();
    let values: Vec<_> = (0..2500).map(|id| format!("({id}, {id})")).collect();
    let script = format!("CREATE TABLE T (ID INT PRIMARY KEY, V INT); INSERT INTO T VALUES {};", values.join(","));
    assert_eq!(shell(&server, &[], &script).0, Some(0));
    let query = ["-e", "SELECT ID FROM T ORDER BY ID", "--format", "csv"];
    let (_, out, _) = shell(&server, &[&["--page-size", "100"], &query[..]].concat(), "");
    assert!(out.starts_with("ID\n0\n1\n") && out.ends_with("\n2499\n") && out.lines().count() == 2501);
    let fetched = || server.requests().iter().filter(|request| request.name == "SQL_CURSOR_NEXT_PAGE").count();
    let pages = fetched();
    assert!((24..=25).contains(&pages), "{pages}");
    let (_, whole, _) = shell(&server, &query, "");
    assert_eq!(whole, out);
    assert!(fetched() - pages <= 3, "{}", fetched());
}

#[test]
fn ctrl_c_ends_a_statement_and_not_the_shell() {
    let server = TestServer::start();
    let values: Vec<_> = (0..1000).map(|id| format!("({id})")).collect();
    let script = format!("CREATE TABLE T (ID INT PRIMARY KEY); INSERT INTO T VALUES {};", values.join(","));
    assert_eq!(shell(&server, &[], &script).0, Some(0));
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(&server, &dir.path().join("history"));
    let endless = "select sum(a.id * b.id * c.id) from t a, t b, t c;";
    terminal.type_until(&format!("{endless}{ENTER}"), &[endless, "\n"]);
    let begun =
        || server.requests().iter().any(|request| request.name == "SQL_EXEC" && request.text.contains("a, t b"));
    while !begun() {
        std::thread::yield_now();
    }
    // What a terminal sends at Ctrl-C while a program computes.
    let pid = terminal.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    terminal.type_until("", &["IGN-SQL-6: ", "flint> "]);
    terminal.type_until(&format!("select 'still' || ' here';{ENTER}"), &["\n still here", "flint> "]);
    assert_eq!(terminal.leave(&format!("\\q{ENTER}")), Some(0));
}
