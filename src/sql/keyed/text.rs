//! Tells a statement of known keys by its tokens.

use super::{Constant, Keyed, What};
use crate::op::ddl::Literal;
use crate::sql::{Origin, ResultColumn};
use crate::store::catalog::{Catalog, Table};
use crate::store::range;
use crate::value::{ColumnType, Decimal, UNLIMITED, Value};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::sync::Arc;

/// Rows of one VALUES list that are put on the loop; longer lists go to the query engine's threads.
const ROWS_MAX: usize = 10_000;
/// Words that stand for a value and not for a column, unless they are quoted.
const NOT_COLUMNS: &[&str] = &[
    "CURRENT_CATALOG",
    "CURRENT_DATE",
    "CURRENT_PATH",
    "CURRENT_ROLE",
    "CURRENT_SCHEMA",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DEFAULT",
    "FALSE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NULL",
    "PI",
    "SESSION_USER",
    "SYSTEM_USER",
    "TRUE",
    "UNKNOWN",
    "USER",
];

/// The statement, if it names the whole keys of its rows. `default` is the schema of an unqualified name.
pub fn statement(tokens: &[TokenWithSpan], catalog: &Catalog, default: &str) -> Option<Keyed> {
    let mut text = Text { tokens, parameters: 0 };
    let keyed = match text.word()?.as_str() {
        "SELECT" => text.select(catalog, default),
        "INSERT" => text.insert(catalog, default),
        "UPDATE" => text.update(catalog, default),
        "DELETE" => text.delete(catalog, default),
        _ => None,
    }?;
    text.tokens.is_empty().then_some(keyed)
}

/// What is left of a statement.
struct Text<'a> {
    tokens: &'a [TokenWithSpan],
    parameters: usize,
}

