//! From SQL text to statements: CREATE, ALTER and DROP TABLE; schemas, zones and indexes are in [`super::objects`], and
//! what reads or changes rows is only told apart. sqlparser supplies the tokens; the clauses are ours, since Ignite's (COLOCATE BY, ZONE, STORAGE PROFILE,
//! PRIMARY KEY USING HASH, TIMESTAMP WITH LOCAL TIME ZONE) are in none of its dialects.

use super::cursor::Cursor;
use super::literal::{self, Literal};
use super::objects;
use super::types::column_type;
use super::{AlterColumn, Class, CreateTable, Statement, TableName, invalid, refused};
use crate::error::Result;
use crate::op::table::{NewColumn, NewDefault};
use crate::store::objects::Order;
use crate::value::Value;
use sqlparser::tokenizer::{Location, Token, Word};

/// Parses a script of statements separated by semicolons. All of it parses, or none of it is returned.
///
/// # Errors
/// [`SqlParse`](crate::error::Kind::SqlParse) with the place, [`SqlValidation`](crate::error::Kind::SqlValidation) for
/// what parses but has no meaning here.
pub fn parse_script(text: &str) -> Result<Vec<Statement>> {
    let mut cursor = Cursor::new(text)?;
    let mut statements = Vec::new();
    loop {
        while cursor.take(&Token::SemiColon) {}
        if cursor.at_end() {
            return Ok(statements);
        }
        statements.push(statement(&mut cursor)?);
        if !cursor.at_end() {
            return Err(cursor.unexpected());
        }
    }
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement> {
    // OR REPLACE parses on a real node and has no effect.
    if cursor.words(&["CREATE", "TABLE"]) || cursor.words(&["CREATE", "OR", "REPLACE", "TABLE"]) {
        return create_table(cursor).map(Statement::CreateTable);
    }
    if cursor.words(&["DROP", "TABLE"]) {
        let if_exists = cursor.words(&["IF", "EXISTS"]);
        return Ok(Statement::DropTable { table: table_name(cursor)?, if_exists });
    }
    if cursor.words(&["ALTER", "TABLE"]) {
        return alter_table(cursor);
    }
    if cursor.word("KILL") {
        return objects::kill(cursor);
    }
    match objects::statement(cursor)? {
        Some(statement) => Ok(statement),
        None => other(cursor),
    }
}

/// A statement that is not run here: what it would be is all that is kept.
fn other(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let what = match &cursor.peek().token {
        Token::Word(Word { value, quote_style: None, .. }) => value.to_uppercase(),
        Token::LParen => "SELECT".to_owned(),
        _ => return Err(cursor.illegal_start()),
    };
    let class = match what.as_str() {
        "SELECT" | "WITH" | "VALUES" | "EXPLAIN" | "TABLE" => Class::Query,
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" => Class::Dml,
        "CREATE" | "DROP" | "ALTER" => {
            cursor.advance();
            return Err(cursor.unexpected());
        }
        "START" | "BEGIN" | "COMMIT" | "ROLLBACK" => Class::TransactionControl,
        _ => return Err(cursor.illegal_start()),
    };
    let start = cursor.place();
    cursor.advance();
    let explains_ddl = what == "EXPLAIN" && ["CREATE", "ALTER", "DROP", "KILL"].iter().any(|word| cursor.sees(word));
    if explains_ddl || cursor.at_end() && !matches!(what.as_str(), "COMMIT" | "ROLLBACK") {
        return Err(cursor.unexpected());
    }
    // Nothing runs it, so nothing has to understand the rest; much of Ignite's SQL is in no dialect of the parser.
    skip_statement(cursor);
    Ok(Statement::Other { class, what, tokens: cursor.since(start) })
}

fn skip_statement(cursor: &mut Cursor<'_>) {
    while !cursor.at_end() {
        cursor.advance();
    }
}

fn create_table(cursor: &mut Cursor<'_>) -> Result<CreateTable> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let table = table_name(cursor)?;
    let mut create = CreateTable {
        table,
        if_not_exists,
        columns: Vec::new(),
        key: Vec::new(),
        colocate: Vec::new(),
        zone: None,
        profile: None,
        key_order: None,
    };
    let mut keys = 0;
    let mut nullable = Vec::new();
    cursor.expect(&Token::LParen)?;
    loop {
        let named = cursor.word("CONSTRAINT");
        if named {
            cursor.identifier()?;
        }
        if named || cursor.sees("PRIMARY") {
            (create.key, create.key_order) = primary_key(cursor)?;
            keys += 1;
        } else {
            let parsed = column(cursor)?;
            if parsed.is_key {
                create.key = vec![parsed.column.name.clone()];
                keys += 1;
            }
            if parsed.declared_nullable {
                nullable.push(parsed.column.name.clone());
            }
            create.columns.push(parsed.column);
        }
        if !cursor.take(&Token::Comma) {
            break;
        }
    }
    cursor.expect(&Token::RParen)?;
    table_options(cursor, &mut create)?;
    match keys {
        0 => return Err(refused("Table without PRIMARY KEY is not supported")),
        1 => {}
        _ => {
            return Err(refused(format!(
                "Unexpected number of primary key constraints [expected at most one, but was {keys}; querySql=\"{}\"]",
                cursor.text()
            )));
        }
    }
    if let Some(column) = nullable.iter().find(|name| create.key.contains(name)) {
        return Err(invalid(format!("Primary key cannot contain nullable column [col={column}].")));
    }
    Ok(create)
}

/// `PRIMARY KEY [USING HASH | SORTED] (column [ASC | DESC] [NULLS FIRST | LAST], ...)`
fn primary_key(cursor: &mut Cursor<'_>) -> Result<(Vec<String>, Option<Vec<Order>>)> {
    if !cursor.words(&["PRIMARY", "KEY"]) {
        return Err(cursor.unexpected());
    }
    let sorted = cursor.word("USING") && {
        let sorted = cursor.sees("SORTED");
        cursor.expect_one_of(&["HASH", "SORTED"])?;
        sorted
    };
    let columns = cursor.list(|cursor| Ok((cursor.identifier()?, order(cursor)?)))?;
    let (names, orders): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let orders = orders.into_iter().map(|order| order.unwrap_or_else(|| Order::new(false, None))).collect();
    Ok((names, sorted.then_some(orders)))
}

/// `[ASC | DESC] [NULLS FIRST | LAST]`
pub(super) fn order(cursor: &mut Cursor<'_>) -> Result<Option<Order>> {
    let descending = cursor.word("DESC");
    let ascending = !descending && cursor.word("ASC");
    let nulls_first = if cursor.word("NULLS") {
        let first = cursor.sees("FIRST");
        cursor.expect_one_of(&["FIRST", "LAST"])?;
        Some(first)
    } else {
        None
    };
    Ok((ascending || descending || nulls_first.is_some()).then(|| Order::new(descending, nulls_first)))
}

/// `[COLOCATE [BY] (columns)] [ZONE name] [STORAGE PROFILE 'name']`, in any order.
fn table_options(cursor: &mut Cursor<'_>, create: &mut CreateTable) -> Result<()> {
    loop {
        if cursor.word("COLOCATE") {
            let _by = cursor.word("BY");
            create.colocate = cursor.list(Cursor::identifier)?;
        } else if cursor.word("ZONE") || cursor.words(&["PRIMARY", "ZONE"]) {
            create.zone = Some(cursor.name_or_text()?);
        } else if cursor.words(&["STORAGE", "PROFILE"]) {
            create.profile = Some(cursor.name_or_text()?);
        } else {
            return Ok(());
        }
    }
}

fn alter_table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let table = table_name(cursor)?;
    if cursor.word("ADD") {
        let _column = cursor.word("COLUMN");
        let one = |cursor: &mut Cursor<'_>| match column(cursor)? {
            Parsed { column, is_key: false, .. } => Ok(column),
            Parsed { column, .. } => {
                Err(invalid(format!("Column '{}' cannot be added to the primary key.", column.name)))
            }
        };
        let parenthesized = cursor.peek().token == Token::LParen;
        let columns = if parenthesized { cursor.list(one)? } else { vec![one(cursor)?] };
        return Ok(Statement::AddColumns { table, if_exists, columns });
    }
    if cursor.word("DROP") {
        let _column = cursor.word("COLUMN");
        let parenthesized = cursor.peek().token == Token::LParen;
        let columns = if parenthesized { cursor.list(Cursor::identifier)? } else { vec![cursor.identifier()?] };
        return Ok(Statement::DropColumns { table, if_exists, columns });
    }
    if cursor.word("ALTER") {
        let _column = cursor.word("COLUMN");
        let before = cursor.start_of_last();
        let column = cursor.identifier()?;
        let change = alter_column(cursor, &column, before)?;
        return Ok(Statement::AlterColumn { table, if_exists, column, change });
    }
    Err(cursor.unexpected())
}

