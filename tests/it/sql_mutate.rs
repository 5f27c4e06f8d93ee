//! Statements that nobody wrote: those of the golden scripts, cut up, spliced, and with other values in them.

use flint::client::ga::Argument;
use flint::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use sqllogictest::{DefaultColumnType, Record};
use std::path::Path;

/// Bytes of a statement beyond which it is cut: what is longer shows nothing new and takes its time.
const TEXT_BYTES_MAX: usize = 20_000;

/// Constants at the ends of what there is, with a broken bar between them.
const VALUES: &str = "NULL ¦ 0 ¦ 1 ¦ -1 ¦ 2 ¦ 127 ¦ -128 ¦ 128 ¦ 32767 ¦ -32768 ¦ 2147483647 ¦ -2147483648 ¦ 2147483648 \
    ¦ 9223372036854775807 ¦ -9223372036854775808 ¦ 9223372036854775808 ¦ 18446744073709551615 \
    ¦ 99999999999999999999999999999999999999 ¦ 1e400 ¦ 1e308 ¦ -1.7976931348623157e308 ¦ 4.9e-324 ¦ 0e0 \
    ¦ -0e0 ¦ 1e-400 ¦ 0.1 ¦ -0.5 ¦ 0.00000000000000000000000000000000000000000000000001 \
    ¦ 123456789012345678901234567890.123456789 ¦ 1e999999999 ¦ 0x1F ¦ CAST('NaN' AS DOUBLE) \
    ¦ CAST('Infinity' AS DOUBLE) ¦ CAST('-Infinity' AS REAL) \
    ¦ CAST('170141183460469231731687303715884105727' AS DECIMAL(39, 0)) ¦ CAST(9.99 AS DECIMAL(3, 2)) \
    ¦ CAST(1 AS DECIMAL(1000, 500)) ¦ CAST(1 AS DECIMAL(38, 38)) ¦ CAST(1 AS DECIMAL(0)) \
    ¦ CAST('x' AS VARCHAR(0)) ¦ '' ¦ ' ' ¦ 'a' ¦ '%' ¦ '_' ¦ '\\' ¦ ''' ¦ '[a' ¦ '(((((a*)*)*)*)*b' ¦ '\u{0}' \
    ¦ '\u{e9}' ¦ '\u{65e5}\u{672c}' ¦ '\u{1F600}' ¦ 'e\u{301}' ¦ '\u{130}' ¦ '\u{df}' \
    ¦ '{\"a\":[1,2,{\"b\":null}]}' ¦ '$.a[0]' ¦ '$..*' ¦ '1' ¦ '-1' ¦ 'true' ¦ '2024-02-30' ¦ X'' ¦ X'00' \
    ¦ X'ff00ff' ¦ X'f' ¦ TRUE ¦ FALSE ¦ UNKNOWN ¦ DATE '0001-01-01' ¦ DATE '9999-12-31' ¦ DATE '2024-02-29' \
    ¦ DATE '1582-10-10' ¦ DATE '2024-02-30' ¦ DATE '-0001-01-01' ¦ DATE '+10000-01-01' ¦ TIME '00:00:00' \
    ¦ TIME '23:59:59.999999999' ¦ TIME '24:00:00' ¦ TIMESTAMP '0001-01-01 00:00:00' \
    ¦ TIMESTAMP '9999-12-31 23:59:59.999999999' ¦ TIMESTAMP '1969-12-31 23:59:59.9' \
    ¦ TIMESTAMP '2024-13-01 00:00:00' ¦ TIMESTAMP WITH LOCAL TIME ZONE '2024-03-31 02:30:00' \
    ¦ TIMESTAMP WITH LOCAL TIME ZONE '9999-12-31 23:59:59' ¦ INTERVAL '1' DAY ¦ INTERVAL '0' SECOND \
    ¦ INTERVAL '-1' MONTH ¦ INTERVAL '1-11' YEAR TO MONTH ¦ INTERVAL '99999999999' YEAR \
    ¦ INTERVAL '2147483647' MONTH ¦ INTERVAL '-2147483648' MONTH ¦ INTERVAL '106751991167' DAY \
    ¦ INTERVAL '9223372036854775807' SECOND ¦ INTERVAL '1 2:3:4.5' DAY TO SECOND \
    ¦ CAST('00000000-0000-0000-0000-000000000000' AS UUID) \
    ¦ CAST('ffffffff-ffff-ffff-ffff-ffffffffffff' AS UUID) ¦ CURRENT_DATE ¦ CURRENT_TIMESTAMP ¦ LOCALTIME \
    ¦ RAND_UUID() ¦ (SELECT 1) ¦ (SELECT NULL) ¦ (1, 2) ¦ () ¦ ARRAY[1, 2] ¦ DEFAULT ¦ * ¦ ? ¦ ID ¦ T.ID \
    ¦ CAST(NULL AS INT) ¦ CAST(NULL AS VARCHAR) ¦ CAST(NULL AS TIMESTAMP) \
    ¦ (SELECT X FROM TABLE(SYSTEM_RANGE(1, 2))) ¦ REPEAT('x', 1000000) ¦ REPEAT('x', -1) ¦ SPACE(100000) \
    ¦ -(-(-(-1))) ¦ 1 + 1 ¦ 1 / 0 ¦ 1 % 0";

