//! JDBC over the GA dialect, as requests and answers in short texts (see `draft_script`). An answer begins with a status:
//! `0 nil`, or 1 and what failed; `!` is an error answer, of what cannot be read. A binary is a binary tuple.

use super::draft_script::{bytes, text};
use super::ga_support::World;
use flint::config::Limits;

const CONNECT: u8 = 54;
const EXEC: u8 = 34;
const NEXT: u8 = 35;
const BATCH: u8 = 36;
const CLOSE: u8 = 37;
const TABLES: u8 = 38;
const COLUMNS: u8 = 39;
const SCHEMAS: u8 = 40;
const KEYS: u8 = 41;
const PREPARED_BATCH: u8 = 46;
const FINISH: u8 = 55;
const MORE: u8 = 58;
const CANCEL: u8 = 68;

/// One client with a JDBC connection, which is number 1.
struct Session {
    world: World,
}

impl Session {
    fn new(script: &str) -> Self {
        Self::with_limits(script, Limits::default())
    }

    fn with_limits(script: &str, limits: Limits) -> Self {
        let mut world = World::with_limits(limits);
        world.sql(script);
        world.connect();
        let mut session = Self { world };
        assert_eq!(session.ask(CONNECT, "'Etc/UTC'"), "0 nil 1");
        session
    }

    fn ask(&mut self, op: u8, request: &str) -> String {
        self.ask_as(0, op, request)
    }

    fn ask_as(&mut self, client: usize, op: u8, request: &str) -> String {
        let id = self.world.send(client, op, |out| out.extend(bytes(request, &[])));
        self.answer(client, id).unwrap_or_else(|| panic!("{op} {request} waits"))
    }

    fn answer(&mut self, client: usize, id: i64) -> Option<String> {
        let reply = self.world.take(client, id)?;
        Some(match reply.flags {
            4 => format!("!{} {}", reply.error().code, reply.error().message),
            _ => text(&reply.body, &[]),
        })
    }

    /// Runs a statement with auto-commit.
    fn run(&mut self, sql: &str) -> String {
        self.ask(EXEC, &any(sql))
    }
}

/// A statement of any type, with auto-commit; it may be several.
fn any(sql: &str) -> String {
    format!("1 true 0 'PUBLIC' 100 0 '{sql}' true 0 0 7 0")
}

const T: &str = "CREATE TABLE T (ID INT PRIMARY KEY, NAME VARCHAR(20), D DECIMAL(10, 2) NOT NULL)";

#[test]
fn metadata_is_found_by_pattern() {
    let mut s = Session::new(&format!(
        "{T}; CREATE TABLE T_2 (B BIGINT, A REAL, PRIMARY KEY (B, A)); CREATE TABLE TA2 (X DATE PRIMARY KEY)"
    ));
    for (op, request, answer) in [
        (TABLES, "'PUBLIC' 'T' nil", "0 nil 1 0 nil 'PUBLIC' 'T' 'TABLE'"),
        (TABLES, "nil 'T\\_2' [0]", "!196610"),
        (TABLES, "nil 'T\\_%' 1 'TABLE'", "0 nil 1 0 nil 'PUBLIC' 'T_2' 'TABLE'"),
        (TABLES, "'PUB%' 'T__' 2 'VIEW' '%'", "0 nil 2 0 nil 'PUBLIC' 'TA2' 'TABLE' 0 nil 'PUBLIC' 'T_2' 'TABLE'"),
        (TABLES, "'PUBLIC' nil 1 'VIEW'", "0 nil 0"),
        (TABLES, "'PUBLIC' 't' nil", "0 nil 0"),
        (
            COLUMNS,
            "'PUBLIC' 'T' '%'",
            "0 nil 3 \
             0 nil 'ID' 'PUBLIC' 'T' 'ID' 4 false 10 0 \
             0 nil 'NAME' 'PUBLIC' 'T' 'NAME' 15 true 20 -2147483648 \
             0 nil 'D' 'PUBLIC' 'T' 'D' 8 false 10 2",
        ),
        (
            COLUMNS,
            "'PUBLIC' 'T%2' nil",
            "0 nil 3 \
             0 nil 'X' 'PUBLIC' 'TA2' 'X' 9 false -1 -2147483648 \
             0 nil 'B' 'PUBLIC' 'T_2' 'B' 5 false 19 0 \
             0 nil 'A' 'PUBLIC' 'T_2' 'A' 6 false 15 -2147483648",
        ),
        (COLUMNS, "nil nil 'NO_SUCH'", "0 nil 0"),
        (SCHEMAS, "nil", "0 nil 2 'PUBLIC' 'SYSTEM'"),
        (SCHEMAS, "'P%'", "0 nil 1 'PUBLIC'"),
        (KEYS, "'PUBLIC' 'T_2'", "0 nil 2 'PUBLIC' 'TA2' 'PK_TA2' 1 'X' 'PUBLIC' 'T_2' 'PK_T_2' 2 'B' 'A'"),
        (KEYS, "nil 'NO_SUCH'", "0 nil nil"),
    ] {
        let found = s.ask(op, request);
        assert!(found == answer || answer.starts_with('!') && found.starts_with(answer), "{op} {request}: {found}");
    }
    let long = format!("'{}'", "x".repeat(2_000));
    assert_eq!(s.ask(SCHEMAS, &long), "1 'A name pattern of 2000 bytes, the limit is 1024'");
}

