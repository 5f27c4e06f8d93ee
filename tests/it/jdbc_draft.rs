//! JDBC over the draft dialect, as requests and answers in short texts (see `draft_script`). What an operation answers begins
//! with `true 0 nil`, or `false`, a status and what failed; so does each result in it.

use super::draft_script::Script;
#[cfg(feature = "sql")]
use super::{
    draft::{Over, Peer, Tcp, answer_of},
    draft_script::{bytes, text},
};

const EXEC: i64 = 34;
const NEXT: i64 = 35;
const BATCH: i64 = 36;
const CLOSE: i64 = 37;
const TABLES: i64 = 38;
const COLUMNS: i64 = 39;
const SCHEMAS: i64 = 40;
const KEYS: i64 = 41;
const DESCRIBE: i64 = 42;

/// A connection to a server that runs queries.
#[cfg(feature = "sql")]
struct Session {
    _server: Tcp,
    peer: Box<dyn Peer>,
}

#[cfg(feature = "sql")]
impl Session {
    fn new() -> Self {
        let server = Tcp::new();
        let peer = server.connect_established();
        Self { _server: server, peer }
    }

    fn ask(&mut self, op: i64, request: &str) -> String {
        let body = bytes(request, &[]);
        match answer_of(&mut *self.peer, op, |out| out.extend(body)) {
            Ok(answer) => text(&answer, &[]),
            Err(message) => format!("!{message}"),
        }
    }
}

#[test]
fn ddl_and_metadata() {
    let mut t = Script::with_table(&["id:4:key", "name:9:20"], true);
    for (op, request, answer) in [
        (
            EXEC,
            "'PUBLIC' 10 0 'CREATE TABLE T (A INT, B UUID, V DECIMAL(5, 2) NOT NULL, PRIMARY KEY (B, A))' nil",
            "true 0 nil [1] true 0 nil 1 false 0 true [0]",
        ),
        (
            EXEC,
            "nil 10 0 'DROP TABLE IF EXISTS X; DROP TABLE NONE; DROP TABLE T' nil",
            "true 0 nil [2] true 0 nil 2 false 0 true [0] \
             false 1 'Failed to validate query. Table with name 'PUBLIC.NONE' not found.'",
        ),
        (EXEC, "nil 10 0 'DROP' nil", "false 1 'Failed to parse query: Encountered \"<EOF>\" at line 1, column 4'"),
        (EXEC, "nil 0 0 'DROP TABLE T' nil", "false 1 'Invalid fetch size : [fetchSize=0]'"),
        (TABLES, "'PUBLIC' nil nil", "true 0 nil [2] true 0 nil 'PUBLIC' 'T' 'TABLE' true 0 nil 'PUBLIC' 't' 'TABLE'"),
        (TABLES, "nil 'T' [1] 'VIEW'", "true 0 nil [0]"),
        (
            TABLES,
            "'PUB%' '_' [2] 'VIEW' 'TABLE'",
            "true 0 nil [2] true 0 nil 'PUBLIC' 'T' 'TABLE' true 0 nil 'PUBLIC' 't' 'TABLE'",
        ),
        (
            COLUMNS,
            "'PUBLIC' 'T' '%'",
            "true 0 nil [3] \
             true 0 nil 'PUBLIC' 'T' 'A' 4 'INTEGER' 'java.lang.Integer' false 10 0 \
             true 0 nil 'PUBLIC' 'T' 'B' 1111 'OTHER' 'java.util.UUID' false -1 -2147483648 \
             true 0 nil 'PUBLIC' 'T' 'V' 3 'DECIMAL' 'java.math.BigDecimal' false 5 2",
        ),
        (
            COLUMNS,
            "'PUBLIC' 't' 'n%'",
            "true 0 nil [1] true 0 nil 'PUBLIC' 't' 'name' 12 'VARCHAR' 'java.lang.String' true 20 -2147483648",
        ),
        (SCHEMAS, "nil", "true 0 nil [2] 'PUBLIC' 'SYSTEM'"),
        (SCHEMAS, "'S%'", "true 0 nil [1] 'SYSTEM'"),
        (
            KEYS,
            "nil nil",
            "true 0 nil [2] true 0 nil 'PUBLIC' 'T' 'PK_T' [2] 'B' 'A' true 0 nil 'PUBLIC' 't' 'PK_t' [1] 'id'",
        ),
        (KEYS, "nil 'NONE'", "true 0 nil nil"),
    ] {
        assert_eq!(t.ask(op, request), answer, "{op} {request}");
    }
}

#[test]
fn failures_have_a_status_and_a_text() {
    let mut t = Script::with_table(&["id:4:key", "name:9"], true);
    for (op, request, answer) in [
        (NEXT, "900 10", "false 1 'Failed to find query cursor with ID: 900'"),
        (NEXT, "900 -1", "false 1 'Invalid fetch size : [fetchSize=-1]'"),
        (CLOSE, "900", "false 1 'Failed to find query cursor with ID: 900'"),
        (DESCRIBE, "900", "false 1 'Failed to find query cursor with ID: 900'"),
        (
            BATCH,
            "nil [1] 'DROP TABLE NONE' nil",
            "false 1 'Failed to validate query. Table with name 'PUBLIC.NONE' not found.'",
        ),
        (
            BATCH,
            "nil [1] 'SELECT 1' nil",
            "false 1 'Invalid SQL statement type. Expected [DML, DDL, KILL] but got QUERY.'",
        ),
        (BATCH, "nil [2] 'DROP TABLE IF EXISTS A' nil nil nil", "true 0 nil [2] 0 0"),
        (BATCH, "nil [0]", "true 0 nil [0]"),
        (
            EXEC,
            "nil 10 0 'DROP TABLE IF EXISTS A' [1] 4 5",
            "false 1 'Failed to validate query. Unexpected number of query parameters. Provided 1 but there is only 0 dynamic parameter(s).'",
        ),
        (EXEC, "nil 10 0 'DROP TABLE IF EXISTS A' [1] 18 5", "false 1 'no column type has code 18; codes are 1..=17'"),
        (EXEC, "nil 10 0 'DROP TABLE IF EXISTS A' [2] 4 5", "!"),
        (EXEC, "nil 10 0 12 nil", "!Expected String, but got Integer (0c)"),
    ] {
        let found = t.ask(op, request);
        assert!(found == answer || answer == "!" && found.starts_with('!'), "{op} {request}: {found}");
    }
    if cfg!(not(feature = "sql")) {
        let found = t.ask(EXEC, "nil 10 0 'SELECT 1' nil");
        assert!(
            found.starts_with("false 1 'Failed") && found.contains("cargo build --profile release-sql --features sql"),
            "{found}"
        );
    }
}

