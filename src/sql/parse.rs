//! From the tokens of one statement to a syntax tree that DataFusion understands.
//!
//! Ignite's SQL differs from what the parser knows in ways that tokens settle best: names that are not quoted are upper
//! case, a parameter is a `?`, and a few words stand for others. What is left to do needs the tree: `normal`.

use crate::error::{Error, Kind, Result};
use crate::sql::calls;
use crate::sql::dialect::Queries;
use crate::sql::normal::{self, Names};
use sqlparser::ast::{Expr, Statement, Visit, Visitor};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::ops::ControlFlow;

/// How deep expressions and queries may nest.
const DEPTH_MAX: usize = 64;
/// Operators of one chain, those of the chains around it included: each is a level of the tree, whoever walks it.
const CHAIN_MAX: usize = 1_000;
/// Ways to read the queries behind more than one parenthesis, those around them included.
const WAYS_MAX: usize = 1_000;

/// Subqueries that are values or conditions within each other: each level is planned about twice as long as the one within.
const SUBQUERIES_MAX: usize = 12;

/// One statement that reads or writes rows.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The tree, in which parameters are `$1`, `$2`, ...
    pub statement: Statement,
    /// How many parameters it has.
    pub parameters: usize,
    /// The names of result columns that stand for others.
    pub names: Names,
}

/// Parses one statement.
///
/// # Errors
/// `SqlParse`; `SqlValidation` for a tree that means nothing here.
pub fn parse(tokens: &[TokenWithSpan]) -> Result<Parsed> {
    check_chains(tokens)?;
    check_ways(tokens)?;
    let mut parameters = 0;
    let tokens = translate(tokens, &mut parameters);
    let dialect = Queries::new(tokens.len());
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement();
    if dialect.gave_up() {
        return Err(too_many_ways());
    }
    let mut statement = statement.map_err(|error| refused(&error))?;
    if parser.peek_token_ref().token != Token::EOF {
        let token = parser.peek_token_ref();
        let (line, column) = (token.span.start.line, token.span.start.column);
        return Err(failed(format!("Encountered \"{}\" at line {line}, column {column}.", token.token)));
    }
    if statement.visit(&mut Subqueries(0)).is_break() {
        return Err(failed(format!("Subqueries nest deeper than {SUBQUERIES_MAX} levels")));
    }
    let names = normal::normalize(&mut statement)?;
    Ok(Parsed { statement, parameters, names })
}

/// Refuses a tree that would be too deep although nothing nests: `1 + 1 + 1 ...` leans to the left.
fn check_chains(tokens: &[TokenWithSpan]) -> Result<()> {
    // The operators so far in each open parenthesis, since its last comma; and their sum.
    let mut open = vec![0_usize];
    let mut sum = 0;
    for token in tokens {
        let links = match &token.token {
            Token::LParen | Token::LBracket => {
                open.push(0);
                0
            }
            Token::RParen | Token::RBracket => {
                sum -= open.pop().unwrap_or_default();
                0
            }
            Token::Comma => {
                sum -= open.last_mut().map(std::mem::take).unwrap_or_default();
                0
            }
            Token::Word(Word { keyword, quote_style: None, .. }) => usize::from(matches!(
                keyword,
                Keyword::AND
                    | Keyword::OR
                    | Keyword::IS
                    | Keyword::NOT
                    | Keyword::IN
                    | Keyword::LIKE
                    | Keyword::BETWEEN
                    | Keyword::COLLATE
                    | Keyword::AT
                    | Keyword::UNION
                    | Keyword::EXCEPT
                    | Keyword::INTERSECT
                    | Keyword::MINUS
            )),
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Period
            | Token::Placeholder(_) => 0,
            _ => 1,
        };
        if let Some(last) = open.last_mut() {
            *last += links;
        }
        sum += links;
        if sum > CHAIN_MAX {
            return Err(failed(format!("The statement has a chain of more than {CHAIN_MAX} operators")));
        }
    }
    Ok(())
}

/// Refuses what the parser would read in too many ways. `((SELECT ...` behind FROM may be one query in two parentheses, or
/// the first table of a join: it tries each, for all that nests inside.
fn check_ways(tokens: &[TokenWithSpan]) -> Result<()> {
    let is_query = |place: usize| match tokens.get(place).map(|t| &t.token) {
        Some(Token::Word(word)) => {
            matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE)
        }
        _ => false,
    };
    // The ways outside of each open parenthesis.
    let (mut open, mut ways) = (Vec::new(), 1_usize);
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        place += 1;
        match token.token {
            Token::LParen => {
                open.push(ways);
                let mut parentheses = 1;
                while matches!(tokens.get(place).map(|t| &t.token), Some(Token::LParen)) {
                    open.push(ways);
                    (place, parentheses) = (place + 1, parentheses + 1);
                }
                if is_query(place) {
                    ways = ways.saturating_mul(parentheses);
                }
            }
            Token::RParen => ways = open.pop().unwrap_or(1),
            _ => {}
        }
        if ways > WAYS_MAX {
            return Err(too_many_ways());
        }
    }
    Ok(())
}