const TYPES: &str = "BOOLEAN ¦ TINYINT ¦ SMALLINT ¦ INT ¦ INTEGER ¦ BIGINT ¦ REAL ¦ FLOAT ¦ DOUBLE ¦ DECIMAL ¦ DECIMAL(5) \
    ¦ DECIMAL(38, 10) ¦ DECIMAL(76, 75) ¦ DECIMAL(32767, 32767) ¦ DECIMAL(5, 6) ¦ DECIMAL(5, -2) \
    ¦ NUMERIC(10, 2) ¦ CHAR ¦ CHAR(3) ¦ VARCHAR ¦ VARCHAR(3) ¦ VARCHAR(99999999999) ¦ BINARY ¦ VARBINARY \
    ¦ VARBINARY(2) ¦ DATE ¦ TIME ¦ TIME(0) ¦ TIME(9) ¦ TIME(10) ¦ TIMESTAMP ¦ TIMESTAMP(9) \
    ¦ TIMESTAMP WITH LOCAL TIME ZONE ¦ TIMESTAMP WITH TIME ZONE ¦ UUID ¦ INTERVAL YEAR \
    ¦ INTERVAL DAY TO SECOND ¦ INTERVAL MONTH ¦ ANY ¦ INT ARRAY ¦ ROW(A INT) ¦ MAP<INT, INT> ¦ JSON ¦ NULL";

