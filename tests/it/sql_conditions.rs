//! Random conditions over a table with a column of every type. Constants come from the few values that the rows have, their
//! neighbours, and the ends of what a type holds, so that comparisons meet.

use flint::client::ga::Argument;
use flint::value::{ColumnType, Value};

/// What goes together in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Number,
    Text,
    Bytes,
    Date,
    Time,
    Moment,
    Point,
    Uuid,
}

/// Columns: names, types and kinds. Those of keys come first.
pub(crate) const COLUMNS: &[(&str, &str, Kind)] = &[
    ("ID", "INT", Kind::Number),
    ("KI", "SMALLINT NOT NULL", Kind::Number),
    ("KL", "BIGINT NOT NULL", Kind::Number),
    ("KN", "DECIMAL(9, 2) NOT NULL", Kind::Number),
    ("KD", "DOUBLE NOT NULL", Kind::Number),
    ("KV", "VARCHAR NOT NULL", Kind::Text),
    ("KX", "VARBINARY NOT NULL", Kind::Bytes),
    ("KU", "UUID NOT NULL", Kind::Uuid),
    ("KT", "TIMESTAMP(9) NOT NULL", Kind::Moment),
    ("KB", "BOOLEAN NOT NULL", Kind::Boolean),
    ("B", "BOOLEAN", Kind::Boolean),
    ("T", "TINYINT", Kind::Number),
    ("S", "SMALLINT", Kind::Number),
    ("I", "INT", Kind::Number),
    ("L", "BIGINT", Kind::Number),
    ("R", "REAL", Kind::Number),
    ("D", "DOUBLE", Kind::Number),
    ("N", "DECIMAL(9, 2)", Kind::Number),
    ("M", "DECIMAL(40, 10)", Kind::Number),
    ("V", "VARCHAR", Kind::Text),
    ("W", "VARCHAR(5)", Kind::Text),
    ("X", "VARBINARY", Kind::Bytes),
    ("DT", "DATE", Kind::Date),
    ("TM", "TIME(3)", Kind::Time),
    ("TS", "TIMESTAMP(9)", Kind::Moment),
    ("T0", "TIMESTAMP(0)", Kind::Moment),
    ("TZ", "TIMESTAMP(6) WITH LOCAL TIME ZONE", Kind::Point),
    ("U", "UUID", Kind::Uuid),
    ("Z", "INT", Kind::Number),
];

/// Columns that may be part of a key.
pub(crate) const KEYS: &[&str] = &["KI", "KL", "KN", "KD", "KV", "KX", "KU", "KT", "KB"];

/// The texts of a row's values, without its id.
pub(crate) type Row = Vec<String>;

const SMALL: &[&str] = &["0", "1", "-1", "2", "3", "7", "100", "127", "-128"];
const ENDS: &[&str] = &[
    "128",
    "-129",
    "32767",
    "-32768",
    "32768",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "9007199254740993",
    "16777217",
    "99999999999999999999",
];
const FRACTIONS: &[&str] =
    &["0.5", "-0.5", "1.5", "1.25", "0.1", "2.0", "1.00", "0.005", "1.0000000001", "9999999.99", "-7.5"];
const DOUBLES: &[&str] =
    &["0e0", "-0e0", "1e0", "1.5e0", "-1e0", "2e0", "0.1e0", "1e10", "-1e300", "16777217e0", "100e0"];
const TEXTS: &[&str] =
    &["", "a", "A", "aa", "ab", "b", "B", "a b", "1", "%", "_", "\u{e9}", "\u{1F600}", "zz", " a", "a "];
const BYTES: &[&str] = &["", "00", "0000", "01", "7f", "80", "ff", "ffff", "ff00"];
const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "00000000-0000-0001-0000-000000000000",
    "7fffffff-ffff-ffff-ffff-ffffffffffff",
    "80000000-0000-0000-8000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "00000000-0000-0000-8000-000000000000",
];
const DATES: &[&str] =
    &["1970-01-01", "1969-12-31", "2024-02-29", "2024-03-01", "0001-01-01", "9999-12-31", "2000-01-01"];
