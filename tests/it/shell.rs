//! `flint shell` as a process of its own.

use flint::fixture::TestServer;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Exit code, standard output, standard error.
pub(crate) type Outcome = (Option<i32>, String, String);

/// Runs `flint` with `input` at its standard input.
pub(crate) fn flint(args: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flint"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends early does not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn shell(server: &TestServer, args: &[&str], input: &str) -> Outcome {
    let addr = server.addr().to_string();
    flint(&[&["shell", "--addr", &addr], args].concat(), input)
}

const TABLES: &str = " SCHEMA | TABLE
--------+-------
 PUBLIC | A
 PUBLIC | C
 PUBLIC | \"b;\"
(3 rows)
";

#[test]
fn statements_come_from_flags_and_files() {
    let server = TestServer::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("more.sql");
    std::fs::write(&file, "-- a comment; no statement\nCREATE TABLE C\n(ID INT PRIMARY KEY)\n;\n\\d\n").unwrap();
    let first = "CREATE TABLE A (ID INT PRIMARY KEY); CREATE TABLE \"b;\" (ID INT PRIMARY KEY)";
    let again = "CREATE TABLE IF NOT EXISTS A (ID INT PRIMARY KEY)";
    let path = file.to_str().unwrap();
    let (code, out, errors) = shell(&server, &["--execute", first, "--execute", again, "--file", path], "");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(out, format!("done\ndone\nnothing to do\ndone\n{TABLES}"));
}

#[test]
fn statements_come_from_a_pipe() {
    let server = TestServer::start();
    let script = "create table t (id int primary key, \"Na me\" varchar not null, v decimal(5, 2), w timestamp(3));\n\
                  \\d t\n\\d T;\n\\dn\n\\q\nno more";
    let (code, out, errors) = shell(&server, &[], script);
    let table = " COLUMN  | TYPE          | NULLABLE | KEY
---------+---------------+----------+-----
 ID      | INTEGER       | not null | 1
 \"Na me\" | VARCHAR       | not null |
 V       | DECIMAL(5, 2) |          |
 W       | TIMESTAMP(3)  |          |
(4 rows)
";
    let schemas = " SCHEMA\n--------\n PUBLIC\n(1 row)\n";
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(out, format!("done\n{table}{table}{schemas}"));
    // The last statement needs no semicolon.
    let (code, out, _) = shell(&server, &[], "drop table t");
    assert_eq!((code, out.as_str()), (Some(0), "done\n"));
}

#[test]
fn rows_have_three_formats() {
    let server = TestServer::start();
    shell(&server, &["-e", "CREATE TABLE \"a,b\" (ID INT PRIMARY KEY)"], "");
    let (_, out, _) = shell(&server, &["--format", "csv"], "\\d\n");
    assert_eq!(out, "SCHEMA,TABLE\nPUBLIC,\"\"\"a,b\"\"\"\n");
    let (_, out, _) = shell(&server, &["--format", "csv"], "\\format json\n\\format\n\\d\n");
    assert_eq!(out, "json\n{\"SCHEMA\":\"PUBLIC\",\"TABLE\":\"\\\"a,b\\\"\"}\n");
    // What is no row is not said to programs.
    let (code, out, _) = shell(&server, &["--format", "json", "-e", "DROP TABLE \"a,b\""], "");
    assert_eq!((code, out.as_str()), (Some(0), ""));
}

#[test]
fn an_error_names_its_place_and_ends_the_run_unless_told_otherwise() {
    let server = TestServer::start();
    let script = "\\timing on\n\n  drop table\n no_such;\ncreate table t (id int primary key);\n\\nonsense\n";
    let (code, out, errors) = shell(&server, &[], script);
    assert_eq!((code, out.as_str()), (Some(1), "timing is on\n"));
    assert!(errors.starts_with("stdin:3: IGN-SQL-4: ") && errors.contains("NO_SUCH"), "{errors}");
    assert!(errors.trim_end().ends_with(" ms") && errors.lines().count() == 2, "{errors}");

    let (code, out, errors) = shell(&server, &["--on-error", "continue"], script);
    assert_eq!((code, out.as_str()), (Some(1), "timing is on\ndone\n"));
    assert!(errors.contains("stdin:6: no such command: \\nonsense"), "{errors}");
}

#[test]
fn scripts_include_scripts_up_to_a_depth() {
    let server = TestServer::start();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a"), format!("\\i {}\nDROP TABLE T;", path("b"))).unwrap();
    std::fs::write(path("b"), "CREATE TABLE T (ID INT PRIMARY KEY);").unwrap();
    assert_eq!(shell(&server, &["-f", &path("a")], ""), (Some(0), "done\ndone\n".into(), String::new()));

    std::fs::write(path("endless"), format!("\\i {}", path("endless"))).unwrap();
    let (code, _, errors) = shell(&server, &["-f", &path("endless")], "");
    assert_eq!(code, Some(1));
    assert!(errors.contains("more than 16 scripts"), "{errors}");
    std::fs::write(path("binary"), [0xff, 0xfe]).unwrap();
    for (name, part) in [("binary", "UTF-8"), ("missing", "cannot be opened")] {
        let (code, _, errors) = shell(&server, &["-f", &path(name)], "");
        assert!(code == Some(1) && errors.contains(part) && errors.contains(&path(name)), "{errors}");
    }
}

