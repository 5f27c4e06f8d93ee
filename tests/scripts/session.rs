//! One connection of a script: runs statements and shows their results as text.
//!
//! Besides SQL it takes a few commands, for what clients do without SQL: `BEGIN`, `BEGIN READ ONLY`, `COMMIT` and
//! `ROLLBACK` of an explicit transaction, `SET TIME ZONE 'X'`, `DESCRIBE q` (the columns of an executed query), and
//! `PREPARE q` (parameters and columns of a statement that is not executed).

use flint::client::Error;
use flint::client::ga::{Client, ColumnMeta, ServerError, SqlOptions, SqlResult, Tx, TxOptions};
use flint::value::{Value, text};
use parking_lot::Mutex;
use sqllogictest::{ColumnType, DB, DBOutput};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a statement may take.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(30);

/// Numbers of types on the wire, the letters that stand for them in scripts, and their names.
const TYPES: &[(i64, char, &str)] = &[
    (0, '?', "NULL"),
    (1, 'B', "BOOLEAN"),
    (2, 't', "TINYINT"),
    (3, 's', "SMALLINT"),
    (4, 'i', "INT"),
    (5, 'l', "BIGINT"),
    (6, 'f', "REAL"),
    (7, 'd', "DOUBLE"),
    (8, 'n', "DECIMAL"),
    (9, 'D', "DATE"),
    (10, 'T', "TIME"),
    (11, 'S', "TIMESTAMP"),
    (12, 'Z', "TIMESTAMP_LTZ"),
    (13, 'U', "UUID"),
    (15, 'V', "VARCHAR"),
    (16, 'X', "VARBINARY"),
    (17, 'P', "PERIOD"),
    (18, 'Q', "DURATION"),
];

/// Error codes with a name of their own: group, number, name.
const ERRORS: &[(&str, u16, &str)] = &[
    ("SQL", 1, "SQL_NO_ROWS"),
    ("SQL", 3, "SQL_PARSE"),
    ("SQL", 4, "SQL_VALIDATION"),
    ("SQL", 5, "SQL_CONSTRAINT"),
    ("SQL", 6, "SQL_CANCELLED"),
    ("SQL", 7, "SQL_RUNTIME"),
    ("SQL", 8, "SQL_MAPPING"),
    ("SQL", 9, "SQL_TX_CONTROL"),
];

/// The type of a result's column, as its letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter(char);

impl ColumnType for Letter {
    fn from_char(value: char) -> Option<Self> {
        TYPES.iter().any(|(_, letter, _)| *letter == value).then_some(Self(value))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

impl Letter {
    fn of(type_id: i64) -> Self {
        Self(TYPES.iter().find(|(id, ..)| *id == type_id).map_or('!', |(_, letter, _)| *letter))
    }
}

/// What a statement answered: its effect, or the name of its error.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The letters of the columns, and the rows.
    Rows(String, Vec<String>),
    /// Rows changed; for DDL 1 if it changed something.
    Count(u64),
    /// The name of the error, and what the server said.
    Failed(Failure),
}

/// A statement's error. Scripts know its name only.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let name = match error.server() {
            Some(server) => error_name(server),
            None => "CONNECTION".into(),
        };
        Self { name, message: error.to_string() }
    }
}

fn error_name(error: &ServerError) -> String {
    let (group, number) = (error.group(), error.number());
    let named = ERRORS.iter().find(|known| known.0 == group && known.1 == number);
    named.map_or_else(|| format!("{group}_{number}"), |known| known.2.into())
}

/// What the sessions of one script share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The newest time that any of them saw: each sees what the others did before.
    observed: i64,
    /// What the last statement answered.
    outcome: Option<Outcome>,
}

impl Shared {
    /// Takes what the last statement answered.
    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        self.0.lock().outcome.take()
    }
}

/// One connection.
pub(crate) struct Session {
    addr: SocketAddr,
    shared: Shared,
    client: Option<Client>,
    options: SqlOptions,
}

impl Session {
    pub(crate) fn new(addr: SocketAddr, shared: Shared) -> Self {
        let options = SqlOptions { timeout: Some(STATEMENT_TIME_MAX), ..SqlOptions::default() };
        Self { addr, shared, client: None, options }
    }