#[test]
#[cfg(feature = "sql")]
fn metadata_has_the_system_views() {
    let mut s = Session::new(T);
    let tables = s.ask(TABLES, "nil 'TABLE%' nil");
    assert!(tables.ends_with(" 0 nil 'SYSTEM' 'TABLES' 'VIEW' 0 nil 'SYSTEM' 'TABLE_COLUMNS' 'VIEW'"), "{tables}");
    let column = s.ask(COLUMNS, "'SYSTEM' 'SCHEMAS' 'SCHEMA_NAME'");
    assert_eq!(column, "0 nil 1 0 nil 'SCHEMA_NAME' 'SYSTEM' 'SCHEMAS' 'SCHEMA_NAME' 15 true 65536 -2147483648");
}

#[test]
fn ddl_counts_nothing_and_failures_have_a_status() {
    let mut s = Session::new(T);
    for (op, request, answer) in [
        (
            EXEC,
            "1 true 2 'PUBLIC' 10 0 'CREATE TABLE U (ID INT PRIMARY KEY)' false nil 0 1 0",
            "0 nil nil false false 0",
        ),
        (EXEC, "1 true 2 'PUBLIC' 10 0 'DROP TABLE IF EXISTS NONE' false 0 0 1 0", "0 nil nil false false 0"),
        (EXEC, &any("CREATE TABLE T (ID INT PRIMARY KEY)"), "1 'Table with name 'PUBLIC.T' already exists.'"),
        (EXEC, &any("DROP"), "1 'Failed to parse query: Encountered \"<EOF>\" at line 1, column 4'"),
        (EXEC, &any(" ; "), "1 'Failed to parse query: Not a statement'"),
        (
            EXEC,
            "1 true 1 'PUBLIC' 10 0 'DROP TABLE T' false 0 0 1 0",
            "1 'Invalid SQL statement type. Expected [QUERY, EXPLAIN] but got DDL.'",
        ),
        (
            EXEC,
            "1 true 2 'PUBLIC' 10 0 'SELECT 1' false 0 0 1 0",
            "1 'Invalid SQL statement type. Expected [DML, DDL, KILL] but got QUERY.'",
        ),
        (
            EXEC,
            "1 true 0 'PUBLIC' 10 0 'DROP TABLE A; DROP TABLE B' false 0 0 1 0",
            "1 'Multiple statements are not allowed.'",
        ),
        (
            EXEC,
            "1 true 0 'PUBLIC' 10 0 'COMMIT' false 0 0 1 0",
            "1 'Transaction control statement can not be executed as an independent statement.'",
        ),
        (EXEC, "1 true 3 'PUBLIC' 10 0 'DROP TABLE T' false 0 0 1 0", "1 'Unknown JDBC statement type: 3'"),
        (EXEC, "1 true 0 'PUBLIC' 0 0 'DROP TABLE T' false 0 0 1 0", "1 'Invalid fetch size [fetchSize=0]'"),
        (EXEC, "9 true 0 'PUBLIC' 10 0 'DROP TABLE T' false 0 0 1 0", "1 'Failed to find resource with id: 9'"),
        (
            EXEC,
            "1 true 0 'PUBLIC' 10 0 'DROP TABLE T' false 10001 0x00 0 1 0",
            "1 'The statement has 10001 parameters, the limit is 10000'",
        ),
        (
            EXEC,
            "1 true 0 'PUBLIC' 10 0 'DROP TABLE T' false 1 0x0001020304000f 0 1 0",
            "1 'Unexpected number of query parameters. Provided 1 but there is only 0 dynamic parameter(s).'",
        ),
        (NEXT, "77 10", "1 'Failed to find query cursor [curId=77]'"),
        (NEXT, "77 0", "1 'Invalid fetch size [fetchSize=0]'"),
        (MORE, "77 10", "1 'Failed to find query cursor [curId=77]'"),
        (CLOSE, "77 true", "1 'Failed to find query cursor [curId=77]'"),
        (FINISH, "9 true", "1 'Failed to find resource with id: 9'"),
        (FINISH, "1 true", "0 nil"),
        (CANCEL, "1 5", "0 nil"),
        (BATCH, "9 true 'PUBLIC' 1 'DROP TABLE T' 0 1", "1 'Failed to find resource with id: 9' 1 0"),
        (BATCH, "1 true nil 2 'DROP TABLE T' 'DROP TABLE T' 0 1", "1 'Table with name 'PUBLIC.T' not found.' 1 1 0"),
        (
            PREPARED_BATCH,
            "1 true nil 'DROP' 0 0 1",
            "1 'Failed to parse query: Encountered \"<EOF>\" at line 1, column 4' 1 0",
        ),
    ] {
        assert_eq!(s.ask(op, request), answer, "{op} {request}");
    }
    if cfg!(not(feature = "sql")) {
        assert!(s.run("SELECT 1").contains("cargo build --profile release-sql --features sql"));
    }
}

