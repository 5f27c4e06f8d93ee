//! Statements about schemas, zones and indexes: CREATE, ALTER and DROP of them, as Ignite 3.1 writes them.

use super::cursor::{Cursor, parse_error};
use super::parse::{order, table_name};
use super::{Statement, TableName, invalid};
use crate::error::Result;
use crate::store::objects::{Order, SCALE_OFF};
use sqlparser::tokenizer::{Location, Token, Word};

/// The most partitions of a zone, as on a real node.
const PARTITIONS_MAX: u32 = 65_000;

/// What a statement says of a zone; what it does not say stays, or is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneOptions {
    /// Partitions.
    pub partitions: Option<u32>,
    /// Copies; the inner none stands for ALL.
    pub replicas: Option<Option<u32>>,
    /// Copies that must agree.
    pub quorum: Option<u32>,
    /// Which nodes hold its data.
    pub filter: Option<String>,
    /// Seconds.
    pub scale_up: Option<u32>,
    /// Seconds.
    pub scale_down: Option<u32>,
    /// How copies agree.
    pub consistency: Option<String>,
    /// Storage profiles.
    pub profiles: Vec<String>,
}

/// What ALTER ZONE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneChange {
    /// Another name.
    Rename(String),
    /// It becomes the default.
    SetDefault,
    /// Other options.
    Set(ZoneOptions),
}

/// CREATE INDEX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIndex {
    /// Its name, in the schema of its table.
    pub name: String,
    /// Whether an existing index of this name is no error.
    pub if_not_exists: bool,
    /// The table.
    pub table: TableName,
    /// Whether it is sorted, or else hashed.
    pub sorted: bool,
    /// Its columns.
    pub columns: Vec<(String, Order)>,
}

/// Takes a statement about a schema, a zone or an index, if one is next.
pub(super) fn statement(cursor: &mut Cursor<'_>) -> Result<Option<Statement>> {
    let if_not_exists = |cursor: &mut Cursor<'_>| cursor.words(&["IF", "NOT", "EXISTS"]);
    let if_exists = |cursor: &mut Cursor<'_>| cursor.words(&["IF", "EXISTS"]);
    Ok(Some(if cursor.words(&["CREATE", "SCHEMA"]) {
        let if_not_exists = if_not_exists(cursor);
        Statement::CreateSchema { name: cursor.identifier()?, if_not_exists }
    } else if cursor.words(&["DROP", "SCHEMA"]) {
        let if_exists = if_exists(cursor);
        let name = cursor.identifier()?;
        let cascade = cursor.word("CASCADE");
        let _restrict = !cascade && cursor.word("RESTRICT");
        Statement::DropSchema { name, if_exists, cascade }
    } else if cursor.words(&["CREATE", "ZONE"]) {
        let if_not_exists = if_not_exists(cursor);
        let name = cursor.identifier()?;
        Statement::CreateZone { name, if_not_exists, options: new_zone(cursor)? }
    } else if cursor.words(&["ALTER", "ZONE"]) {
        let if_exists = if_exists(cursor);
        let name = cursor.identifier()?;
        Statement::AlterZone { name, if_exists, change: zone_change(cursor)? }
    } else if cursor.words(&["DROP", "ZONE"]) {
        let if_exists = if_exists(cursor);
        Statement::DropZone { name: cursor.identifier()?, if_exists }
    } else if cursor.words(&["CREATE", "INDEX"]) {
        Statement::CreateIndex(new_index(cursor)?)
    } else if cursor.words(&["DROP", "INDEX"]) {
        let if_exists = if_exists(cursor);
        Statement::DropIndex { index: table_name(cursor)?, if_exists }
    } else {
        return Ok(None);
    }))
}

/// `[IF NOT EXISTS] name ON table [USING SORTED | HASH] (column [ASC | DESC] [NULLS FIRST | LAST], ...)`
fn new_index(cursor: &mut Cursor<'_>) -> Result<CreateIndex> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.identifier()?;
    if !cursor.word("ON") {
        return Err(cursor.unexpected());
    }
    let table = table_name(cursor)?;
    let hashed = cursor.word("USING") && {
        let hashed = cursor.sees("HASH");
        cursor.expect_one_of(&["SORTED", "HASH"])?;
        hashed
    };
    let columns = cursor.list(|cursor| {
        let name = cursor.identifier()?;
        let order =
            if hashed { Order::new(false, None) } else { order(cursor)?.unwrap_or_else(|| Order::new(false, None)) };
        Ok((name, order))
    })?;
    Ok(CreateIndex { name, if_not_exists, table, sorted: !hashed, columns })
}

/// `[(option, ...)] STORAGE PROFILES ['name', ...]`, or `WITH option = value, ...`
fn new_zone(cursor: &mut Cursor<'_>) -> Result<ZoneOptions> {
    let mut options = ZoneOptions::default();
    if cursor.word("WITH") {
        assignments(cursor, &mut options)?;
        if options.profiles.is_empty() {
            return Err(invalid("STORAGE_PROFILES cannot be null or empty."));
        }
        return Ok(options);
    }
    if cursor.peek().token == Token::LParen {
        cursor.list(|cursor| option(cursor, &mut options))?;
    }
    if !cursor.words(&["STORAGE", "PROFILES"]) {
        return Err(cursor.unexpected());
    }
    cursor.expect(&Token::LBracket)?;
    options.profiles.push(cursor.name_or_text()?);
    while cursor.take(&Token::Comma) {
        options.profiles.push(cursor.name_or_text()?);
    }
    cursor.expect(&Token::RBracket)?;
    Ok(options)
}