impl<'a> Text<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.first().map(|token| &token.token)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(&first.token)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, token: &Token) -> Option<()> {
        self.take(token).then_some(())
    }

    /// An unquoted word.
    fn word(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_uppercase()),
            _ => None,
        }
    }

    fn sees(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(Word { value, quote_style: None, .. })) if value.eq_ignore_ascii_case(word))
    }

    fn expect_word(&mut self, word: &str) -> Option<()> {
        let sees = self.sees(word);
        self.next()?;
        sees.then_some(())
    }

    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(Word { value, quote_style: None, .. }) => {
                let name = value.to_uppercase();
                (!NOT_COLUMNS.contains(&name.as_str())).then_some(name)
            }
            Token::Word(Word { value, .. }) => Some(value.clone()),
            _ => None,
        }
    }

    /// `NAME` or `SCHEMA.NAME`.
    fn table(&mut self, catalog: &Catalog, default: &str) -> Option<Arc<Table>> {
        let first = self.name()?;
        let found = match self.take(&Token::Period) {
            true => catalog.table_by_name(&first, &self.name()?),
            false => catalog.table_by_name(default, &first),
        };
        found.cloned()
    }

    fn select(&mut self, catalog: &Catalog, default: &str) -> Option<Keyed> {
        let mut items = Vec::new();
        let all = self.take(&Token::Mul);
        if !all {
            loop {
                let column = self.name()?;
                let alias = if self.sees("AS") { self.next().and_then(|_| self.name()) } else { Some(column.clone()) };
                items.push((column, alias?));
                if !self.take(&Token::Comma) {
                    break;
                }
            }
        }
        self.expect_word("FROM")?;
        let table = self.table(catalog, default)?;
        let schema = table.newest();
        if all {
            items.extend(schema.columns.iter().map(|c| (c.name.to_string(), c.name.to_string())));
        }
        let mut places = Vec::with_capacity(items.len());
        let mut columns = Vec::with_capacity(items.len());
        for (column, name) in items {
            let place = schema.position(&column)?;
            let column = schema.columns.get(place)?;
            let origin = Origin {
                schema: Arc::clone(&table.schema_name),
                table: Arc::clone(&table.name),
                column: Arc::clone(&column.name),
            };
            places.push(place);
            columns.push(ResultColumn { name, ty: Some(column.ty), nullable: column.nullable, origin: Some(origin) });
        }
        let key = self.key(&table)?;
        Some(Keyed { table, what: What::Select { key, places, columns: columns.into() } })
    }

    fn insert(&mut self, catalog: &Catalog, default: &str) -> Option<Keyed> {
        self.expect_word("INTO")?;
        let table = self.table(catalog, default)?;
        let schema = table.newest();
        let mut columns = Vec::new();
        if self.take(&Token::LParen) {
            loop {
                push_new(&mut columns, schema.position(&self.name()?)?)?;
                if !self.take(&Token::Comma) {
                    break;
                }
            }
            self.expect(&Token::RParen)?;
        } else {
            columns.extend(0..schema.columns.len());
        }
        self.expect_word("VALUES")?;
        let mut rows = Vec::new();
        loop {
            self.expect(&Token::LParen)?;
            let mut row = Vec::with_capacity(columns.len());
            for place in 0..columns.len() {
                if place > 0 {
                    self.expect(&Token::Comma)?;
                }
                row.push(if self.sees("DEFAULT") { self.next().map(|_| Constant::Default)? } else { self.constant()? });
            }
            self.expect(&Token::RParen)?;
            rows.push(row);
            if rows.len() > ROWS_MAX {
                return None;
            }
            if !self.take(&Token::Comma) {
                break;
            }
        }
        Some(Keyed { table, what: What::Insert { columns, rows } })
    }

    fn update(&mut self, catalog: &Catalog, default: &str) -> Option<Keyed> {
        let table = self.table(catalog, default)?;
        self.expect_word("SET")?;
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        loop {
            let place = table.newest().position(&self.name()?)?;
            table.newest().columns.get(place).filter(|column| column.key.is_none())?;
            push_new(&mut columns, place)?;
            self.expect(&Token::Eq)?;
            values.push(self.constant()?);
            if !self.take(&Token::Comma) {
                break;
            }
        }
        let key = self.key(&table)?;
        Some(Keyed { table, what: What::Update { key, columns, values } })
    }

    fn delete(&mut self, catalog: &Catalog, default: &str) -> Option<Keyed> {
        self.expect_word("FROM")?;
        let table = self.table(catalog, default)?;
        let key = self.key(&table)?;
        Some(Keyed { table, what: What::Delete { key } })
    }

    /// `WHERE column = constant AND ...`, every column of the key once and nothing else.
    fn key(&mut self, table: &Table) -> Option<Vec<Constant>> {
        let schema = table.newest();
        let mut found: Vec<Option<Constant>> = vec![None; schema.key.len()];
        self.expect_word("WHERE")?;
        loop {
            let column = schema.position(&self.name()?)?;
            let place = schema.key.iter().position(|&key| key == column)?;
            self.expect(&Token::Eq)?;
            let constant = self.constant()?;
            if found.get_mut(place)?.replace(constant).is_some() {
                return None;
            }
            if self.tokens.is_empty() {
                return found.into_iter().collect();
            }
            self.expect_word("AND")?;
        }
    }

    /// A literal or a parameter.
    fn constant(&mut self) -> Option<Constant> {
        let negative = self.take(&Token::Minus);
        let value = match self.next()? {
            Token::Number(digits, false) => number(digits, negative)?,
            _ if negative => return None,
            Token::Placeholder(name) if name == "?" => {
                self.parameters += 1;
                return Some(Constant::Parameter(self.parameters - 1));
            }
            Token::SingleQuotedString(text) => Value::Str(text.clone().into()),
            Token::HexStringLiteral(digits) => {
                Literal::Hex(digits.clone()).value(ColumnType::Bytes { length: UNLIMITED })?
            }
            Token::Word(Word { value, quote_style: None, .. }) => {
                let word = value.to_uppercase();
                match (word.as_str(), self.peek()) {
                    ("TRUE", _) => Value::Bool(true),
                    ("FALSE", _) => Value::Bool(false),
                    ("NULL", _) => Value::Null,
                    (kind, Some(Token::SingleQuotedString(text))) => {
                        let value = typed(kind, text)?;
                        self.next();
                        value
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Constant::Literal(value))
    }
}

fn push_new(columns: &mut Vec<usize>, column: usize) -> Option<()> {
    (!columns.contains(&column)).then(|| columns.push(column))
}

/// A number as SQL types it: whole, with a point, or with an exponent.
fn number(digits: &str, negative: bool) -> Option<Value<'static>> {
    let digits = if negative { format!("-{digits}") } else { digits.to_owned() };
    if digits.contains(['e', 'E']) {
        return digits.parse().ok().filter(|v: &f64| v.is_finite()).map(Value::Double);
    }
    match digits.contains('.') {
        true => Decimal::parse(&digits).map(Value::Decimal),
        false => digits.parse().ok().map(Value::Int),
    }
}

/// A text with the name of its type in front.
fn typed(kind: &str, text: &str) -> Option<Value<'static>> {
    let (ty, length) = match kind {
        "DATE" => (ColumnType::Date, "2024-02-29".len()),
        "TIME" => (ColumnType::Time { precision: 9 }, "10:20:30".len()),
        "TIMESTAMP" if !text.contains('T') => (ColumnType::Datetime { precision: 9 }, "2024-02-29 10:20:30".len()),
        "UUID" => (ColumnType::Uuid, 36),
        _ => return None,
    };
    // Shorter ones and those out of range are refused, or mean something, elsewhere.
    let value = (text.len() >= length).then(|| Literal::Text(text.to_owned()).value(ty)).flatten()?;
    match &value {
        Value::Datetime(date, time) => range::datetime(*date, *time).is_ok().then_some(value),
        _ => Some(value),
    }
}