const TIMES: &[&str] = &["00:00:00", "23:59:59.999", "10:20:30", "10:20:30.5", "10:20:30.001", "12:00:00"];
const MOMENTS: &[&str] = &[
    "1970-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "2024-02-29 10:20:30",
    "2024-02-29 10:20:30.5",
    "2024-02-29 10:20:30.000001",
    "0001-01-02 00:00:00",
    "9999-12-30 23:59:59",
    "2024-02-29 00:00:00",
    "2024-03-01 00:00:00",
];

const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">="];

fn any<'a>(list: &[&'a str], rng: &mut fastrand::Rng) -> &'a str {
    list[rng.usize(..list.len())]
}

/// The values of a row, as texts of their columns' types.
pub(crate) fn row(rng: &mut fastrand::Rng) -> Row {
    let value = |(name, ty, kind): &(&str, &str, Kind)| {
        if !ty.contains("NOT NULL") && rng.u8(..5) == 0 {
            return "NULL".to_owned();
        }
        match (*kind, *name) {
            (Kind::Number, "T") => any(SMALL, rng).to_owned(),
            (Kind::Number, "R" | "D" | "KD") => {
                any(DOUBLES, rng).replace("e300", if *name == "R" { "e30" } else { "e300" })
            }
            (Kind::Number, "N" | "KN") => {
                any(if rng.bool() { SMALL } else { &["0.5", "1.25", "-7.5", "9999999.99", "0.01", "1.00"] }, rng)
                    .to_owned()
            }
            (Kind::Number, "M") => any(if rng.bool() { SMALL } else { FRACTIONS }, rng).to_owned(),
            (Kind::Number, "S" | "KI") if rng.u8(..4) == 0 => any(&["32767", "-32768", "128", "-129"], rng).to_owned(),
            (Kind::Number, "I") if rng.u8(..4) == 0 => {
                any(&["2147483647", "-2147483648", "16777217", "32768"], rng).to_owned()
            }
            (Kind::Number, "L" | "KL") if rng.u8(..4) == 0 => {
                any(&["9223372036854775807", "-9223372036854775808", "9007199254740993", "2147483648"], rng).to_owned()
            }
            (Kind::Number, _) => any(SMALL, rng).to_owned(),
            (kind, _) => constant(kind, rng),
        }
    };
    COLUMNS[1..].iter().map(value).collect()
}

/// A condition, and what stands for its parameters.
pub(crate) fn condition(rng: &mut fastrand::Rng) -> (String, Vec<Argument>) {
    let mut maker = Maker { rng, arguments: Vec::new() };
    let text = maker.condition(0);
    (text, maker.arguments)
}

/// A condition between columns of two tables.
pub(crate) fn between(left: &str, right: &str, rng: &mut fastrand::Rng) -> String {
    let pair = |rng: &mut fastrand::Rng| loop {
        let (a, b) = (&COLUMNS[rng.usize(..COLUMNS.len())], &COLUMNS[rng.usize(..COLUMNS.len())]);
        if a.2 == b.2 {
            let op = if rng.u8(..4) == 0 { any(COMPARISONS, rng) } else { "=" };
            return format!("{left}.{} {op} {right}.{}", a.0, b.0);
        }
    };
    match rng.u8(..4) {
        0 => format!("{} AND {}", pair(rng), pair(rng)),
        1 => format!("{} OR {}", pair(rng), pair(rng)),
        _ => pair(rng),
    }
}