    /// Runs a statement or command.
    pub(crate) fn execute(&mut self, text: &str) -> Result<Outcome, Failure> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.addr)?,
        };
        client.observe(self.shared.0.lock().observed);
        let result = command(&mut client, &mut self.options, text);
        self.shared.0.lock().observed = client.observed();
        // A connection that failed is of no use to the next statement.
        if result.as_ref().err().is_none_or(|error| error.server().is_some()) {
            self.client = Some(client);
        } else {
            self.options.tx = None;
        }
        Ok(result?)
    }
}

fn command(client: &mut Client, options: &mut SqlOptions, text: &str) -> Result<Outcome, Error> {
    let begin = |options: &mut SqlOptions, tx: Tx| {
        options.tx = Some(tx);
        Ok(Outcome::Count(0))
    };
    match (text, options.tx) {
        ("BEGIN", _) => begin(options, client.begin(TxOptions::default())?),
        ("BEGIN READ ONLY", _) => begin(options, client.begin(TxOptions { read_only: true, ..TxOptions::default() })?),
        ("COMMIT", Some(tx)) => {
            options.tx = None;
            client.commit(tx).map(|()| Outcome::Count(0))
        }
        ("ROLLBACK", Some(tx)) => {
            options.tx = None;
            client.rollback(tx).map(|()| Outcome::Count(0))
        }
        _ => {
            if let Some(zone) = text.strip_prefix("SET TIME ZONE ") {
                options.time_zone = Some(zone.trim_matches('\'').to_owned());
                Ok(Outcome::Count(0))
            } else if let Some(query) = text.strip_prefix("DESCRIBE ") {
                let columns = client.sql(query, &[], options)?.columns;
                Ok(Outcome::Rows("VV".into(), columns.iter().map(described).collect()))
            } else if let Some(statement) = text.strip_prefix("PREPARE ") {
                let description = client.describe(statement, options)?;
                let parameters = description.parameters.into_iter().map(|parameter| ColumnMeta {
                    name: "?".into(),
                    nullable: parameter.nullable,
                    type_id: parameter.type_id,
                    precision: parameter.precision,
                    scale: parameter.scale,
                    origin: None,
                });
                let columns = parameters.chain(description.columns);
                Ok(Outcome::Rows("VV".into(), columns.map(|column| described(&column)).collect()))
            } else {
                let result = client.sql(text, &[], options)?;
                outcome(client, result)
            }
        }
    }
}

fn outcome(client: &mut Client, result: SqlResult) -> Result<Outcome, Error> {
    if !result.has_rows {
        return Ok(Outcome::Count(result.affected_rows.unwrap_or_else(|| u64::from(result.was_applied))));
    }
    let letters = result.columns.iter().map(|column| Letter::of(column.type_id).0).collect();
    let rows = result.all(client)?;
    Ok(Outcome::Rows(letters, rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()))
}

/// A value in a script: text in quotes, everything else as the shell prints it.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => {
            let text = text.replace('\\', "\\\\").replace('\'', "''");
            format!("'{}'", text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t").replace('\0', "\\0"))
        }
        value => text::plain(value).map_or_else(|| "NULL".into(), |text| text.into_owned()),
    }
}

/// A column's name and type, whether it is never null, and the table's column it comes from.
fn described(column: &ColumnMeta) -> String {
    let name = TYPES.iter().find(|(id, ..)| *id == column.type_id).map_or("UNKNOWN", |(_, _, name)| *name);
    let sizes = match (column.precision, column.scale) {
        (None, None) => String::new(),
        (Some(precision), None) => format!("({precision})"),
        (None, Some(scale)) => format!("(, {scale})"),
        (Some(precision), Some(scale)) => format!("({precision}, {scale})"),
    };
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    let origin = column.origin.as_ref();
    let origin = origin.map_or_else(String::new, |o| format!(" from {}.{}.{}", o.schema, o.table, o.column));
    format!("'{}' {name}{sizes}{not_null}{origin}", column.name.replace('\'', "''"))
}

impl DB for Session {
    type Error = Failure;
    type ColumnType = Letter;

    fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Failure> {
        let outcome = self.execute(sql).unwrap_or_else(Outcome::Failed);
        self.shared.0.lock().outcome = Some(outcome.clone());
        match outcome {
            Outcome::Rows(letters, rows) => Ok(DBOutput::Rows {
                types: letters.chars().map(Letter).collect(),
                rows: rows.into_iter().map(|row| vec![row]).collect(),
            }),
            Outcome::Count(count) => Ok(DBOutput::StatementComplete(count)),
            Outcome::Failed(failure) => Err(failure),
        }
    }

    fn engine_name(&self) -> &'static str {
        "flint"
    }
}