/// `RENAME TO name`, `SET DEFAULT`, `SET (option, ...)` or `SET option = value, ...`
fn zone_change(cursor: &mut Cursor<'_>) -> Result<ZoneChange> {
    if cursor.words(&["RENAME", "TO"]) {
        return cursor.identifier().map(ZoneChange::Rename);
    }
    if !cursor.word("SET") {
        return Err(cursor.unexpected());
    }
    if cursor.word("DEFAULT") {
        return Ok(ZoneChange::SetDefault);
    }
    let mut options = ZoneOptions::default();
    match cursor.peek().token {
        Token::LParen => drop(cursor.list(|cursor| option(cursor, &mut options))?),
        _ => assignments(cursor, &mut options)?,
    }
    Ok(ZoneChange::Set(options))
}

/// `PARTITIONS 5`, as 3.1 writes an option.
fn option(cursor: &mut Cursor<'_>, options: &mut ZoneOptions) -> Result<()> {
    if cursor.word("PARTITIONS") {
        options.partitions = Some(partitions(cursor)?);
    } else if cursor.word("REPLICAS") {
        options.replicas = Some(replicas(cursor)?);
    } else if cursor.words(&["QUORUM", "SIZE"]) {
        options.quorum = Some(cursor.number()?);
    } else if cursor.words(&["NODES", "FILTER"]) {
        options.filter = Some(cursor.name_or_text()?);
    } else if cursor.words(&["AUTO", "SCALE", "UP"]) {
        options.scale_up = Some(seconds(cursor)?);
    } else if cursor.words(&["AUTO", "SCALE", "DOWN"]) {
        options.scale_down = Some(seconds(cursor)?);
    } else if cursor.words(&["AUTO", "SCALE", "OFF"]) {
        (options.scale_up, options.scale_down) = (Some(SCALE_OFF), Some(SCALE_OFF));
    } else if cursor.words(&["CONSISTENCY", "MODE"]) {
        options.consistency = Some(cursor.name_or_text()?);
    } else {
        return Err(cursor.unexpected());
    }
    Ok(())
}

/// `PARTITIONS = 5, ...`, as 3.0 writes options.
fn assignments(cursor: &mut Cursor<'_>, options: &mut ZoneOptions) -> Result<()> {
    loop {
        let Location { line, column } = cursor.start();
        let name = cursor.identifier()?;
        cursor.expect(&Token::Eq)?;
        match name.as_str() {
            "PARTITIONS" => options.partitions = Some(partitions(cursor)?),
            "REPLICAS" => options.replicas = Some(replicas(cursor)?),
            "QUORUM_SIZE" => options.quorum = Some(cursor.number()?),
            "DATA_NODES_FILTER" => options.filter = Some(cursor.name_or_text()?),
            "DATA_NODES_AUTO_ADJUST_SCALE_UP" => options.scale_up = Some(seconds(cursor)?),
            "DATA_NODES_AUTO_ADJUST_SCALE_DOWN" => options.scale_down = Some(seconds(cursor)?),
            "CONSISTENCY_MODE" => options.consistency = Some(cursor.name_or_text()?),
            "STORAGE_PROFILES" => {
                let names = cursor.name_or_text()?;
                options.profiles =
                    names.split(',').map(|name| name.trim().to_owned()).filter(|n| !n.is_empty()).collect();
            }
            _ => return Err(parse_error(format!("Unknown zone option {name} at line {line}, column {column}"))),
        }
        if !cursor.take(&Token::Comma) {
            return Ok(());
        }
    }
}

fn partitions(cursor: &mut Cursor<'_>) -> Result<u32> {
    let partitions = cursor.number()?;
    if (1..=PARTITIONS_MAX).contains(&partitions) {
        return Ok(partitions);
    }
    Err(invalid(format!("Invalid number of partitions: {partitions} must be between 1 and {PARTITIONS_MAX}.")))
}

fn replicas(cursor: &mut Cursor<'_>) -> Result<Option<u32>> {
    if cursor.word("ALL") {
        return Ok(None);
    }
    match cursor.number()? {
        0 => Err(invalid("Invalid number of replicas: 0 must be at least 1.")),
        replicas => Ok(Some(replicas)),
    }
}

fn seconds(cursor: &mut Cursor<'_>) -> Result<u32> {
    if cursor.word("OFF") { Ok(SCALE_OFF) } else { cursor.number() }
}

/// `KILL QUERY | TRANSACTION | COMPUTE 'id' [NO WAIT]`
pub(super) fn kill(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let Token::Word(Word { value, quote_style: None, .. }) = &cursor.peek().token else {
        return Err(cursor.unexpected());
    };
    let what = match value.to_uppercase().as_str() {
        "QUERY" => Victim::Query,
        "TRANSACTION" => Victim::Transaction,
        "COMPUTE" => Victim::Compute,
        _ => return Err(cursor.unexpected()),
    };
    cursor.advance();
    let Token::SingleQuotedString(id) = cursor.peek().token.clone() else { return Err(cursor.unexpected()) };
    cursor.advance();
    let _no_wait = cursor.words(&["NO", "WAIT"]);
    Ok(Statement::Kill { what, id })
}

/// What KILL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// A running query.
    Query,
    /// An open transaction.
    Transaction,
    /// A compute job; there are none.
    Compute,
}

impl Victim {
    /// As a statement writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "QUERY",
            Self::Transaction => "TRANSACTION",
            Self::Compute => "COMPUTE",
        }
    }
}