#[test]
fn requests_cut_at_every_length_are_refused_and_the_connection_goes_on() {
    let mut s = Session::new(T);
    for (op, request) in [
        (EXEC, "1 true 0 'PUBLIC' 10 0 'DROP TABLE IF EXISTS A' false 1 0x00 0 7"),
        (NEXT, "300 10"),
        (MORE, "300 10"),
        (BATCH, "1 true 'PUBLIC' 2 'DROP TABLE IF EXISTS A' 'DROP TABLE IF EXISTS B' 0 7"),
        (PREPARED_BATCH, "1 true 'PUBLIC' 'DROP TABLE IF EXISTS A' 2 1 0x00 0 0 7"),
        (CLOSE, "300 true"),
        (TABLES, "'PUBLIC' 'T' 1 'TABLE'"),
        (COLUMNS, "'PUBLIC' 'T' 'ID'"),
        (SCHEMAS, "'PUBLIC'"),
        (KEYS, "'PUBLIC' 'T'"),
        (CONNECT, "'Etc/UTC'"),
        (FINISH, "1 true"),
        (CANCEL, "1 500"),
    ] {
        let whole = bytes(request, &[]);
        for cut in 0..whole.len() {
            let error = s.world.err(0, op, |out| out.extend(&whole[..cut]));
            assert_eq!(error.code, 196_610, "{op} {request} cut at {cut}: {error:?}");
        }
    }
    assert_eq!(s.run("DROP TABLE T"), "0 nil nil false false 0");
}

/// They run in steps, between which others have their turn.
#[test]
fn a_request_of_many_statements_runs_to_its_end() {
    let mut s = Session::new("");
    let mut text = "DROP TABLE IF EXISTS A;".repeat(1_000);
    assert_eq!(s.run(&text), "0 nil 2 false true 0");
    for cursor in 2..1_000 {
        assert_eq!(s.ask(MORE, &format!("{cursor} 1")), format!("0 nil {} false true 0", cursor + 1));
    }
    assert_eq!(s.ask(MORE, "1000 1"), "0 nil nil false false 0");
    text += "DROP TABLE A";
    assert_eq!(s.run(&text), "0 nil 1001 false true 0");
    assert_eq!(s.ask(CLOSE, "1001 true"), "0 nil");
    let batch = format!("1 true nil 1000 {} 0 1", "'DROP TABLE IF EXISTS A' ".repeat(1_000));
    assert_eq!(s.ask(BATCH, &batch), format!("0 nil 0 1000{}", " 0".repeat(1_000)));
}