/// `SET NOT NULL`, `DROP NOT NULL`, `SET DEFAULT literal`, `DROP DEFAULT` or
/// `SET DATA TYPE type [NULL | NOT NULL] [DEFAULT literal]`.
fn alter_column(cursor: &mut Cursor<'_>, name: &str, before: Location) -> Result<AlterColumn> {
    let mut change = AlterColumn::default();
    if cursor.words(&["SET", "NOT", "NULL"]) {
        change.nullable = Some(false);
    } else if cursor.words(&["DROP", "NOT", "NULL"]) {
        change.nullable = Some(true);
    } else if cursor.words(&["DROP", "DEFAULT"]) {
        change.default = Some(super::NewDefault::Literal(Literal::Null));
    } else if cursor.words(&["SET", "DEFAULT"]) {
        change.default = Some(new_default(cursor)?);
    } else if cursor.words(&["SET", "DATA", "TYPE"]) {
        change.ty = Some(column_type(cursor, name, before)?);
        if cursor.words(&["NOT", "NULL"]) {
            change.nullable = Some(false);
        } else if cursor.word("NULL") {
            change.nullable = Some(true);
        }
        if cursor.word("DEFAULT") {
            change.default = Some(new_default(cursor)?);
        }
    } else {
        return Err(cursor.unexpected());
    }
    Ok(change)
}

