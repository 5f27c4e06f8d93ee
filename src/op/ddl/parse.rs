//! From SQL text to statements: CREATE TABLE, ALTER TABLE ADD/DROP COLUMN, DROP TABLE; everything else is only told
//! apart. sqlparser supplies the tokens and the expressions; the clauses are ours, since Ignite's (COLOCATE BY, ZONE,
//! STORAGE PROFILE, PRIMARY KEY USING HASH, TIMESTAMP WITH LOCAL TIME ZONE) are in none of its dialects.

use crate::error::{Error, Kind, Result};
use crate::value::{ColumnType, UNLIMITED, Value};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::literal::{self, Literal};
use super::{Class, CreateTable, Statement, TableName, invalid};
use crate::op::table::{NewColumn, NewDefault};

/// Parses a script of statements separated by semicolons. All of it parses, or none of it is returned.
///
/// # Errors
/// [`Kind::SqlParse`] with the place, [`Kind::SqlValidation`] for what parses but has no meaning here.
pub fn parse_script(text: &str) -> Result<Vec<Statement>> {
    let mut parser = Parser::new(&Ignite).try_with_sql(text).map_err(parse_error)?;
    let mut statements = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(statements);
        }
        statements.push(statement(&mut parser)?);
        let next = parser.peek_token();
        if !matches!(next.token, Token::SemiColon | Token::EOF) {
            return unexpected(&parser, "end of statement", next);
        }
    }
}

/// Ignite's tokens: names start with a letter or an underscore, quoted names stand in double quotes.
#[derive(Debug)]
struct Ignite;

impl Dialect for Ignite {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }
}

fn statement(parser: &mut Parser<'_>) -> Result<Statement> {
    if parser.parse_keywords(&[Keyword::CREATE, Keyword::TABLE]) {
        return create_table(parser).map(Statement::CreateTable);
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::TABLE]) {
        let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
        return Ok(Statement::DropTable { table: table_name(parser)?, if_exists });
    }
    if parser.parse_keywords(&[Keyword::ALTER, Keyword::TABLE]) {
        return alter_table(parser);
    }
    other(parser)
}

/// A statement that is not run here: what it would be is all that is kept.
fn other(parser: &mut Parser<'_>) -> Result<Statement> {
    let first = parser.peek_token();
    let class = match &first.token {
        Token::Word(word) => match word.keyword {
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::EXPLAIN | Keyword::TABLE => Class::Query,
            Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE | Keyword::MERGE => Class::Dml,
            Keyword::CREATE | Keyword::DROP | Keyword::ALTER | Keyword::KILL => Class::Ddl,
            Keyword::START | Keyword::BEGIN | Keyword::COMMIT | Keyword::ROLLBACK => Class::TransactionControl,
            _ => return Err(illegal_start(&first)),
        },
        Token::LParen => Class::Query,
        _ => return Err(illegal_start(&first)),
    };
    let what = first.token.to_string().to_uppercase();
    // Nothing runs it, so nothing has to understand the rest; much of Ignite's SQL is in no dialect of the parser.
    while !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
        parser.advance_token();
    }
    Ok(Statement::Other { class, what })
}

/// What Ignite 3.1.0 says when a statement starts with no keyword that it knows.
fn illegal_start(token: &TokenWithSpan) -> Error {
    let (line, column) = (token.span.start.line, token.span.start.column);
    Error::new(
        Kind::SqlParse,
        format!(
            "Failed to parse query: Non-query expression encountered in illegal context. At line {line}, column {column}"
        ),
    )
}