#[test]
fn jdbc_connections_are_limited() {
    let mut s = Session::with_limits("", Limits { resources: 3, ..Limits::default() });
    assert_eq!(s.ask(CONNECT, "nil"), "0 nil 2");
    assert_eq!(s.ask(CONNECT, "nil"), "0 nil 3");
    assert_eq!(s.ask(CONNECT, "nil"), "1 'The connection holds 3 JDBC connections, which is the limit'");
}

#[cfg(feature = "sql")]
mod with_queries {
    use super::*;

    const COUNT: &str = "1 0 nil 'COUNT(*)' nil nil nil 5 false 19 0";
    const ID: &str = "1 0 nil 'ID' 'PUBLIC' 'T' 'ID' 4 false 10 0";

    fn filled(rows: i32) -> Session {
        let mut s = Session::new("CREATE TABLE T (ID INT PRIMARY KEY, V INT)");
        for id in 1..=rows {
            assert_eq!(s.run(&format!("INSERT INTO T VALUES ({id}, 0)")), "0 nil nil false false 1");
        }
        s
    }

    /// How many rows a client sees.
    fn count(s: &mut Session, client: usize, connection: i64, auto_commit: bool) -> String {
        let request = format!("{connection} {auto_commit} 1 'PUBLIC' 10 0 'SELECT COUNT(*) FROM T' false 0 0 1 0");
        let answer = s.ask_as(client, EXEC, &request);
        let row = answer.strip_prefix(&format!("0 nil nil true false false {COUNT} 1 0x0001")).unwrap();
        i64::from_str_radix(row, 16).unwrap().to_string()
    }

    #[test]
    fn rows_come_in_pages() {
        let mut s = filled(5);
        let select = |page: i32, max: i32| {
            format!("1 true 1 'PUBLIC' {page} {max} 'SELECT ID FROM T ORDER BY ID' false 0 0 1 0")
        };
        for (op, request, answer) in [
            (
                EXEC,
                select(9, 0),
                format!("0 nil nil true false false {ID} 5 0x000101 0x000102 0x000103 0x000104 0x000105"),
            ),
            (EXEC, select(2, 0), format!("0 nil 2 true false true {ID} 2 0x000101 0x000102")),
            (NEXT, "2 2".into(), "0 nil false 2 0x000103 0x000104".into()),
            (NEXT, "2 2".into(), "0 nil true 1 0x000105".into()),
            // It ended with its last page.
            (NEXT, "2 2".into(), "1 'Failed to find query cursor [curId=2]'".into()),
            (CLOSE, "2 true".into(), "0 nil".into()),
            // The last page may be full.
            (
                EXEC,
                select(5, 0),
                format!("0 nil nil true false false {ID} 5 0x000101 0x000102 0x000103 0x000104 0x000105"),
            ),
            // No more rows than the driver wants.
            (EXEC, select(9, 2), format!("0 nil nil true false false {ID} 2 0x000101 0x000102")),
            (EXEC, select(2, 3), format!("0 nil 3 true false true {ID} 2 0x000101 0x000102")),
            (NEXT, "3 2".into(), "0 nil true 1 0x000103".into()),
            (EXEC, select(2, 4), format!("0 nil 4 true false true {ID} 2 0x000101 0x000102")),
            (NEXT, "4 2".into(), "0 nil true 2 0x000103 0x000104".into()),
            // One that is given up.
            (EXEC, select(2, 0), format!("0 nil 5 true false true {ID} 2 0x000101 0x000102")),
            (CLOSE, "5 true".into(), "0 nil".into()),
            (NEXT, "5 2".into(), "1 'Failed to find query cursor [curId=5]'".into()),
        ] {
            assert_eq!(s.ask(op, &request), answer, "{op} {request}");
        }
    }

    #[test]
    fn the_time_zone_is_that_of_the_jdbc_connection() {
        let mut s = filled(0);
        assert_eq!(s.ask(CONNECT, "'Asia/Tokyo'"), "0 nil 2");
        let cast =
            "SELECT CAST(CAST(TIMESTAMP '2024-02-29 09:00:00' AS TIMESTAMP WITH LOCAL TIME ZONE) AS VARCHAR) AS V";
        let mut shown = |connection: i32| {
            let id = s.world.send(0, EXEC, |out| {
                out.extend(bytes(&format!("{connection} true 1 'PUBLIC' 10 0"), &[]));
                flint::wire::msgpack::Write::put_str(out, cast);
                out.extend(bytes("false 0 0 1 0", &[]));
            });
            let answer = s.answer(0, id).unwrap();
            let row = answer.rsplit("0x").next().unwrap().to_owned();
            (0..row.len())
                .step_by(2)
                .filter_map(|i| u8::from_str_radix(&row[i..i + 2], 16).ok())
                .skip(2)
                .map(char::from)
                .collect::<String>()
        };
        assert_eq!(shown(1), "2024-02-29 09:00:00 Etc/UTC");
        assert_eq!(shown(2), "2024-02-29 09:00:00 Asia/Tokyo");
    }