#[test]
#[cfg(feature = "sql")]
fn rows_come_in_pages_with_their_types() {
    let mut s = Session::new();
    for (op, request, answer) in [
        (
            EXEC,
            "'PUBLIC' 10 0 'CREATE TABLE T (ID BIGINT PRIMARY KEY, V DECIMAL(5, 2), D DATE)' nil",
            "true 0 nil [1] true 0 nil 1 false 0 true [0]",
        ),
        (
            EXEC,
            "'PUBLIC' 10 0 'INSERT INTO T VALUES (1, 1.5, NULL), (2, NULL, NULL), (3, 0, NULL)' nil",
            "true 0 nil [1] true 0 nil 2 false 3 true [0]",
        ),
        // A parameter is nil, or its type and itself: a DATE.
        (
            EXEC,
            "'PUBLIC' 10 0 'INSERT INTO T VALUES (?, ?, ?)' [3] 4 4 nil 12 x4:000007e8021d",
            "true 0 nil [1] true 0 nil 3 false 1 true [0]",
        ),
        (
            EXEC,
            "'PUBLIC' 3 0 'SELECT ID, V, D FROM T ORDER BY ID' nil",
            "true 0 nil [1] true 0 nil 4 true -1 false [3] [3] 4 1 7 x2:000000020096 nil \
             [3] 4 2 nil nil [3] 4 3 7 x2:0000000200 nil",
        ),
        (NEXT, "4 3", "true 0 nil true [1] [3] 4 4 nil 12 x4:000007e8021d"),
        // It has ended, but its columns are still known.
        (NEXT, "4 3", "true 0 nil true [0]"),
        (
            DESCRIBE,
            "4",
            "true 0 nil [3] \
             true 0 nil 'PUBLIC' 'T' 'ID' -5 'BIGINT' 'java.lang.Long' false 19 0 \
             true 0 nil 'PUBLIC' 'T' 'V' 3 'DECIMAL' 'java.math.BigDecimal' true 5 2 \
             true 0 nil 'PUBLIC' 'T' 'D' 91 'DATE' 'java.sql.Date' true 0 -2147483648",
        ),
        (CLOSE, "4", "true 0 nil"),
        (DESCRIBE, "4", "false 1 'Failed to find query cursor with ID: 4'"),
        // No more rows than are wanted, and several results at once.
        (
            EXEC,
            "'PUBLIC' 2 3 'SELECT ID FROM T ORDER BY ID; UPDATE T SET V = 0 WHERE ID > 2; SELECT TRUE AS B, NULL' nil",
            "true 0 nil [3] true 0 nil 5 true -1 false [2] [1] 4 1 [1] 4 2 true 0 nil 6 false 2 true [0] \
             true 0 nil 7 true -1 true [1] [2] 17 true nil",
        ),
        (NEXT, "5 2", "true 0 nil true [1] [1] 4 3"),
        (DESCRIBE, "6", "false 1 'Failed to find query cursor with ID: 6'"),
        (CLOSE, "6", "true 0 nil"),
        (
            DESCRIBE,
            "7",
            "true 0 nil [2] true 0 nil nil nil 'B' 16 'BOOLEAN' 'java.lang.Boolean' false 1 -2147483648 \
             true 0 nil nil nil 'NULL' 0 'NULL' 'java.lang.Void' true -1 -2147483648",
        ),
        (
            BATCH,
            "'PUBLIC' [3] 'DELETE FROM T WHERE ID = ?' [1] 4 1 nil [1] 4 77 'DELETE FROM T' nil",
            "true 0 nil [3] 1 0 3",
        ),
        (EXEC, "'PUBLIC' 10 0 'SELECT 1/0' nil", "false 1 'Division by zero'"),
    ] {
        assert_eq!(s.ask(op, request), answer, "{op} {request}");
    }
}

#[test]
#[cfg(feature = "sql")]
fn open_cursors_are_limited() {
    let mut s = Session::new();
    let select = "'PUBLIC' 1 0 'SELECT X FROM TABLE(SYSTEM_RANGE(1, 3))' nil";
    for cursor in 1..=1_000 {
        assert_eq!(s.ask(EXEC, select), format!("true 0 nil [1] true 0 nil {cursor} true -1 false [1] [1] 4 1"));
    }
    let full = "false 1 'The connection holds as many open cursors as it may: close some, or read them to the end'";
    assert_eq!(s.ask(EXEC, select), full);
    assert_eq!(s.ask(CLOSE, "500"), "true 0 nil");
    assert!(s.ask(EXEC, select).starts_with("true 0 nil [1] true 0 nil 1001 true"));
    assert_eq!(s.ask(EXEC, select), full);
}