fn create_table(parser: &mut Parser<'_>) -> Result<CreateTable> {
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let table = table_name(parser)?;
    let mut create =
        CreateTable { table, if_not_exists, columns: Vec::new(), key: Vec::new(), colocate: Vec::new(), zone: None };
    let mut keys = 0;
    expect(parser, &Token::LParen)?;
    loop {
        let named = parser.parse_keyword(Keyword::CONSTRAINT);
        if named {
            identifier(parser)?;
        }
        if named || primary_key_follows(parser) {
            create.key = primary_key(parser)?;
            keys += 1;
        } else {
            let (column, is_key) = column(parser)?;
            if is_key {
                create.key = vec![column.name.clone()];
                keys += 1;
            }
            create.columns.push(column);
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    expect(parser, &Token::RParen)?;
    if keys > 1 {
        return Err(invalid(format!(
            "Unexpected amount of primary key constraints [expected at most one, but was {keys}]"
        )));
    }
    if keys == 0 {
        return Err(invalid("Table without PRIMARY KEY is not supported"));
    }
    table_options(parser, &mut create)?;
    Ok(create)
}

/// Whether `PRIMARY KEY` follows as a clause of its own; a column may be named PRIMARY only in quotes.
fn primary_key_follows(parser: &Parser<'_>) -> bool {
    parser.peek_keyword(Keyword::PRIMARY)
}

/// `PRIMARY KEY [USING HASH | SORTED] (column [ASC | DESC] [NULLS FIRST | LAST], ...)`
fn primary_key(parser: &mut Parser<'_>) -> Result<Vec<String>> {
    expect_words(parser, &[Keyword::PRIMARY, Keyword::KEY])?;
    if parser.parse_keyword(Keyword::USING) {
        parser.expect_one_of_keywords(&[Keyword::HASH, Keyword::SORTED]).map_err(parse_error)?;
    }
    list(parser, |parser| {
        let name = identifier(parser)?;
        let _ascending = parser.parse_one_of_keywords(&[Keyword::ASC, Keyword::DESC]);
        if parser.parse_keyword(Keyword::NULLS) {
            parser.expect_one_of_keywords(&[Keyword::FIRST, Keyword::LAST]).map_err(parse_error)?;
        }
        Ok(name)
    })
}

/// `[COLOCATE [BY] (columns)] [ZONE name] [STORAGE PROFILE 'name']`, in any order.
fn table_options(parser: &mut Parser<'_>, create: &mut CreateTable) -> Result<()> {
    loop {
        if word(parser, "COLOCATE") {
            let _by = parser.parse_keyword(Keyword::BY);
            create.colocate = list(parser, identifier)?;
        } else if word(parser, "ZONE") || parser.parse_keywords(&[Keyword::PRIMARY, Keyword::ZONE]) {
            create.zone = Some(name_or_text(parser)?);
        } else if parser.parse_keyword(Keyword::STORAGE) {
            if !word(parser, "PROFILE") {
                let found = parser.peek_token();
                return unexpected(parser, "PROFILE", found);
            }
            name_or_text(parser)?;
        } else {
            return Ok(());
        }
    }
}

fn alter_table(parser: &mut Parser<'_>) -> Result<Statement> {
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let table = table_name(parser)?;
    if parser.parse_keyword(Keyword::ADD) {
        let _column = parser.parse_keyword(Keyword::COLUMN);
        let one = |parser: &mut Parser<'_>| match column(parser)? {
            (column, false) => Ok(column),
            (column, true) => Err(invalid(format!("Column '{}' cannot be added to the primary key", column.name))),
        };
        let parenthesized = parser.peek_token_ref().token == Token::LParen;
        let columns = if parenthesized { list(parser, one)? } else { vec![one(parser)?] };
        return Ok(Statement::AddColumns { table, if_exists, columns });
    }
    if parser.parse_keyword(Keyword::DROP) {
        let _column = parser.parse_keyword(Keyword::COLUMN);
        let parenthesized = parser.peek_token_ref().token == Token::LParen;
        let columns = if parenthesized { list(parser, identifier)? } else { vec![identifier(parser)?] };
        return Ok(Statement::DropColumns { table, if_exists, columns });
    }
    if parser.peek_keyword(Keyword::ALTER) {
        while !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
            parser.advance_token();
        }
        return Ok(Statement::Other { class: Class::Ddl, what: "ALTER TABLE ... ALTER COLUMN".into() });
    }
    let found = parser.peek_token();
    unexpected(parser, "ADD or DROP", found)
}

/// `name TYPE [[NOT] NULL] [DEFAULT literal] [PRIMARY KEY]`, the options in any order; and whether it is the key.
fn column(parser: &mut Parser<'_>) -> Result<(NewColumn, bool)> {
    let name = identifier(parser)?;
    let ty = column_type(parser)?;
    let mut column = NewColumn { name, ty, nullable: true, default: NewDefault::Value(Value::Null) };
    let mut is_key = false;
    loop {
        if parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]) {
            column.nullable = false;
        } else if parser.parse_keyword(Keyword::NULL) {
            column.nullable = true;
        } else if parser.parse_keyword(Keyword::DEFAULT) {
            column.default = match random_uuid_follows(parser)? {
                true => NewDefault::RandomUuid,
                false => literal::convert(&default_literal(parser)?, ty)
                    .map(NewDefault::Value)
                    .map_err(|reason| invalid(format!("Default value of column '{}': {reason}", column.name)))?,
            };
        } else if parser.parse_keywords(&[Keyword::PRIMARY, Keyword::KEY]) {
            is_key = true;
        } else {
            return Ok((column, is_key));
        }
    }
}