    #[test]
    fn parameters_are_typed() {
        let mut s = filled(3);
        let request = "1 true 0 'PUBLIC' 10 0 'SELECT ID FROM T WHERE ID = ?' false 1 0x00010203040002 0 1 0";
        assert_eq!(s.ask(EXEC, request), format!("0 nil nil true false false {ID} 1 0x000102"));
    }

    #[test]
    fn several_statements_have_a_result_each() {
        let mut s = filled(3);
        let text = "UPDATE T SET V = 1 WHERE ID > 1; SELECT ID FROM T ORDER BY ID; CREATE TABLE U (ID INT PRIMARY KEY); \
                    SELECT COUNT(*) FROM T WHERE V = 1";
        let request = format!("1 true 0 'PUBLIC' 2 0 '{text}' true 0 0 1 0");
        assert_eq!(s.ask(EXEC, &request), "0 nil 2 false true 2");
        // All of it has run, whoever asks for results.
        assert_eq!(s.run("DROP TABLE U"), "0 nil nil false false 0");
        assert_eq!(s.ask(MORE, "2 2"), format!("0 nil 3 true true true {ID} 2 0x000101 0x000102"));
        assert_eq!(s.ask(MORE, "2 2"), "1 'Failed to find query cursor [curId=2]'");
        assert_eq!(s.ask(NEXT, "3 2"), "0 nil true 1 0x000103");
        assert_eq!(s.ask(NEXT, "3 2"), "0 nil true 0");
        assert_eq!(s.ask(CLOSE, "3 false"), "0 nil");
        assert_eq!(s.ask(MORE, "3 2"), "0 nil 4 false true 0");
        assert_eq!(s.ask(MORE, "4 2"), format!("0 nil nil true false false {COUNT} 1 0x000102"));
    }

    #[test]
    fn a_failed_statement_ends_the_text_and_is_its_last_result() {
        let mut s = filled(1);
        assert_eq!(
            s.run("INSERT INTO T VALUES (2, 0); SELECT 1/0; INSERT INTO T VALUES (3, 0)"),
            "0 nil 2 false true 1"
        );
        assert_eq!(s.ask(MORE, "2 10"), "1 'Division by zero'");
        assert_eq!(s.ask(MORE, "2 10"), "1 'Failed to find query cursor [curId=2]'");
        assert_eq!(count(&mut s, 0, 1, true), "2");
        assert!(s.run("INSERT INTO T VALUES (9, 0); SELEC 1").starts_with("1 'Failed to parse query: "));
        assert_eq!(count(&mut s, 0, 1, true), "2");
    }

    #[test]
    fn a_text_may_have_its_own_transaction() {
        let mut s = filled(0);
        assert_eq!(s.run("START TRANSACTION; INSERT INTO T VALUES (1, 0); COMMIT"), "0 nil 2 false true 0");
        assert_eq!(s.ask(MORE, "2 1"), "0 nil 3 false true 1");
        assert_eq!(s.ask(MORE, "3 1"), "0 nil nil false false 0");
        assert_eq!(count(&mut s, 0, 1, true), "1");
        assert_eq!(s.run("START TRANSACTION; INSERT INTO T VALUES (2, 0)"), "0 nil 4 false true 0");
        assert_eq!(s.ask(MORE, "4 1"), "0 nil 5 false true 1");
        assert_eq!(s.ask(MORE, "5 1"), "1 'Transaction block doesn't have a COMMIT statement at the end.'");
        assert_eq!(count(&mut s, 0, 1, true), "1");
        assert!(s.world.engine.transactions.is_empty());
    }