/// Finds subqueries within each other, those behind FROM aside.
struct Subqueries(usize);

impl Visitor for Subqueries {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 += usize::from(is_subquery(expr));
        if self.0 > SUBQUERIES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 -= usize::from(is_subquery(expr));
        ControlFlow::Continue(())
    }
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. })
}

fn too_many_ways() -> Error {
    failed("There are too many ways to read the statement: it nests too deep for what is wrong or doubtful in it")
}

fn translate(tokens: &[TokenWithSpan], parameters: &mut usize) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let is = |place: usize, word: &str| {
        matches!(tokens.get(place).map(|t| &t.token),
        Some(Token::Word(Word { value, quote_style: None, .. })) if value.eq_ignore_ascii_case(word))
    };
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        let mut token = token.clone();
        match &mut token.token {
            // EXPLAIN [MAPPING | PLAN] FOR ...
            Token::Word(_) if place == 0 && is(0, "EXPLAIN") && is(2, "FOR") => place += 2,
            // TIMESTAMP WITH LOCAL TIME ZONE
            Token::Word(_)
                if is(place, "WITH") && is(place + 1, "LOCAL") && is(place + 2, "TIME") && is(place + 3, "ZONE") =>
            {
                local_zone(&mut out);
                place += 4;
                continue;
            }
            // (x - y) DAY
            Token::Word(word) if matches!(tokens.get(place.wrapping_sub(1)).map(|t| &t.token), Some(Token::RParen)) => {
                word.value = word.value.to_uppercase();
                let to = is(place + 1, "TO").then(|| tokens.get(place + 2)).flatten();
                if word.quote_style.is_none()
                    && let Some(words) = difference(&mut out, &word.value, to)
                {
                    place += words;
                    continue;
                }
            }
            // TRIM(LEADING FROM x): blanks.
            Token::Word(_) if is(place, "FROM") && trims(&out) => {
                out.push(TokenWithSpan { token: Token::SingleQuotedString(" ".into()), span: token.span });
            }
            Token::Word(word) if word.quote_style.is_none() => {
                word.value = word.value.to_uppercase();
                if word.value == "MINUS" {
                    *word = Word { value: "EXCEPT".into(), quote_style: None, keyword: Keyword::EXCEPT };
                }
            }
            Token::Placeholder(name) if name == "?" => {
                *parameters += 1;
                *name = format!("${parameters}");
            }
            _ => {}
        }
        out.push(token);
        place += 1;
    }
    out
}

/// To the parser, the type with the time zone of whoever looks is called TIMESTAMPTZ.
fn local_zone(out: &mut [TokenWithSpan]) {
    // TIMESTAMP may have a precision behind it.
    for token in out.iter_mut().rev().take(4) {
        if let Token::Word(word) = &mut token.token
            && word.keyword == Keyword::TIMESTAMP
        {
            *word = Word { value: "TIMESTAMPTZ".into(), quote_style: None, keyword: Keyword::TIMESTAMPTZ };
            return;
        }
    }
}

/// Whether the tokens end with `TRIM(LEADING` or its like.
fn trims(out: &[TokenWithSpan]) -> bool {
    let mut last = out.iter().rev().map(|t| &t.token);
    let side = matches!(last.next(), Some(Token::Word(word))
        if matches!(word.keyword, Keyword::BOTH | Keyword::LEADING | Keyword::TRAILING));
    side && matches!(last.next(), Some(Token::LParen))
        && matches!(last.next(), Some(Token::Word(word)) if word.keyword == Keyword::TRIM)
}

/// Makes a call of `(x - y)` before the units of an interval; how many tokens the units have.
fn difference(out: &mut Vec<TokenWithSpan>, unit: &str, to: Option<&TokenWithSpan>) -> Option<usize> {
    const UNITS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
    if !UNITS.contains(&unit) {
        return None;
    }
    let last = match to.map(|to| &to.token) {
        Some(Token::Word(word)) => Some(word.value.to_uppercase()).filter(|word| UNITS.contains(&word.as_str())),
        _ => None,
    };
    let (mut depth, mut minus, mut open) = (0_usize, false, None);
    for (place, token) in out.iter().enumerate().rev() {
        match token.token {
            Token::RParen => depth += 1,
            Token::LParen => {
                depth -= 1;
                if depth == 0 {
                    open = Some(place);
                    break;
                }
            }
            Token::Minus => minus |= depth == 1,
            _ => {}
        }
    }
    let open = open.filter(|_| minus)?;
    // Behind a word the parentheses may be those of a call.
    let before = open.checked_sub(1).and_then(|place| out.get(place)).map(|t| &t.token);
    if let Some(Token::Word(word)) = before
        && !matches!(
            word.keyword,
            Keyword::SELECT
                | Keyword::WHERE
                | Keyword::BY
                | Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::ON
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::BETWEEN
                | Keyword::DISTINCT
        )
    {
        return None;
    }
    let span = out.get(open)?.span;
    let token = |token| TokenWithSpan { token, span };
    let units = match &last {
        Some(last) => format!("{unit} TO {last}"),
        None => unit.to_owned(),
    };
    let name = Word { value: calls::DIFFERENCE.into(), quote_style: None, keyword: Keyword::NoKeyword };
    let call = [Token::Word(name), Token::LParen, Token::SingleQuotedString(units), Token::Comma];
    out.splice(open..open, call.map(token));
    out.push(token(Token::RParen));
    Some(if last.is_some() { 3 } else { 1 })
}