const WORDS: &str = "SELECT ¦ DISTINCT ¦ ALL ¦ FROM ¦ WHERE ¦ GROUP BY ¦ HAVING ¦ ORDER BY ¦ LIMIT ¦ OFFSET ¦ FETCH FIRST \
    ¦ ROWS ONLY ¦ WITH TIES ¦ AS ¦ ON ¦ USING ¦ JOIN ¦ LEFT JOIN ¦ FULL JOIN ¦ CROSS JOIN ¦ NATURAL JOIN \
    ¦ LATERAL ¦ SEMI JOIN ¦ UNION ¦ UNION ALL ¦ INTERSECT ¦ EXCEPT ¦ EXCEPT ALL ¦ MINUS ¦ WITH ¦ RECURSIVE \
    ¦ VALUES ¦ TABLE ¦ AND ¦ OR ¦ NOT ¦ IN ¦ EXISTS ¦ BETWEEN ¦ SYMMETRIC ¦ LIKE ¦ ESCAPE ¦ SIMILAR TO \
    ¦ IS NULL ¦ IS NOT NULL ¦ IS TRUE ¦ IS DISTINCT FROM ¦ IS JSON ¦ CASE ¦ WHEN ¦ THEN ¦ ELSE ¦ END ¦ OVER \
    ¦ PARTITION BY ¦ ROWS BETWEEN ¦ UNBOUNDED PRECEDING ¦ CURRENT ROW ¦ FILTER (WHERE TRUE) ¦ WITHIN GROUP \
    ¦ GROUPING SETS ¦ ROLLUP ¦ CUBE ¦ NULLS FIRST ¦ DESC ¦ ANY ¦ SOME ¦ INSERT INTO ¦ UPDATE ¦ SET \
    ¦ DELETE FROM ¦ MERGE INTO ¦ CREATE TABLE ¦ DROP TABLE ¦ ALTER TABLE ¦ CREATE INDEX ¦ PRIMARY KEY \
    ¦ DEFAULT ¦ NOT NULL ¦ EXPLAIN PLAN FOR ¦ EXPLAIN MAPPING FOR ¦ DESCRIBE ¦ SHOW TABLES ¦ KILL QUERY \
    ¦ START TRANSACTION ¦ COMMIT ¦ EXTRACT(YEAR FROM ¦ INTERVAL ¦ AT TIME ZONE ¦ QUALIFY ¦ PIVOT ¦ UNNEST \
    ¦ TABLESAMPLE ¦ COPY ¦ SET TIME ZONE ¦ QUALIFY ¦ FOR UPDATE ¦ TOP ¦ INTO ¦ REPLACE ¦ EXCLUDE ¦ $1 ¦ @x \
    ¦ ::INT ¦ -> ¦ ->> ¦ || ¦ <=> ¦ != ¦ ** ¦ // ¦ & ¦ ^ ¦ ~ ¦ ! ¦ # ¦ { ¦ } ¦ [ ¦ ] ¦ [1] ¦ [1:2] ¦ . ¦ , \
    ¦ ; ¦ ( ¦ ) ¦ :x ¦ \" ¦ ' ¦ ` ¦ -- ¦ /* ¦ */ ¦ /*+ HINT */ ¦ \u{a0} ¦ \u{200b}";

/// The statements, and what they are made of.
pub(crate) struct Corpus {
    /// Statements of each script, in their order.
    pub(crate) scripts: Vec<Vec<String>>,
    /// The tokens of all statements.
    tokens: Vec<Vec<String>>,
    /// Names before a bracket.
    functions: Vec<String>,
    /// Calls, casts and cases: balanced pieces to put where a value was.
    pieces: Vec<Vec<String>>,
}