    #[test]
    fn without_auto_commit_statements_share_a_transaction() {
        let mut s = filled(0);
        let other = s.world.connect();
        assert_eq!(s.ask_as(other, CONNECT, "nil"), "0 nil 1");
        let insert = |id: i32| format!("1 false 2 'PUBLIC' 10 0 'INSERT INTO T VALUES ({id}, 0)' false 0 0 1 0");
        assert_eq!(s.ask(EXEC, &insert(1)), "0 nil nil false false 1");
        assert_eq!((count(&mut s, 0, 1, false), count(&mut s, other, 1, true)), ("1".into(), "0".into()));
        assert_eq!(s.ask(FINISH, "1 false"), "0 nil");
        assert_eq!(count(&mut s, 0, 1, false), "0");
        assert_eq!(s.ask(FINISH, "1 true"), "0 nil");
        assert_eq!(
            s.ask(BATCH, "1 false 'PUBLIC' 2 'INSERT INTO T VALUES (1, 0)' 'INSERT INTO T VALUES (2, 0)' 0 1"),
            "0 nil 0 2 1 1"
        );
        assert_eq!(count(&mut s, other, 1, true), "0");
        assert_eq!(s.ask(FINISH, "1 true"), "0 nil");
        assert_eq!(count(&mut s, other, 1, true), "2");

        let control = "1 false 0 'PUBLIC' 10 0 'START TRANSACTION; COMMIT' true 0 0 1 0";
        let refused = "1 'Transaction control statements are not supported when autocommit mode is disabled'";
        assert_eq!(s.ask(EXEC, control), refused);
        let ddl = "1 false 0 'PUBLIC' 10 0 'DROP TABLE T' false 0 0 1 0";
        assert_eq!(s.ask(EXEC, ddl), "1 'DDL doesn't support transactions.'");
        // What fails while it runs ends the transaction; the driver has to end it, too.
        assert_eq!(s.ask(EXEC, &insert(3)), "0 nil nil false false 1");
        assert_eq!(s.ask(EXEC, &insert(1)), "1 'PK unique constraint is violated'");
        assert!(s.ask(EXEC, &insert(4)).starts_with("1 'Transaction is already finished"));
        assert!(s.ask(FINISH, "1 true").starts_with("1 'Transaction is already finished"));
        assert_eq!(s.ask(EXEC, &insert(4)), "0 nil nil false false 1");
        // Two JDBC connections over one: two transactions. They end with the connection.
        let second: i64 = s.ask(CONNECT, "nil").strip_prefix("0 nil ").unwrap().parse().unwrap();
        assert_eq!((count(&mut s, 0, second, false), count(&mut s, 0, 1, false)), ("2".into(), "3".into()));
        s.world.close(0);
        assert!(s.world.engine.transactions.is_empty() && s.world.engine.locks.is_empty());
        assert_eq!(count(&mut s, other, 1, true), "2");
    }

    #[test]
    fn batches_count_what_ran_before_a_failure() {
        let mut s = filled(1);
        for (op, request, answer) in [
            (
                BATCH,
                "1 true 'PUBLIC' 3 'INSERT INTO T VALUES (2, 0)' 'UPDATE T SET V = 1' 'CREATE TABLE U (ID INT PRIMARY KEY)' 0 1",
                "0 nil 0 3 1 2 0",
            ),
            (BATCH, "1 true 'PUBLIC' 0 0 1", "0 nil 0 0"),
            (
                BATCH,
                "1 true 'PUBLIC' 3 'INSERT INTO T VALUES (3, 0)' 'INSERT INTO T VALUES (3, 0)' 'DROP TABLE U' 0 1",
                "1 'PK unique constraint is violated' 1 1 1",
            ),
            (
                BATCH,
                "1 true 'PUBLIC' 2 'DELETE FROM T WHERE ID = 3' 'SELECT 1' 0 1",
                "1 'Invalid SQL statement type. Expected [DML, DDL, KILL] but got QUERY.' 1 1 1",
            ),
            (
                PREPARED_BATCH,
                "1 true 'PUBLIC' 'DELETE FROM T WHERE ID = ?' 2 1 0x00010203040002 1 0x00010203040009 0 1",
                "0 nil 0 2 1 0",
            ),
            (
                PREPARED_BATCH,
                "1 true 'PUBLIC' 'INSERT INTO T VALUES (?, 0)' 3 1 0x00010203040007 1 0x00010203040001 1 0x00010203040008 0 1",
                "1 'PK unique constraint is violated' 1 1 1",
            ),
            (
                PREPARED_BATCH,
                "1 true 'PUBLIC' 'INSERT INTO T VALUES (?, 0)' 1 0 0 1",
                "1 'Unexpected number of query parameters. Provided 0 but there is only 1 dynamic parameter(s).' 1 0",
            ),
            (
                PREPARED_BATCH,
                "1 true 'PUBLIC' 'SELECT 1' 1 0 0 1",
                "1 'Invalid SQL statement type. Expected [DML, DDL, KILL] but got QUERY.' 1 0",
            ),
        ] {
            assert_eq!(s.ask(op, request), answer, "{op} {request}");
        }
        assert_eq!(count(&mut s, 0, 1, true), "2");
    }

