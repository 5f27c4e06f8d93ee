//! A cursor over the tokens of SQL text, which words its errors as Ignite 3.1.0 does.

use crate::error::{Error, Kind, Result};
use sqlparser::dialect::Dialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

/// Words that are no names unless they are quoted.
const RESERVED: &[&str] = &[
    "ALTER",
    "AND",
    "AS",
    "BY",
    "COLUMN",
    "CONSTRAINT",
    "CREATE",
    "DEFAULT",
    "DELETE",
    "DROP",
    "EXISTS",
    "FROM",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INSERT",
    "IS",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PRIMARY",
    "SELECT",
    "SET",
    "TABLE",
    "UNION",
    "UPDATE",
    "VALUES",
    "WHERE",
    "WITH",
];

/// The tokens that are left. Whitespace and comments are gone, and an end token with a place closes them.
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<TokenWithSpan>,
    next: usize,
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

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub(super) fn new(text: &'a str) -> Result<Self> {
        let mut tokens = Tokenizer::new(&Ignite, text).tokenize_with_location().map_err(|e| {
            let Location { line, column } = e.location;
            parse_error(format!("{}. At line {line}, column {column}", e.message))
        })?;
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        let mut end = TokenWithSpan::wrap(Token::EOF);
        if let Some(last) = tokens.last() {
            end.span.start = before(last.span.end);
        }
        tokens.push(end);
        Ok(Self { text, tokens, next: 0 })
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token, which stays.
    pub(super) fn peek(&self) -> &TokenWithSpan {
        // The end token is never passed.
        self.tokens.get(self.next).unwrap_or_else(|| unreachable!("beyond the end of the statement"))
    }

    /// Takes the next token; the end stays.
    pub(super) fn advance(&mut self) -> TokenWithSpan {
        let token = self.peek().clone();
        if token.token != Token::EOF {
            self.next += 1;
        }
        token
    }

    /// The place of the next token, for [`Self::since`].
    pub(super) fn place(&self) -> usize {
        self.next
    }

    /// The tokens from a place up to the next one.
    pub(super) fn since(&self, place: usize) -> Vec<TokenWithSpan> {
        self.tokens.get(place..self.next).unwrap_or_default().to_vec()
    }

    /// Whether a statement ends here.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek().token, Token::SemiColon | Token::EOF)
    }

    /// Where the next token starts.
    pub(super) fn start(&self) -> Location {
        self.peek().span.start
    }

    /// Where the token before the next one starts.
    pub(super) fn start_of_last(&self) -> Location {
        let last = self.next.checked_sub(1).and_then(|i| self.tokens.get(i));
        last.map_or(Location { line: 1, column: 1 }, |token| token.span.start)
    }

    /// Where the token before the next one ends.
    pub(super) fn end_of_last(&self) -> Location {
        let last = self.next.checked_sub(1).and_then(|i| self.tokens.get(i));
        last.map_or(Location { line: 1, column: 1 }, |token| before(token.span.end))
    }

    /// Whether this unquoted word is next.
    pub(super) fn sees(&self, word: &str) -> bool {
        self.sees_at(self.next, word)
    }

    fn sees_at(&self, place: usize, word: &str) -> bool {
        matches!(self.tokens.get(place).map(|t| &t.token),
            Some(Token::Word(Word { value, quote_style: None, .. })) if value.eq_ignore_ascii_case(word))
    }

    /// Takes these unquoted words if all of them follow.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        let follow = words.iter().enumerate().all(|(i, word)| self.sees_at(self.next + i, word));
        if follow {
            self.next += words.len();
        }
        follow
    }

    /// Takes this unquoted word if it is next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Takes one of these unquoted words.
    pub(super) fn expect_one_of(&mut self, words: &[&str]) -> Result<()> {
        if words.iter().any(|word| self.word(word)) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes this token if it is next.
    pub(super) fn take(&mut self, token: &Token) -> bool {
        let found = self.peek().token == *token;
        if found {
            self.advance();
        }
        found
    }

    /// Takes this token.
    pub(super) fn expect(&mut self, token: &Token) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a name: upper-cased unless it stands in quotes.
    pub(super) fn identifier(&mut self) -> Result<String> {
        let name = match &self.peek().token {
            Token::Word(Word { value, quote_style: Some(_), .. }) => value.clone(),
            Token::Word(Word { value, quote_style: None, .. }) => {
                let name = value.to_uppercase();
                if RESERVED.contains(&name.as_str()) {
                    let Location { line, column } = self.start();
                    return Err(parse_error(format!(
                        "Incorrect syntax near the keyword '{name}' at line {line}, column {column}"
                    )));
                }
                name
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(name)
    }

    /// Takes a name, or a text in single quotes.
    pub(super) fn name_or_text(&mut self) -> Result<String> {
        if let Token::SingleQuotedString(text) = &self.peek().token {
            let text = text.clone();
            self.advance();
            return Ok(text);
        }
        self.identifier()
    }

    /// Takes an integer of 32 bits without sign.
    pub(super) fn number(&mut self) -> Result<u32> {
        let Token::Number(text, false) = &self.peek().token else { return Err(self.unexpected()) };
        let Some(number) = text.parse().ok().filter(|n| i32::try_from(*n).is_ok()) else {
            let Location { line, column } = self.start();
            return Err(parse_error(format!(
                "Literal '{text}' can not be parsed to type 'java.lang.Integer'. At line {line}, column {column}"
            )));
        };
        self.advance();
        Ok(number)
    }

    /// Takes `(item, ...)`, at least one.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.take(&Token::Comma) {
            items.push(item(self)?);
        }
        self.expect(&Token::RParen)?;
        Ok(items)
    }

    /// The error for the next token where it cannot be.
    pub(super) fn unexpected(&self) -> Error {
        let TokenWithSpan { token, span } = self.peek();
        let shown = match token {
            Token::EOF => "<EOF>".to_owned(),
            token => token.to_string(),
        };
        let Location { line, column } = span.start;
        parse_error(format!("Encountered \"{shown}\" at line {line}, column {column}"))
    }

    /// The error for a statement that starts with no keyword it could start with.
    pub(super) fn illegal_start(&self) -> Error {
        let Location { line, column } = self.start();
        parse_error(format!("Non-query expression encountered in illegal context. At line {line}, column {column}"))
    }
}

/// The place of a token's last character, given the place after it.
fn before(end: Location) -> Location {
    Location { line: end.line, column: end.column.saturating_sub(1) }
}

/// The error for text that does not parse.
pub(super) fn parse_error(reason: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlParse, format!("Failed to parse query: {reason}"))
}