impl Corpus {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scripts/sql");
        let mut files: Vec<_> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
            .collect();
        files.sort();
        let scripts: Vec<Vec<String>> = files.iter().map(|path| statements(path)).collect();
        let tokens: Vec<Vec<String>> = scripts.iter().flatten().map(|text| tokens(text)).collect();
        let (mut functions, mut pieces) = (Vec::new(), Vec::new());
        for statement in &tokens {
            for (at, token) in statement.iter().enumerate() {
                if is_word(token) && statement.get(at + 1).is_some_and(|next| next == "(") {
                    functions.push(token.clone());
                    pieces.extend(balanced(&statement[at..]).map(<[String]>::to_vec));
                }
            }
        }
        functions.sort();
        functions.dedup();
        pieces.sort();
        pieces.dedup();
        Self { scripts, tokens, functions, pieces }
    }

    /// A statement that is like `text` in most.
    pub(crate) fn mutate(&self, text: &str, rng: &mut fastrand::Rng) -> String {
        let mut tokens = tokens(text);
        for _ in 0..[1, 1, 1, 2, 2, 3, 5][rng.usize(..7)] {
            self.change(&mut tokens, rng);
        }
        let mut text = tokens.concat();
        if rng.u8(..25) == 0 {
            text = damage(&text, rng);
        }
        cut(&mut text, TEXT_BYTES_MAX);
        text
    }

    /// A statement of one call, or a few within each other.
    pub(crate) fn call(&self, rng: &mut fastrand::Rng) -> String {
        let value = self.value(rng, 0);
        match rng.u8(..8) {
            0 => format!("SELECT {value} FROM TABLE(SYSTEM_RANGE(1, {})) GROUP BY X", rng.u8(..5)),
            1 => format!("SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(0, 3)) WHERE {value} = {}", self.value(rng, 1)),
            2 => format!("SELECT CAST({value} AS {})", listed(TYPES, rng)),
            3 => format!("SELECT {value} OVER (ORDER BY X) FROM TABLE(SYSTEM_RANGE(-1, {}))", rng.u8(..5)),
            _ => format!("SELECT {value}"),
        }
    }

    fn value(&self, rng: &mut fastrand::Rng, depth: u32) -> String {
        match rng.u8(..12) {
            0..5 if depth < 3 => {
                let list: Vec<_> =
                    (0..[0, 1, 1, 1, 2, 2, 2, 3, 3, 4][rng.usize(..10)]).map(|_| self.value(rng, depth + 1)).collect();
                format!("{}({})", any(&self.functions, rng), list.join(", "))
            }
            5 if depth < 3 => {
                let (left, right) = (self.value(rng, depth + 1), self.value(rng, depth + 1));
                format!(
                    "({left} {} {right})",
                    any(&["+", "-", "*", "/", "%", "||", "=", "<", "AND", "LIKE", "IS DISTINCT FROM"], rng)
                )
            }
            6 if depth < 3 => format!("CAST({} AS {})", self.value(rng, depth + 1), listed(TYPES, rng)),
            7 => any(&self.pieces, rng).concat(),
            8 => "X".to_owned(),
            _ => listed(VALUES, rng).to_owned(),
        }
    }

    fn change(&self, tokens: &mut Vec<String>, rng: &mut fastrand::Rng) {
        if tokens.is_empty() {
            tokens.extend(any(&self.tokens, rng).iter().cloned());
        }
        let at = rng.usize(..tokens.len());
        let literal = || (0..tokens.len()).filter(|&at| is_literal(&tokens[at])).collect::<Vec<_>>();
        let word = || (0..tokens.len()).filter(|&at| is_word(&tokens[at])).collect::<Vec<_>>();
        let pick = |places: Vec<usize>, rng: &mut fastrand::Rng| {
            if places.is_empty() { at } else { places[rng.usize(..places.len())] }
        };
        match rng.u8(..22) {
            // A piece of another statement in the place of a piece.
            0 | 1 => {
                let other = any(&self.tokens, rng);
                let from = rng.usize(..other.len());
                let to = (from + 1 + rng.usize(..8)).min(other.len());
                let end = (at + rng.usize(..8)).min(tokens.len());
                tokens.splice(at..end, other[from..to].iter().cloned());
            }
            2 => {
                let end = (at + 1 + rng.usize(..3)).min(tokens.len());
                tokens.drain(at..end);
            }
            3 => {
                let end = (at + 1 + rng.usize(..10)).min(tokens.len());
                let piece = tokens[at..end].to_vec();
                for _ in 0..[1, 1, 1, 2, 10, 100][rng.usize(..6)] {
                    tokens.splice(end..end, piece.iter().cloned());
                }
            }
            4 => {
                let other = rng.usize(..tokens.len());
                tokens.swap(at, other);
            }
            5..9 => {
                let at = pick(literal(), rng);
                tokens[at] = listed(VALUES, rng).to_owned();
            }
            9..12 => {
                let at = pick(literal(), rng);
                tokens.splice(at..=at, any(&self.pieces, rng).iter().cloned());
            }
            12 => {
                let at = pick(word(), rng);
                tokens[at] = match tokens.get(at + 1).is_some_and(|next| next == "(") {
                    true => any(&self.functions, rng).clone(),
                    false => listed(if rng.bool() { TYPES } else { WORDS }, rng).to_owned(),
                };
            }
            13 => {
                let other = any(&self.tokens, rng);
                let at = pick(word(), rng);
                tokens[at].clone_from(any(other, rng));
            }
            14 | 15 => {
                let at = pick(literal(), rng);
                tokens[at] = "?".to_owned();
            }
            16 => {
                let at = pick(literal(), rng);
                let depth = [1, 2, 5, 20, 70, 300][rng.usize(..6)];
                let (open, close) = any(
                    &[("(", ")"), ("ABS(", ")"), ("-", ""), ("NOT ", ""), ("(SELECT ", ")"), ("CAST(", " AS INT)")],
                    rng,
                );
                tokens[at] = format!("{}{}{}", open.repeat(depth), tokens[at], close.repeat(depth));
            }
            17 => tokens.insert(at, format!(" {} ", listed(WORDS, rng))),
            18 => {
                let names = [
                    format!("\"{}\"", "x".repeat(rng.usize(..3_000))),
                    "\"\"".to_owned(),
                    "\"\u{130}d\"".to_owned(),
                    format!("\"{}\"", char::from_u32(rng.u32(..0x3000)).unwrap_or('x')),
                    "SYSTEM.TABLES".to_owned(),
                    "SYSTEM.LOCKS".to_owned(),
                    "TABLE(SYSTEM_RANGE(1, 1000000000))".to_owned(),
                    "(VALUES (1), (NULL))".to_owned(),
                ];
                let at = pick(word(), rng);
                tokens[at].clone_from(any(&names, rng));
            }
            19 => {
                let at = pick(literal(), rng);
                tokens[at] = self.value(rng, 1);
            }
            // A query of this one.
            20 => {
                let (before, after) = any(
                    &[
                        ("SELECT * FROM (", ") AS Q (A)"),
                        ("SELECT COUNT(*) FROM (", ") AS Q"),
                        ("EXPLAIN PLAN FOR ", ""),
                        ("WITH Q AS (", ") SELECT * FROM Q A JOIN Q B ON TRUE"),
                        ("SELECT EXISTS (", ")"),
                        ("SELECT 1 WHERE 1 IN (", ")"),
                        ("INSERT INTO T ", ""),
                        ("CREATE TABLE C2 AS ", ""),
                        ("", " UNION ALL SELECT NULL"),
                        ("", " LIMIT -1"),
                        ("", " OFFSET 9223372036854775807"),
                        ("", " FETCH FIRST 2 ROWS ONLY"),
                        ("", " ORDER BY 1 DESC LIMIT 99999999999999999999"),
                        ("(", ") INTERSECT (SELECT 1)"),
                        ("SELECT MAX(A) OVER (PARTITION BY A) FROM (", ") Q (A)"),
                    ],
                    rng,
                );
                tokens.insert(0, (*before).to_owned());
                tokens.push((*after).to_owned());
            }
            _ => {
                let text = damage(&tokens[at], rng);
                tokens[at] = text;
            }
        }
        tokens.truncate(4_000);
    }
}

