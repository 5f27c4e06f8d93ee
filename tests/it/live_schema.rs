//! Tuples as maps, and tables that grow by them.

use crate::draft_script::Script;

const UPSERT: i64 = 10;
const UPSERT_SCHEMALESS: i64 = 11;
const GET: i64 = 12;
const UPSERT_ALL_SCHEMALESS: i64 = 14;
const GET_ALL: i64 = 15;
const GET_AND_UPSERT_SCHEMALESS: i64 = 17;
const INSERT_SCHEMALESS: i64 = 19;
const INSERT_ALL_SCHEMALESS: i64 = 21;
const REPLACE_SCHEMALESS: i64 = 23;
const REPLACE_EXACT_SCHEMALESS: i64 = 25;
const GET_AND_REPLACE_SCHEMALESS: i64 = 27;

fn live() -> Script {
    Script::with_table(&["id:4:key", "name:9"], true)
}

fn strict() -> Script {
    Script::with_table(&["id:4:key", "name:9"], false)
}

#[test]
fn known_columns_work_on_strict_tables_too() {
    for mut t in [live(), strict()] {
        assert_eq!(t.ask(UPSERT_SCHEMALESS, "T {2} 'id' 1 'name' 'a'"), "");
        assert_eq!(t.ask(INSERT_SCHEMALESS, "T {2} 'name' 'x' 'id' 1"), "false");
        assert_eq!(t.ask(INSERT_SCHEMALESS, "T {1} 'id' 2"), "true");
        assert_eq!(t.ask(GET, "T 1 2"), "1 nil");
        assert_eq!(t.ask(REPLACE_SCHEMALESS, "T {1} 'id' 3"), "false");
        assert_eq!(t.ask(REPLACE_SCHEMALESS, "T {2} 'id' 2 'name' 'b'"), "true");
        // These answer all columns, the key too.
        assert_eq!(t.ask(GET_AND_UPSERT_SCHEMALESS, "T {2} 'id' 2 'name' 'c'"), "1 2 'b'");
        assert_eq!(t.ask(GET_AND_UPSERT_SCHEMALESS, "T {2} 'id' 3 'name' 'd'"), "nil");
        assert_eq!(t.ask(GET_AND_REPLACE_SCHEMALESS, "T {2} 'id' 3 'name' 'e'"), "1 3 'd'");
        assert_eq!(t.ask(REPLACE_EXACT_SCHEMALESS, "T {2} 'id' 3 'name' 'x' {2} 'id' 3 'name' 'f'"), "false");
        assert_eq!(t.ask(REPLACE_EXACT_SCHEMALESS, "T {2} 'id' 3 'name' 'e' {2} 'id' 3 'name' 'f'"), "true");
        assert_eq!(t.ask(UPSERT_ALL_SCHEMALESS, "T [2] {1} 'id' 4 {2} 'id' 5 'name' nil"), "");
        assert_eq!(t.ask(INSERT_ALL_SCHEMALESS, "T [1] {1} 'id' 6"), "nil");
        // Skipped tuples come back as they were sent.
        assert_eq!(
            t.ask(INSERT_ALL_SCHEMALESS, "T [3] {2} 'name' 'g' 'id' 6 {1} 'id' 7 {1} 'id' 1"),
            "[2] {2} 'name' 'g' 'id' 6 {1} 'id' 1"
        );
        assert_eq!(t.schema(), "1 id:4 name:9");
    }
}

#[test]
fn unknown_columns_become_columns_in_one_version() {
    let mut t = live();
    assert_eq!(t.ask(UPSERT, "T 1 1 'old'"), "");
    assert_eq!(t.ask(UPSERT_SCHEMALESS, "T {4} 'id' 2 'age' 30 'city' 'Oslo' 'name' 'a'"), "");
    assert_eq!(t.schema(), "2 id:4 age:4 city:9 name:9");
    assert_eq!(t.ask(GET, "T 2 2"), "2 30 'Oslo' 'a'");
    // A row from before is widened, and a client that names the old version goes on working.
    assert_eq!(t.ask(GET, "T 1 1"), "2 nil nil 'old'");
    assert_eq!(t.ask(UPSERT, "T 1 3 'still'"), "");
    assert_eq!(t.ask(GET_ALL, "T 1 3 1 2 3"), "2 3 1 nil nil 'old' 2 30 'Oslo' 'a' 3 nil nil 'still'");
    assert_eq!(t.ask(5, "T [1] 1"), "{1} 1 [2] [4] 'id' 4 true false [4] 'name' 9 false true");
    // Nothing new, no new version.
    assert_eq!(t.ask(UPSERT_SCHEMALESS, "T {2} 'id' 2 'age' 31"), "");
    assert_eq!(t.schema(), "2 id:4 age:4 city:9 name:9");
}

#[test]
fn a_bulk_operation_makes_one_version() {
    let mut t = live();
    let request = "T [3] {2} 'id' 1 'a' 1 {3} 'id' 2 'a' 2 'b' 'x' {2} 'id' 3 'c' true";
    assert_eq!(t.ask(UPSERT_ALL_SCHEMALESS, request), "");
    assert_eq!(t.schema(), "2 id:4 c:17 a:4 b:9 name:9");
    assert_eq!(t.ask(GET_ALL, "T 2 3 1 2 3"), "2 3 1 nil 1 nil nil 2 nil 2 'x' nil 3 true nil nil nil");
}

