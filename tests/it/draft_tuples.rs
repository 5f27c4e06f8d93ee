//! Tables and tuples through the draft dialect: what each operation does and answers.

use crate::draft_script::Script;

const UPSERT: i64 = 10;
const GET: i64 = 12;
const UPSERT_ALL: i64 = 13;
const GET_ALL: i64 = 15;
const GET_AND_UPSERT: i64 = 16;
const INSERT: i64 = 18;
const INSERT_ALL: i64 = 20;
const REPLACE: i64 = 22;
const REPLACE_EXACT: i64 = 24;
const GET_AND_REPLACE: i64 = 26;
const DELETE: i64 = 28;
const DELETE_ALL: i64 = 29;
const DELETE_EXACT: i64 = 30;
const DELETE_ALL_EXACT: i64 = 31;
const GET_AND_DELETE: i64 = 32;
const CONTAINS_KEY: i64 = 33;

/// `id` INT64, `name` STRING, at schema version 1.
fn people() -> Script {
    Script::with_table(&["id:4:key", "name:9"], false)
}

#[test]
fn one_tuple_at_a_time() {
    let mut t = people();
    assert_eq!(t.ask(GET, "T 1 5"), "nil");
    assert_eq!(t.ask(CONTAINS_KEY, "T 1 5"), "false");
    assert_eq!(t.ask(UPSERT, "T 1 5 'a'"), "");
    assert_eq!(t.ask(GET, "T 1 5"), "1 'a'");
    assert_eq!(t.ask(CONTAINS_KEY, "T 1 5"), "true");
    assert_eq!(t.ask(GET_AND_UPSERT, "T 1 5 'b'"), "1 'a'");
    assert_eq!(t.ask(GET_AND_UPSERT, "T 1 6 'c'"), "nil");
    assert_eq!(t.ask(INSERT, "T 1 5 'x'"), "false");
    assert_eq!(t.ask(INSERT, "T 1 7 'x'"), "true");
    assert_eq!(t.ask(REPLACE, "T 1 8 'x'"), "false");
    assert_eq!(t.ask(REPLACE, "T 1 5 'd'"), "true");
    assert_eq!(t.ask(REPLACE_EXACT, "T 1 5 'wrong' 5 'e'"), "false");
    assert_eq!(t.ask(REPLACE_EXACT, "T 1 5 'd' 5 'e'"), "true");
    assert_eq!(t.ask(GET_AND_REPLACE, "T 1 8 'x'"), "nil");
    assert_eq!(t.ask(GET_AND_REPLACE, "T 1 5 'f'"), "1 'e'");
    assert_eq!(t.ask(DELETE_EXACT, "T 1 5 'wrong'"), "false");
    assert_eq!(t.ask(DELETE_EXACT, "T 1 5 'f'"), "true");
    assert_eq!(t.ask(DELETE, "T 1 5"), "false");
    assert_eq!(t.ask(DELETE, "T 1 6"), "true");
    assert_eq!(t.ask(GET_AND_DELETE, "T 1 6"), "nil");
    // The record view of the Java client sends all columns here; what follows the key is passed over.
    assert_eq!(t.ask(GET_AND_DELETE, "T 1 7 nil"), "1 'x'");
    assert_eq!(t.ask(GET, "T 1 7"), "nil");
}

#[test]
fn bulk_answers_keep_the_order_of_the_request() {
    let mut t = people();
    assert_eq!(t.ask(GET_ALL, "T 1 0"), "nil");
    assert_eq!(t.ask(GET_ALL, "T 1 2 1 2"), "nil");
    assert_eq!(t.ask(UPSERT_ALL, "T 1 3 1 'a' 2 'b' 3 'c'"), "");
    assert_eq!(t.ask(GET_ALL, "T 1 4 3 9 1 2"), "1 3 3 'c' 1 'a' 2 'b'");
    assert_eq!(t.ask(INSERT_ALL, "T 1 2 4 'd' 5 'e'"), "nil");
    assert_eq!(t.ask(INSERT_ALL, "T 1 3 5 'x' 6 'f' 1 'y'"), "1 2 5 'x' 1 'y'");
    assert_eq!(t.ask(DELETE_ALL, "T 1 3 8 1 7"), "1 2 8 7");
    assert_eq!(t.ask(DELETE_ALL, "T 1 1 2"), "nil");
    assert_eq!(t.ask(DELETE_ALL_EXACT, "T 1 3 3 'c' 4 'wrong' 9 'none'"), "1 2 4 'wrong' 9 'none'");
    assert_eq!(t.ask(DELETE_ALL_EXACT, "T 1 1 4 'd'"), "nil");
    assert_eq!(t.ask(GET_ALL, "T 1 6 1 2 3 4 5 6"), "1 2 5 'e' 6 'f'");
}