fn column_type(parser: &mut Parser<'_>) -> Result<ColumnType> {
    let token = parser.next_token();
    let Token::Word(Word { value, quote_style: None, .. }) = &token.token else {
        return unexpected(parser, "a data type", token);
    };
    let name = value.to_uppercase();
    Ok(match name.as_str() {
        "BOOLEAN" => ColumnType::Boolean,
        "TINYINT" => ColumnType::Int8,
        "SMALLINT" => ColumnType::Int16,
        "INT" | "INTEGER" => ColumnType::Int32,
        "BIGINT" => ColumnType::Int64,
        "REAL" | "FLOAT" => ColumnType::Float,
        "DOUBLE" => {
            let _precision = parser.parse_keyword(Keyword::PRECISION);
            ColumnType::Double
        }
        "DECIMAL" | "DEC" | "NUMERIC" => {
            let (precision, scale) = precision_and_scale(parser)?;
            ColumnType::Decimal { precision, scale }
        }
        "DATE" => ColumnType::Date,
        "TIME" => {
            let precision = fraction(parser, 0)?;
            zone_clause(parser, false)?;
            ColumnType::Time { precision }
        }
        "TIMESTAMP" => {
            let precision = fraction(parser, 6)?;
            match zone_clause(parser, true)? {
                true => ColumnType::Timestamp { precision },
                false => ColumnType::Datetime { precision },
            }
        }
        "UUID" => ColumnType::Uuid,
        "VARCHAR" => ColumnType::String { length: length(parser)? },
        "CHARACTER" | "CHAR" if parser.parse_keyword(Keyword::VARYING) => {
            ColumnType::String { length: length(parser)? }
        }
        "VARBINARY" => ColumnType::Bytes { length: length(parser)? },
        "BINARY" if parser.parse_keyword(Keyword::VARYING) => ColumnType::Bytes { length: length(parser)? },
        _ => return Err(invalid(format!("Data type {name} is not supported in a table"))),
    })
}

/// `(n)` after VARCHAR and VARBINARY.
fn length(parser: &mut Parser<'_>) -> Result<u32> {
    /// What Ignite gives a column without a length.
    const DEFAULT: u64 = 65_536;
    let length = parenthesized_number(parser)?.unwrap_or(DEFAULT);
    u32::try_from(length)
        .ok()
        .filter(|n| (1..UNLIMITED).contains(n))
        .ok_or_else(|| invalid(format!("Length {length} is outside 1..{}", UNLIMITED - 1)))
}

/// `(p)` after TIME and TIMESTAMP.
fn fraction(parser: &mut Parser<'_>, default: u64) -> Result<u8> {
    let precision = parenthesized_number(parser)?.unwrap_or(default);
    u8::try_from(precision)
        .ok()
        .filter(|p| *p <= 9)
        .ok_or_else(|| invalid(format!("Precision {precision} is outside 0..9")))
}

/// `(p [, s])` after DECIMAL.
fn precision_and_scale(parser: &mut Parser<'_>) -> Result<(u32, u32)> {
    /// Ignite's largest precision and scale, and the precision of a DECIMAL without one.
    const MAX: u32 = 32_767;
    if !parser.consume_token(&Token::LParen) {
        return Ok((MAX, 0));
    }
    let precision = number(parser)?;
    let scale = if parser.consume_token(&Token::Comma) { number(parser)? } else { 0 };
    expect(parser, &Token::RParen)?;
    let checked = |what: &str, value: u64, min: u32| {
        u32::try_from(value)
            .ok()
            .filter(|v| (min..=MAX).contains(v))
            .ok_or_else(|| invalid(format!("DECIMAL {what} {value} is outside {min}..{MAX}")))
    };
    Ok((checked("precision", precision, 1)?, checked("scale", scale, 0)?))
}

/// `WITHOUT TIME ZONE` (the default) or `WITH LOCAL TIME ZONE`, where `local` allows it; whether it was the latter.
fn zone_clause(parser: &mut Parser<'_>, local: bool) -> Result<bool> {
    if parser.parse_keywords(&[Keyword::WITHOUT, Keyword::TIME, Keyword::ZONE]) {
        return Ok(false);
    }
    if local && parser.parse_keywords(&[Keyword::WITH, Keyword::LOCAL, Keyword::TIME, Keyword::ZONE]) {
        return Ok(true);
    }
    if parser.peek_keyword(Keyword::WITH) {
        return Err(invalid("Time zones are supported as TIMESTAMP WITH LOCAL TIME ZONE only"));
    }
    Ok(false)
}

/// Takes `RAND_UUID` or `GEN_RANDOM_UUID`, the only functional default.
fn random_uuid_follows(parser: &mut Parser<'_>) -> Result<bool> {
    let follows = word(parser, "RAND_UUID") || word(parser, "GEN_RANDOM_UUID");
    if follows && parser.consume_token(&Token::LParen) {
        expect(parser, &Token::RParen)?;
    }
    Ok(follows)
}