fn constant(kind: Kind, rng: &mut fastrand::Rng) -> String {
    match kind {
        Kind::Boolean => any(&["TRUE", "FALSE"], rng).to_owned(),
        Kind::Number => match rng.u8(..10) {
            0..5 => any(SMALL, rng).to_owned(),
            5 => any(ENDS, rng).to_owned(),
            6 | 7 => any(FRACTIONS, rng).to_owned(),
            _ => any(DOUBLES, rng).to_owned(),
        },
        Kind::Text => format!("'{}'", any(&TEXTS[..TEXTS.len() - 1], rng)),
        Kind::Bytes => format!("X'{}'", any(BYTES, rng)),
        Kind::Date => format!("DATE '{}'", any(DATES, rng)),
        Kind::Time => format!("TIME '{}'", any(TIMES, rng)),
        Kind::Moment => format!("TIMESTAMP '{}'", any(MOMENTS, rng)),
        Kind::Point => format!("TIMESTAMP WITH LOCAL TIME ZONE '{}'", any(MOMENTS, rng)),
        Kind::Uuid => format!("CAST('{}' AS UUID)", any(UUIDS, rng)),
    }
}

struct Maker<'r> {
    rng: &'r mut fastrand::Rng,
    arguments: Vec<Argument>,
}

impl Maker<'_> {
    fn condition(&mut self, depth: u32) -> String {
        match self.rng.u8(..12) {
            0 | 1 if depth < 3 => format!("({} AND {})", self.condition(depth + 1), self.condition(depth + 1)),
            2 | 3 if depth < 3 => format!("({} OR {})", self.condition(depth + 1), self.condition(depth + 1)),
            4 if depth < 3 => format!("(NOT {})", self.condition(depth + 1)),
            5 if depth < 3 => {
                let is =
                    any(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN", "IS NULL"], self.rng);
                format!("({} {is})", self.condition(depth + 1))
            }
            _ => self.comparison(depth),
        }
    }

    fn comparison(&mut self, depth: u32) -> String {
        let (name, _, kind) = COLUMNS[self.rng.usize(..COLUMNS.len())];
        let left = match self.rng.u8(..5) {
            0 => self.value(kind, depth),
            _ => name.to_owned(),
        };
        match self.rng.u8(..16) {
            0 => format!("({left} IS NULL)"),
            1 => format!("({left} IS NOT NULL)"),
            2 | 3 => {
                let not = any(&["", "", "NOT "], self.rng);
                format!("({left} {not}BETWEEN {} AND {})", self.right(kind, depth), self.right(kind, depth))
            }
            4..7 => {
                let not = any(&["", "", "NOT "], self.rng);
                let count = 1 + self.rng.usize(..4);
                let mut list: Vec<String> = (0..count).map(|_| self.right(kind, depth)).collect();
                if self.rng.u8(..6) == 0 {
                    list.push("NULL".into());
                }
                format!("({left} {not}IN ({}))", list.join(", "))
            }
            7 => {
                let not = any(&["", "NOT "], self.rng);
                format!("({left} IS {not}DISTINCT FROM {})", self.right(kind, depth))
            }
            8 if kind == Kind::Text => {
                let not = any(&["", "NOT "], self.rng);
                format!(
                    "({left} {not}LIKE '{}')",
                    any(&["a%", "%", "_", "%a", "a_", "A%", "", "%\u{e9}%", "a%b"], self.rng)
                )
            }
            8 if kind == Kind::Boolean => left,
            9 => format!("({} {} {left})", self.right(kind, depth), any(COMPARISONS, self.rng)),
            _ => format!("({left} {} {})", any(COMPARISONS, self.rng), self.right(kind, depth)),
        }
    }

    /// What a column is compared with: mostly a constant.
    fn right(&mut self, kind: Kind, depth: u32) -> String {
        match self.rng.u8(..8) {
            0 => self.column(kind),
            1 => self.value(kind, depth),
            2 => self.parameter(kind),
            _ => constant(kind, self.rng),
        }
    }

    fn column(&mut self, kind: Kind) -> String {
        let of: Vec<_> = COLUMNS.iter().filter(|column| column.2 == kind).collect();
        of[self.rng.usize(..of.len())].0.to_owned()
    }

    /// A parameter, of any type of its kind.
    fn parameter(&mut self, kind: Kind) -> String {
        let small = self.rng.i64(-2..4);
        let argument = match kind {
            Kind::Boolean => Argument::from(self.rng.bool()),
            Kind::Number => match self.rng.u8(..7) {
                0 => Argument::new(ColumnType::Int8, Value::Int(small)),
                1 => Argument::new(ColumnType::Int16, Value::Int(small)),
                2 => Argument::new(ColumnType::Int32, Value::Int(small)),
                3 => Argument::new(ColumnType::Int64, Value::Int(if self.rng.bool() { small } else { i64::MAX })),
                4 => Argument::new(ColumnType::Float, Value::Float(small as f32 / 2.0)),
                5 => Argument::new(ColumnType::Double, Value::Double(small as f64 / 2.0)),
                _ => {
                    let text = any(&["0", "1", "1.5", "1.25", "-1", "127", "0.1"], self.rng);
                    Argument::from(Value::Decimal(flint::value::Decimal::parse(text).unwrap()))
                }
            },
            Kind::Text => Argument::from(Value::Str(any(TEXTS, self.rng).into())),
            Kind::Bytes => {
                Argument::from(Value::Bytes(vec![[0, 1, 0x7f, 0xff][self.rng.usize(..4)]; self.rng.usize(..3)].into()))
            }
            Kind::Uuid => Argument::from(Value::Uuid([0, u128::MAX, 1 << 127, 1 << 64][self.rng.usize(..4)])),
            _ => return constant(kind, self.rng),
        };
        self.arguments.push(argument);
        "?".to_owned()
    }

    /// A computed value.
    fn value(&mut self, kind: Kind, depth: u32) -> String {
        if depth > 2 {
            return self.column(kind);
        }
        let column = self.column(kind);
        match (kind, self.rng.u8(..8)) {
            (_, 0) => format!("COALESCE({column}, {})", self.same(kind, &column)),
            (_, 1) => {
                format!("CASE WHEN {} THEN {column} ELSE {} END", self.condition(depth + 1), self.same(kind, &column))
            }
            (_, 2) => format!("NULLIF({column}, {})", self.same(kind, &column)),
            (Kind::Number, 3) => format!("({column} + {})", any(SMALL, self.rng)),
            (Kind::Number, 4) => format!("(- {column})"),
            (Kind::Number, 5) => {
                let ty =
                    any(&["BIGINT", "DOUBLE", "DECIMAL(30, 4)", "INT", "SMALLINT", "REAL", "DECIMAL(12, 1)"], self.rng);
                format!("CAST({column} AS {ty})")
            }
            (Kind::Number, 6) => format!("({column} * {})", any(&["2", "-1", "0", "1.5"], self.rng)),
            (Kind::Number, _) => match self.rng.u8(..4) {
                0 => format!("CHAR_LENGTH({})", self.column(Kind::Text)),
                1 => format!("EXTRACT(YEAR FROM {})", self.column(Kind::Date)),
                2 => format!("EXTRACT(DAY FROM {})", self.column(Kind::Moment)),
                _ => format!("ABS({column})"),
            },
            (Kind::Text, 3) => format!("UPPER({column})"),
            (Kind::Text, 4) => format!("({column} || '{}')", any(&["a", "", " "], self.rng)),
            (Kind::Text, 5) => format!("SUBSTRING({column} FROM {})", self.rng.u8(1..3)),
            (Kind::Text, 6) => format!("TRIM({column})"),
            (Kind::Date, 3) => format!("CAST({} AS DATE)", self.column(Kind::Moment)),
            (Kind::Date, 4) => format!("({column} + INTERVAL '1' DAY)"),
            (Kind::Moment, 3) => format!("CAST({} AS TIMESTAMP)", self.column(Kind::Date)),
            (Kind::Moment, 4) => format!("({column} + INTERVAL '1' SECOND)"),
            (Kind::Boolean, 3..) => self.condition(depth + 1),
            _ => column,
        }
    }

    /// Another value of the column's own type: nothing that a branch would have to be converted to.
    fn same(&mut self, kind: Kind, column: &str) -> String {
        match kind {
            Kind::Number => column.to_owned(),
            kind => constant(kind, self.rng),
        }
    }
}