#[test]
fn what_is_sent_twice_counts_once() {
    let mut t = people();
    assert_eq!(t.ask(INSERT_ALL, "T 1 3 1 'a' 1 'a' 2 'b'"), "nil");
    assert_eq!(t.ask(GET_ALL, "T 1 3 1 2 1"), "1 2 1 'a' 2 'b'");
    assert_eq!(t.ask(DELETE_ALL, "T 1 2 1 1"), "nil");
    assert_eq!(t.ask(DELETE_ALL_EXACT, "T 1 2 2 'b' 2 'b'"), "nil");
    // Two tuples of one key are two: the last one stays.
    assert_eq!(t.ask(UPSERT_ALL, "T 1 2 1 'a' 1 'b'"), "");
    assert_eq!(t.ask(GET, "T 1 1"), "1 'b'");
    assert_eq!(t.ask(UPSERT_ALL, "T 1 3 1 'a' 1 'b' 1 'a'"), "");
    assert_eq!(t.ask(GET, "T 1 1"), "1 'a'");
}

#[test]
fn a_bad_row_fails_the_whole_bulk_operation() {
    let mut t = people();
    assert_eq!(t.ask(UPSERT_ALL, "T 1 3 1 'a' nil 'b' 3 'c'"), "!Missed key column: id");
    let refused = t.ask(INSERT_ALL, "T 1 2 1 'a' 2 3");
    assert!(refused.contains("column=name, type=STRING, value=3"), "{refused}");
    assert_eq!(t.ask(GET_ALL, "T 1 3 1 2 3"), "nil");
}

#[test]
fn columns_come_keys_first_then_by_size_and_name() {
    let mut t = Script::with_table(&["b:9:key", "a:3:key", "z:1", "y:9", "x:4"], false);
    assert_eq!(t.schema(), "1 a:3 b:9 z:1 x:4 y:9");
    assert_eq!(t.ask(UPSERT, "T 1 7 'k' 1 2 'three'"), "");
    assert_eq!(t.ask(GET, "T 1 7 'k'"), "1 1 2 'three'");
    assert_eq!(t.ask(DELETE_ALL, "T 1 2 7 'k' 8 'k'"), "1 1 8 'k'");
}

#[test]
fn defaults_stand_in_for_what_is_not_given() {
    let mut t = people();
    let id = t.ask(
        1,
        "'d' {1} 'columns' [4] [4] 'id' 4 true false [5] 'n' 3 false true {1} 'default' 42 \
         [5] 'price' 7 false true {3} 'precision' 9 'scale' 2 'default' x2:0000000105 [4] 'must' 9 false false",
    );
    t.table = hex(id.strip_prefix("x9:").unwrap());
    assert_eq!(
        t.ask(5, "T nil"),
        "{1} 1 [4] [4] 'id' 4 true false [4] 'n' 3 false true [4] 'price' 7 false true [4] 'must' 9 false false"
    );
    assert_eq!(t.ask(UPSERT, "T 1 1 nil nil 'x'"), "");
    assert_eq!(t.ask(GET, "T 1 1"), "1 42 x2:0000000232 'x'");
    let refused = t.ask(UPSERT, "T 1 1 nil nil nil");
    assert!(refused.contains("'must' does not allow NULLs") && refused.contains("[table=d]"), "{refused}");
}

#[test]
fn values_are_fitted_to_their_columns() {
    let mut t = people();
    let id = t.ask(
        1,
        "'f' {1} 'columns' [4] [4] 'id' 4 true false [5] 'm' 13 false true {1} 'precision' 3 \
         [5] 'd' 7 false true {2} 'precision' 5 'scale' 2 [5] 's' 9 false true {1} 'length' 3",
    );
    t.table = hex(id.strip_prefix("x9:").unwrap());
    // 01:02:03.123456789 is cut, 1.005 is rounded.
    assert_eq!(t.ask(UPSERT, "T 1 1 x5:010203075bcd15 x2:0000000303ed 'abc'"), "");
    assert_eq!(t.ask(GET, "T 1 1"), "1 x5:0102030754d4c0 x2:0000000265 'abc'");
    let long = t.ask(UPSERT, "T 1 1 nil nil 'abcd'");
    assert!(long.ends_with("[table=f, column=s, type=STRING(3), value=\"abcd\"]"), "{long}");
    let wide = t.ask(UPSERT, "T 1 1 nil x2:000000000f4240 nil");
    assert!(wide.contains("Numeric field overflow in column 'd'"), "{wide}");
}