/// A default whose column's type is not known yet.
fn new_default(cursor: &mut Cursor<'_>) -> Result<super::NewDefault> {
    if let Some(literal) = literal(cursor)? {
        return Ok(super::NewDefault::Literal(literal));
    }
    cursor.identifier()?;
    if cursor.take(&Token::LParen) {
        cursor.expect(&Token::RParen)?;
    }
    Ok(super::NewDefault::Function)
}

/// A column, and what it says of itself beside.
struct Parsed {
    column: NewColumn,
    is_key: bool,
    declared_nullable: bool,
}

/// `name TYPE [[NOT] NULL] [DEFAULT literal] [PRIMARY KEY]`, the options in any order.
fn column(cursor: &mut Cursor<'_>) -> Result<Parsed> {
    let before = cursor.start_of_last();
    let name = cursor.identifier()?;
    let ty = column_type(cursor, &name, before)?;
    let column = NewColumn { name, ty, nullable: true, default: NewDefault::Value(Value::Null) };
    let mut parsed = Parsed { column, is_key: false, declared_nullable: false };
    loop {
        if cursor.words(&["NOT", "NULL"]) {
            parsed.column.nullable = false;
        } else if cursor.word("NULL") {
            parsed.declared_nullable = true;
        } else if cursor.word("DEFAULT") {
            parsed.column.default = default(cursor, &parsed.column)?;
        } else if cursor.words(&["PRIMARY", "KEY"]) {
            parsed.is_key = true;
        } else {
            return Ok(parsed);
        }
    }
}

/// What follows DEFAULT: a literal, with its sign or its type name, or a function that makes a random UUID.
fn default(cursor: &mut Cursor<'_>, column: &NewColumn) -> Result<NewDefault> {
    if cursor.word("RAND_UUID") || cursor.word("GEN_RANDOM_UUID") {
        if cursor.take(&Token::LParen) {
            cursor.expect(&Token::RParen)?;
        }
        return Ok(NewDefault::RandomUuid);
    }
    let start = cursor.peek().clone();
    let Some(literal) = literal(cursor)? else {
        return match start.token {
            // Functions of the clock are defaults of key columns there, and not supported here.
            Token::Word(Word { quote_style: None, .. }) => Err(invalid(format!(
                "Functional defaults are not supported for non-primary key columns [col={}].",
                column.name
            ))),
            _ => Err(cursor.unexpected()),
        };
    };
    // A literal that goes on is an expression.
    let plain =
        matches!(cursor.peek().token, Token::Comma | Token::RParen | Token::SemiColon | Token::EOF | Token::Word(_));
    if !plain {
        let mut text = start.token.to_string();
        while !matches!(cursor.peek().token, Token::Comma | Token::RParen | Token::SemiColon | Token::EOF) {
            text.push(' ');
            text.push_str(&cursor.advance().token.to_string());
        }
        return Err(refused(format!("Unsupported default expression: {text}")));
    }
    match literal::convert(&literal, column.ty) {
        Some(value) => Ok(NewDefault::Value(value)),
        None => Err(refused(format!("Invalid default value for column '{}'", column.name))),
    }
}

/// Takes a literal if one is next.
fn literal(cursor: &mut Cursor<'_>) -> Result<Option<Literal>> {
    let negative = cursor.take(&Token::Minus);
    let _plus = !negative && cursor.take(&Token::Plus);
    let literal = match &cursor.peek().token {
        Token::Number(text, _) => Literal::Number(if negative { format!("-{text}") } else { text.clone() }),
        _ if negative => return Err(cursor.unexpected()),
        Token::SingleQuotedString(text) => Literal::Text(text.clone()),
        Token::HexStringLiteral(text) => Literal::Hex(text.clone()),
        Token::Word(Word { value, quote_style: None, .. }) => match value.to_uppercase().as_str() {
            "NULL" => Literal::Null,
            "TRUE" => Literal::Bool(true),
            "FALSE" => Literal::Bool(false),
            "DATE" | "TIME" | "TIMESTAMP" | "UUID" => {
                cursor.advance();
                let _local = cursor.words(&["WITH", "LOCAL", "TIME", "ZONE"]);
                match &cursor.peek().token {
                    Token::SingleQuotedString(text) => Literal::Text(text.clone()),
                    _ => return Err(cursor.unexpected()),
                }
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    cursor.advance();
    Ok(Some(literal))
}

/// `[schema.]name`
pub(super) fn table_name(cursor: &mut Cursor<'_>) -> Result<TableName> {
    let first = cursor.identifier()?;
    if cursor.take(&Token::Period) {
        return Ok(TableName { schema: Some(first), name: cursor.identifier()? });
    }
    Ok(TableName { schema: None, name: first })
}