fn any<'a, T>(list: &'a [T], rng: &mut fastrand::Rng) -> &'a T {
    &list[rng.usize(..list.len())]
}

/// One of a list in a text.
fn listed(list: &'static str, rng: &mut fastrand::Rng) -> &'static str {
    let items: Vec<&str> = list.split(" ¦ ").collect();
    items[rng.usize(..items.len())]
}

fn statements(path: &Path) -> Vec<String> {
    let records = sqllogictest::parse_file::<DefaultColumnType>(path).unwrap();
    let text = |record| match record {
        Record::Statement { sql, .. } | Record::Query { sql, .. } => Some(sql),
        _ => None,
    };
    // Commands of the scripts that are no SQL.
    let bare = |text: String| text.trim_start_matches("DESCRIBE ").trim_start_matches("PREPARE ").to_owned();
    records.into_iter().filter_map(text).map(bare).collect()
}

/// Words, numbers, quoted texts, white space, and single characters.
fn tokens(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            _ if kind(first) == 0 => first.len_utf8(),
            _ => {
                let number = first.is_ascii_digit();
                rest.find(|c| kind(c) != kind(first) && !(number && c == '.')).unwrap_or(rest.len())
            }
        };
        let (token, left) = rest.split_at(end);
        tokens.push(token.to_owned());
        rest = left;
    }
    tokens
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic())
}