    #[test]
    fn a_statement_that_waits_can_be_cancelled() {
        let mut s = filled(1);
        let other = s.world.connect();
        assert_eq!(s.ask_as(other, CONNECT, "nil"), "0 nil 1");
        assert_eq!(
            s.ask(EXEC, "1 false 2 'PUBLIC' 10 0 'UPDATE T SET V = 1' false 0 0 1 0"),
            "0 nil nil false false 1"
        );
        for (op, request, failed) in [
            (
                EXEC,
                "1 true 2 'PUBLIC' 10 0 'UPDATE T SET V = 2' false 0 0 41 0",
                "1 'The query was cancelled while executing.'",
            ),
            (BATCH, "1 true 'PUBLIC' 1 'UPDATE T SET V = 2' 0 41", "1 'The query was cancelled while executing.' 1 0"),
        ] {
            let id = s.world.send(other, op, |out| out.extend(bytes(request, &[])));
            assert_eq!(s.answer(other, id), None);
            // Another statement's number, and another connection's.
            assert_eq!(
                (s.ask_as(other, CANCEL, "1 40"), s.ask_as(other, CANCEL, "2 41")),
                ("0 nil".into(), "0 nil".into())
            );
            assert_eq!(s.answer(other, id), None);
            assert_eq!(s.ask_as(other, CANCEL, "1 41"), "0 nil");
            assert_eq!(s.answer(other, id).unwrap(), failed);
        }
        assert_eq!(s.ask(FINISH, "1 true"), "0 nil");
    }

    #[test]
    fn open_cursors_are_limited() {
        let limit = Limits::default().resources;
        let mut s = filled(2);
        let select = "1 true 1 'PUBLIC' 1 0 'SELECT ID FROM T ORDER BY ID' false 0 0 1 0";
        for place in 0..limit {
            let cursor = place + 2;
            assert_eq!(s.ask(EXEC, select), format!("0 nil {cursor} true false true {ID} 1 0x000101"));
        }
        let full = "1 'The connection holds as many open cursors as it may: close some, or read them to the end'";
        assert_eq!(s.ask(EXEC, select), full);
        assert_eq!(s.run("SELECT 1; SELECT 2"), "1 'The connection holds 1000 open cursors, which is the limit'");
        // What needs no cursor goes on, and so does what has one again.
        assert_eq!(count(&mut s, 0, 1, true), "2");
        assert_eq!(s.ask(NEXT, "2 1"), "0 nil true 1 0x000102");
        assert!(s.ask(EXEC, select).starts_with("0 nil 1002 true"));
        assert_eq!(s.ask(EXEC, select), full);
    }

    #[test]
    fn results_of_a_text_count_as_cursors() {
        let mut s =
            Session::with_limits("CREATE TABLE T (ID INT PRIMARY KEY)", Limits { resources: 3, ..Limits::default() });
        s.run("INSERT INTO T VALUES (1), (2)");
        let text = "SELECT ID FROM T ORDER BY ID;".repeat(4);
        let several = format!("1 true 0 'PUBLIC' 1 0 '{text}' true 0 0 1 0");
        assert_eq!(s.ask(EXEC, &several), format!("0 nil 2 true true true {ID} 1 0x000101"));
        assert_eq!(s.ask(MORE, "2 1"), format!("0 nil 3 true true true {ID} 1 0x000101"));
        assert_eq!(s.ask(MORE, "3 1"), format!("0 nil 4 true true true {ID} 1 0x000101"));
        assert!(s.ask(MORE, "4 1").starts_with("1 'The connection holds as many open cursors as it may"));
    }
}