#[test]
fn a_new_column_gets_the_widest_type_of_its_value() {
    let mut t = live();
    let request = "T {13} 'id' 1 'i' 1 'f' 1.5 's' 'x' 'b' 0x01 'o' true 'n' x1:63 'd' x2:0000000105 \
                   'u' x3:00000000000000010000000000000002 'day' x4:000007e50c02 'time' x5:01020300000000 \
                   'dt' x6:000007e50c0201020300000000 'ts' x7:000000000000000500000000";
    assert_eq!(t.ask(UPSERT_SCHEMALESS, request), "");
    assert_eq!(t.ask(UPSERT_SCHEMALESS, "T {2} 'id' 2 'm' x8:14"), "");
    // A bit set without limit counts as the largest of the fixed sizes.
    assert_eq!(t.schema(), "3 id:4 o:17 day:12 time:13 f:6 i:4 dt:14 ts:15 u:8 m:11 b:10 d:7 n:16 name:9 s:9");
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut t = live();
    assert_eq!(t.ask(UPSERT, "T 1 1 'a'"), "");
    for (op, request, texts) in [
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 'x' nil", &["'null' value", "column=x", "table=t"][..]),
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 'x' [1] 5", &["type [Array] is not supported", "column=x"]),
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 'x' {0}", &["type [Map] is not supported"]),
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 'x' x42:00", &["extension 42"]),
        (UPSERT_SCHEMALESS, "T {2} 'x' 1 'name' 'b'", &["Missed key column: id"]),
        (UPSERT_SCHEMALESS, "T {3} 'id' 2 'x' 1 'name' 5", &["Expected String, but got Integer (05)", "column=name"]),
        (UPSERT_SCHEMALESS, "T {3} 'id' 2 'x' 1 'id' 3", &["Column id is given twice"]),
        (UPSERT_SCHEMALESS, "T {3} 'id' 2 'x' 1 'x' 2", &["Column x is given twice"]),
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 '' 1", &["needs a name"]),
        (UPSERT_SCHEMALESS, "T {2} 'id' 2 5 1", &["Expected String, but got Integer (05)"]),
        (UPSERT_ALL_SCHEMALESS, "T [2] {2} 'id' 2 'x' 1 {2} 'id' 3 'x' 'y'", &["column x would be INT64", "STRING"]),
        (UPSERT_ALL_SCHEMALESS, "T [2] {2} 'id' 2 'x' 1 {1} 'x' 2", &["Missed key column: id"]),
        (INSERT_ALL_SCHEMALESS, "T [2] {2} 'id' 2 'x' 1", &["Message ends early"]),
    ] {
        let answer = t.ask(op, request);
        assert!(answer.starts_with('!'), "{request}: {answer}");
        for text in texts {
            assert!(answer.contains(text), "{request}: {answer}");
        }
        assert_eq!(t.schema(), "1 id:4 name:9", "{request}");
        assert_eq!(t.ask(GET_ALL, "T 1 3 1 2 3"), "1 1 1 'a'", "{request}");
    }
    let long = t.ask(UPSERT_SCHEMALESS, &format!("T {{2}} 'id' 2 '{}' 1", "x".repeat(129)));
    assert!(long.contains("129 bytes, the limit is 128"), "{long}");
    let mut many = "T {1024} 'id' 2".to_owned();
    (0..1023).for_each(|i| many += &format!(" 'c{i}' 1"));
    assert!(t.ask(UPSERT_SCHEMALESS, &many).contains("1025 columns, the limit is 1024"));
    assert_eq!(t.schema(), "1 id:4 name:9");
}

#[test]
fn a_strict_table_does_not_grow() {
    let mut t = strict();
    for value in ["1", "nil", "[0]", "'x'"] {
        let answer = t.ask(UPSERT_SCHEMALESS, &format!("T {{2}} 'id' 1 'x' {value}"));
        assert!(answer.contains("Value doesn't match schema.") && answer.contains("no column x"), "{answer}");
    }
    assert_eq!(t.schema(), "1 id:4 name:9");
    assert_eq!(t.ask(GET, "T 1 1"), "nil");
}

#[test]
fn the_schema_grows_even_where_the_tuple_is_not_written() {
    let mut t = live();
    assert_eq!(t.ask(REPLACE_SCHEMALESS, "T {2} 'id' 1 'x' 1"), "false");
    assert_eq!(t.schema(), "2 id:4 x:4 name:9");
    assert_eq!(t.ask(REPLACE_EXACT_SCHEMALESS, "T {1} 'id' 1 {2} 'id' 1 'y' 1"), "false");
    assert_eq!(t.schema(), "3 id:4 x:4 y:4 name:9");
}

#[test]
fn two_connections_see_one_schema() {
    use crate::draft::{Over, answer_of};
    let mut t = live();
    let mut other = t.server.connect_established();
    assert_eq!(t.ask(UPSERT_SCHEMALESS, "T {2} 'id' 1 'x' 1"), "");
    let body = crate::draft_script::bytes("T {2} 'id' 2 'y' 'z'", &t.table);
    assert_eq!(answer_of(&mut *other, UPSERT_SCHEMALESS, |out| out.extend(body)), Ok(vec![]));
    assert_eq!(t.schema(), "3 id:4 x:4 name:9 y:9");
    assert_eq!(t.ask(GET_ALL, "T 1 2 1 2"), "3 2 1 1 nil nil 2 nil nil 'z'");
}