fn refused(error: &ParserError) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => failed(format!("The statement nests deeper than {DEPTH_MAX} levels")),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => failed(text.clone()),
    }
}

fn failed(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlParse, format!("Failed to parse query: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ddl::{self, Statement as Parsed};

    fn tree(text: &str) -> String {
        match ddl::parse_script(text).unwrap().remove(0) {
            Parsed::Other { tokens, .. } => parse(&tokens).unwrap().statement.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ignites_words_are_translated() {
        for (text, expected) in [
            ("select \"a\".b from a", "SELECT \"a\".B FROM A"),
            ("select a from t where b = ? and c in (?, ?)", "SELECT A FROM T WHERE B = $1 AND C IN ($2, $3)"),
            ("select a from t minus select b from u", "SELECT A FROM T EXCEPT SELECT B FROM U"),
            (
                "select a from t where cast(b as timestamp with local time zone) > c",
                if cfg!(feature = "sql") {
                    "SELECT A FROM T WHERE cast_to(B, '{\"Timestamp\":{\"precision\":6}}') > C"
                } else {
                    "SELECT A FROM T WHERE CAST(B AS TIMESTAMPTZ) > C"
                },
            ),
            ("explain plan for select a from t", "EXPLAIN SELECT A FROM T"),
            ("select (a - b) day to second x", "SELECT INTERVAL_BETWEEN('DAY TO SECOND', A, B) AS \"X\""),
            ("select f(a - b) day", "SELECT F(A - B) AS \"DAY\""),
            ("select trim(leading from a) x", "SELECT TRIM(LEADING ' ' FROM A) AS \"X\""),
        ] {
            assert_eq!(tree(text), expected);
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let chain = "1+".repeat(250_000);
        for (text, part) in [
            (format!("SELECT {}1{}", "(".repeat(32_000), ")".repeat(32_000)), "64 levels"),
            (format!("SELECT {chain}1"), "1000 operators"),
            (format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(5_000)), "1000 operators"),
            (format!("SELECT {}1", "NOT ".repeat(5_000)), "1000 operators"),
            (format!("SELECT {}1{}", "(SELECT ".repeat(13), ")".repeat(13)), "12 levels"),
            (format!("SELECT {}1{}", "1 IN (SELECT ".repeat(13), ")".repeat(13)), "12 levels"),
            (format!("SELECT {}1{}", "1 IN (SELECT ".repeat(8), ")".repeat(8)), "100 IN or EXISTS"),
        ] {
            let Parsed::Other { tokens, .. } = ddl::parse_script(&text).unwrap().remove(0) else { panic!() };
            let error = parse(&tokens).unwrap_err();
            assert_eq!(error.kind, Kind::SqlParse);
            assert!(error.message.contains(part), "{error}");
        }
        // Each would be read twice as often as the one around it.
        let deep = |open: &str, times: usize, middle: &str, close: &str| {
            format!("SELECT * FROM T WHERE {}{middle}{}", open.repeat(times), close.repeat(times))
        };
        for text in [
            deep("CEIL(", 60, "1 1", ")"),
            deep("CAST(", 60, "1 1", " AS INT)"),
            deep("CASE WHEN ", 30, "1 1", " THEN TRUE END"),
            deep("X IN ((SELECT ", 15, "1 1", "))"),
            format!("SELECT * FROM {}T T T", "((SELECT * FROM ".repeat(15)),
            format!("SELECT * FROM {}T T T", "(((((SELECT * FROM ".repeat(7)),
        ] {
            let Parsed::Other { tokens, .. } = ddl::parse_script(&text).unwrap().remove(0) else { panic!() };
            let error = parse(&tokens).unwrap_err();
            assert_eq!(error.kind, Kind::SqlParse, "{error}");
        }
        for text in [
            deep("CEIL(", 30, "1", ")"),
            deep("X IN (SELECT A FROM T WHERE ", 12, "TRUE", ")"),
            format!("SELECT * FROM {}T{}", "((SELECT * FROM ".repeat(5), "))".repeat(5)),
        ] {
            tree(&text);
        }
        // Many rows are not deep.
        let rows = vec!["(-1, 2 + 3, 'a' || 'b')"; 5_000].join(", ");
        tree(&format!("INSERT INTO T VALUES {rows}"));
    }
}