#[test]
fn transactions_are_those_of_the_connection() {
    let server = TestServer::start();
    let script =
        "begin;\nstart transaction;\n-- so far\nrollback;\ncommit;\nSTART TRANSACTION READ ONLY;\nCOMMIT;\nBEGIN;";
    let (code, out, errors) = shell(&server, &["--on-error", "continue"], script);
    assert_eq!(code, Some(1));
    assert_eq!(out, "transaction begun\nrolled back\ntransaction begun\ncommitted\ntransaction begun\n");
    let expected = "stdin:2: a transaction is open already\nstdin:5: no transaction is open\nthe open transaction is rolled back\n";
    assert_eq!(errors, expected);
    let requests: Vec<_> = server.requests().iter().map(|request| request.name.clone()).collect();
    assert!(requests.iter().filter(|name| name.starts_with("TX_")).count() == 5, "{requests:?}");
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, _, errors) = flint(&["shell", "--addr", &nobody, "-e", "\\d"], "");
    assert_eq!(code, Some(3));
    assert!(errors.contains(&nobody), "{errors}");
    assert_eq!(flint(&["shell", "--addr", "no.such.host.invalid:1", "-e", "\\d"], "").0, Some(3));
    for args in [
        &["--addr", "nowhere"][..],
        &["--format", "xml"],
        &["--page-size", "0"],
        &["--on-error", "panic"],
        &["--user", "a"],
        &["surplus"],
    ] {
        assert_eq!(flint(&[&["shell"], args].concat(), "").0, Some(2), "{args:?}");
    }
}

#[test]
fn users_have_passwords() {
    let server = TestServer::builder().user("admin", "s3cret").start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let flags = ["--user", "admin", "--password-file", file.to_str().unwrap()];
    for (password, code, part) in
        [("s3cret\n", Some(0), ""), ("wrong", Some(3), "IGN-AUTHENTICATION-2"), ("", Some(1), "empty")]
    {
        std::fs::write(&file, password).unwrap();
        let outcome = shell(&server, &flags, "\\d");
        assert!(outcome.0 == code && outcome.2.contains(part), "{outcome:?}");
    }
    assert_eq!(shell(&server, &[], "").0, Some(3));
}

#[test]
fn servers_may_speak_tls() {
    let server = TestServer::builder().tls_with_client_certificates().start();
    let files = server.certificates().unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (authority, cert, key) = (path(&files.authority), path(&files.client), path(&files.client_key));
    let all = ["--tls-ca", &authority, "--tls-cert", &cert, "--tls-key", &key, "-e", "\\dn"];
    assert_eq!(shell(&server, &all, ""), (Some(0), " SCHEMA\n--------\n PUBLIC\n(1 row)\n".into(), String::new()));
    // By another of its names, too.
    let addr = format!("localhost:{}", server.addr().port());
    assert_eq!(flint(&[&["shell", "--addr", &addr], &all[..]].concat(), "").0, Some(0));
    for (args, code, part) in [
        (&["--tls-ca", &authority][..], 3, "cannot connect"),
        (&["--tls-ca", &cert, "--tls-cert", &cert, "--tls-key", &key], 3, "certificate"),
        (&[], 3, "the server speaks TLS"),
        (&["--tls-ca", &key], 1, &key),
        (&["--tls-cert", &cert, "--tls-key", &key], 2, "--tls-ca"),
    ] {
        let (found, _, errors) = shell(&server, args, "\\dn");
        assert!(found == Some(code) && errors.contains(part), "{args:?} {found:?} {errors}");
    }
}

#[test]
fn a_lost_connection_is_made_again() {
    let mut server = TestServer::start();
    let (addr, script) = (server.addr().to_string(), "\\d\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_flint"))
        .args(["shell", "--addr", &addr, "--on-error", "continue"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut rows = |stdin: &mut std::process::ChildStdin| {
        stdin.write_all(script.as_bytes()).unwrap();
        lines.find(|line| line.as_ref().unwrap().ends_with("rows)")).unwrap().unwrap()
    };
    assert_eq!(rows(&mut stdin), "(0 rows)");
    server.restart().unwrap();
    // The first attempt finds out.
    stdin.write_all(script.as_bytes()).unwrap();
    assert_eq!(rows(&mut stdin), "(0 rows)");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("closed the connection") && errors.ends_with("connected again\n"), "{errors}");
}

#[test]
fn whoever_reads_may_stop() {
    let server = TestServer::start();
    let addr = server.addr().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flint"))
        .args(["shell", "--addr", &addr])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let _ = child.stdin.take().unwrap().write_all("\\d\n".repeat(2000).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