fn is_literal(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit() || c == '\'' || c == '?')
        || matches!(token, "NULL" | "TRUE" | "FALSE")
}

/// The first tokens up to the bracket that closes the first one.
fn balanced(tokens: &[String]) -> Option<&[String]> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().take(60) {
        depth += i32::from(token == "(") - i32::from(token == ")");
        if token == ")" && depth == 0 {
            return Some(&tokens[..=at]);
        }
    }
    None
}

/// The text with one byte or character that is another.
fn damage(text: &str, rng: &mut fastrand::Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = rng.usize(..=bytes.len());
    match rng.u8(..4) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => drop(bytes.remove(at)),
        2 => bytes.insert(at, rng.u8(..)),
        _ => {
            let c = char::from_u32(rng.u32(..0x11_0000)).unwrap_or('\u{fffd}');
            bytes.splice(at..at, c.to_string().into_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn cut(text: &mut String, bytes: usize) {
    while text.len() > bytes || !text.is_char_boundary(text.len()) {
        text.pop();
    }
}

/// A value of some type, at the ends of what it holds as likely as not.
pub(crate) fn argument(rng: &mut fastrand::Rng) -> Argument {
    let wide = [0, 1, -1, i64::MIN, i64::MAX, rng.i64(..), rng.i64(-10..10)][rng.usize(..7)];
    let double = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, f64::MIN_POSITIVE, 1e300]
        [rng.usize(..9)];
    let date = any(&[(1, 1, 1), (9999, 12, 31), (1970, 1, 1), (2024, 2, 29), (-5, 3, 4)], rng);
    let date = Date::new(date.0, date.1, date.2).unwrap();
    let time =
        Time::new(rng.u8(..24), rng.u8(..60), rng.u8(..60), *any(&[0, 1, 999_999_999, 500_000_000], rng)).unwrap();
    let text =
        any(&["", "a", "1", "%", "2024-01-01", "10:00:00", "\u{1F600}", "\u{0}", "NaN", "{\"a\": 1}", "(a+)+$"], rng);
    let digits = rng.usize(1..60);
    let sign = if rng.bool() { "-" } else { "" };
    let decimal = format!("{sign}{}{}.{}", rng.u8(1..10), "9".repeat(digits), "1".repeat(1 + rng.usize(..30)));
    match rng.u8(..18) {
        0 => Argument::null(),
        1 => Argument::new(ColumnType::Boolean, Value::Bool(rng.bool())),
        2 => Argument::new(ColumnType::Int8, Value::Int((wide as i8).into())),
        3 => Argument::new(ColumnType::Int16, Value::Int((wide as i16).into())),
        4 | 5 => Argument::new(ColumnType::Int32, Value::Int((wide as i32).into())),
        6 => Argument::new(ColumnType::Int64, Value::Int(wide)),
        7 => Argument::new(ColumnType::Float, Value::Float(double as f32)),
        8 => Argument::new(ColumnType::Double, Value::Double(double)),
        9 => Argument::from(Value::Decimal(Decimal::parse(&decimal).unwrap())),
        10 => Argument::from(Value::Decimal(Decimal::from_i64(wide))),
        11 => Argument::from(Value::Date(date)),
        12 => Argument::from(Value::Time(time)),
        13 => Argument::from(Value::Datetime(date, time)),
        14 => Argument::from(Value::Timestamp(Timestamp::from_utc(date, time))),
        15 => Argument::new(ColumnType::Uuid, Value::Uuid(rng.u128(..))),
        16 => Argument::new(ColumnType::String { length: UNLIMITED }, Value::Str((*text).into())),
        _ => Argument::new(
            ColumnType::Bytes { length: UNLIMITED },
            Value::Bytes(vec![rng.u8(..); rng.usize(..5)].into()),
        ),
    }
}