/// A literal, with its sign or its type name.
fn default_literal(parser: &mut Parser<'_>) -> Result<Literal> {
    let negative = parser.consume_token(&Token::Minus);
    let _plus = !negative && parser.consume_token(&Token::Plus);
    let token = parser.next_token();
    match token.token {
        Token::Number(text, _) => Ok(Literal::Number(if negative { format!("-{text}") } else { text })),
        _ if negative => unexpected(parser, "a number", token),
        Token::SingleQuotedString(text) => Ok(Literal::Text(text)),
        Token::HexStringLiteral(text) => Ok(Literal::Hex(text)),
        Token::Word(Word { ref value, quote_style: None, keyword }) => match keyword {
            Keyword::NULL => Ok(Literal::Null),
            Keyword::TRUE => Ok(Literal::Bool(true)),
            Keyword::FALSE => Ok(Literal::Bool(false)),
            Keyword::DATE | Keyword::TIME | Keyword::TIMESTAMP | Keyword::UUID => {
                let _local = parser.parse_keywords(&[Keyword::WITH, Keyword::LOCAL, Keyword::TIME, Keyword::ZONE]);
                let text = parser.next_token();
                match text.token {
                    Token::SingleQuotedString(text) => Ok(Literal::Text(text)),
                    _ => unexpected(parser, "a text in single quotes", text),
                }
            }
            _ => Err(invalid(format!("Functional default {} is not supported yet", value.to_uppercase()))),
        },
        _ => unexpected(parser, "a literal", token),
    }
}

/// `[schema.]name`
fn table_name(parser: &mut Parser<'_>) -> Result<TableName> {
    let first = identifier(parser)?;
    if parser.consume_token(&Token::Period) {
        return Ok(TableName { schema: Some(first), name: identifier(parser)? });
    }
    Ok(TableName { schema: None, name: first })
}

/// A name: upper-cased unless it stands in quotes.
fn identifier(parser: &mut Parser<'_>) -> Result<String> {
    let token = parser.next_token();
    match token.token {
        Token::Word(Word { value, quote_style: Some(_), .. }) => Ok(value),
        Token::Word(Word { value, quote_style: None, .. }) => Ok(value.to_uppercase()),
        _ => unexpected(parser, "an identifier", token),
    }
}

/// A name, or a text in single quotes.
fn name_or_text(parser: &mut Parser<'_>) -> Result<String> {
    if let Token::SingleQuotedString(text) = &parser.peek_token_ref().token {
        let text = text.clone();
        parser.advance_token();
        return Ok(text);
    }
    identifier(parser)
}

/// `(item, ...)`, at least one.
fn list<'a, T>(parser: &mut Parser<'a>, mut item: impl FnMut(&mut Parser<'a>) -> Result<T>) -> Result<Vec<T>> {
    expect(parser, &Token::LParen)?;
    let mut items = vec![item(parser)?];
    while parser.consume_token(&Token::Comma) {
        items.push(item(parser)?);
    }
    expect(parser, &Token::RParen)?;
    Ok(items)
}

fn parenthesized_number(parser: &mut Parser<'_>) -> Result<Option<u64>> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(None);
    }
    let value = number(parser)?;
    expect(parser, &Token::RParen)?;
    Ok(Some(value))
}

fn number(parser: &mut Parser<'_>) -> Result<u64> {
    parser.parse_literal_uint().map_err(parse_error)
}

/// Takes the next token if it is this unquoted word.
fn word(parser: &mut Parser<'_>, expected: &str) -> bool {
    let found = matches!(&parser.peek_token_ref().token,
        Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(expected));
    if found {
        parser.advance_token();
    }
    found
}

fn expect(parser: &mut Parser<'_>, token: &Token) -> Result<()> {
    parser.expect_token(token).map(drop).map_err(parse_error)
}

fn expect_words(parser: &mut Parser<'_>, words: &[Keyword]) -> Result<()> {
    parser.expect_keywords(words).map_err(parse_error)
}

fn unexpected<T>(parser: &Parser<'_>, expected: &str, found: TokenWithSpan) -> Result<T> {
    parser.expected(expected, found).map_err(parse_error)
}

/// The parser's error as Ignite words it, with the place at the end.
fn parse_error(error: ParserError) -> Error {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".into(),
    };
    let place = text.rsplit_once(" at Line: ").and_then(|(reason, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((reason, line.parse::<u64>().ok()?, column.parse::<u64>().ok()?))
    });
    let text = match place {
        Some((reason, line, column)) => {
            format!("Failed to parse query: {reason}. At line {line}, column {column}")
        }
        None => format!("Failed to parse query: {text}"),
    };
    Error::new(Kind::SqlParse, text)
}