#[test]
fn tables_are_created_listed_and_dropped() {
    let mut t = people();
    assert_eq!(t.ask(4, "'t'"), "T");
    assert_eq!(t.ask(4, "'T'"), "nil");
    assert_eq!(t.ask(4, "'PUBLIC.t'"), "T");
    assert_eq!(t.ask(3, ""), "{1} T 't'");
    let exists = "'t' {1} 'columns' [1] [4] 'id' 4 true false";
    assert!(t.ask(1, exists).contains("already exists"));
    assert_eq!(t.ask(1, "'t' {2} 'if_not_exists' true 'columns' [1] [4] 'id' 4 true false"), "T");
    for (options, text) in [
        ("{0}", "PRIMARY KEY"),
        ("{1} 'columns' [1] [4] 'v' 4 false true", "PRIMARY KEY"),
        ("{1} 'colour' 1", "Unknown option \"colour\""),
        ("{2} 'live' true 'live' true", "given twice"),
        ("{1} 'live' 1", "Expected Boolean, but got Integer (01) [option=live]"),
        ("{1} 'columns' [2] [4] 'a' 4 true false [4] 'a' 4 false true", "'a' specified more than once"),
        ("{1} 'columns' [2] [4] 'v' 4 false true [4] 'id' 4 true false", "key columns come first"),
        ("{1} 'columns' [1] [4] 'a' 18 true false", "no column type has code 18"),
        ("{1} 'columns' [1] [3] 'a' 4 true", "Column 0 has 3 parts"),
        ("{1} 'columns' [1] [5] 'a' 4 true false {1} 'length' 3", "INT64 takes no length [column=a]"),
        ("{1} 'columns' [1] [5] 'a' 4 true false {1} 'size' 3", "Unknown column option \"size\""),
        ("{1} 'columns' [2] [4] 'a' 4 true false [5] 'b' 1 false true {1} 'default' 300", "300"),
        ("{1} 'columns' [2] [4] 'a' 4 true false [5] 'b' 1 false true {1} 'default' 'x'", "Expected Integer"),
    ] {
        let answer = t.ask(1, &format!("'n' {options}"));
        assert!(answer.starts_with('!') && answer.contains(text), "{options}: {answer}");
    }
    assert_eq!(t.ask(3, ""), "{1} T 't'");
    assert_eq!(t.ask(2, "'t'"), "");
    assert_eq!(t.ask(2, "'t'"), "");
    assert_eq!(t.ask(3, ""), "{0}");
    assert!(t.ask(GET, "T 1 1").contains("Table does not exist"));
}

#[test]
fn a_table_is_named_by_its_whole_id_or_by_the_uuid_alone() {
    let mut t = people();
    let uuid: String = t.table[..16].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(t.ask(UPSERT, &format!("x3:{uuid} 1 1 'a'")), "");
    assert_eq!(t.ask(GET, &format!("x3:{uuid} 1 1")), "1 'a'");
    assert!(t.ask(GET, &format!("x9:{uuid}0000000000000000 1 1")).contains("Table does not exist"));
    assert!(t.ask(GET, "x9:00 1 1").contains("24 bytes"));
    assert!(t.ask(GET, "x4:00 1 1").contains("Expected Ignite UUID extension (9) or UUID (3), but got 4"));
}

#[test]
fn schemas_are_listed_by_version() {
    let mut t = people();
    let one = "{1} 1 [2] [4] 'id' 4 true false [4] 'name' 9 false true";
    assert_eq!(t.ask(5, "T nil"), one);
    assert_eq!(t.ask(5, "T [1] 1"), one);
    assert_eq!(t.ask(5, "T [3] 1 1 1"), one);
    assert_eq!(t.ask(5, "T [0]"), "{0}");
    for version in ["0", "2", "-1", "2147483647"] {
        let text = format!("!Incorrect schema version requested: ver={version}");
        assert_eq!(t.ask(5, &format!("T [1] {version}")), text);
        assert_eq!(t.ask(GET, &format!("T {version} 1")), text);
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

/// Its client does not know yet that the columns are wider.
#[test]
fn tuples_of_an_older_version_are_stored_in_wider_columns() {
    let mut t = Script::with_table(&["id:4:key", "r:5", "n:3"], false);
    t.server.sql(
        "ALTER TABLE \"t\" ALTER COLUMN \"r\" SET DATA TYPE DOUBLE; ALTER TABLE \"t\" ALTER COLUMN \"n\" SET DATA TYPE BIGINT",
    );
    assert_eq!(t.schema(), "3 id:4 r:6 n:4");
    assert_eq!(t.ask(UPSERT, "T 1 5 0.5 7"), "");
    assert_eq!(t.ask(GET, "T 1 5"), "3 0.5 7");
}
