//! Expressions of Ignite that the parser does not know: JSON_OBJECT and JSON_ARRAY, IS JSON, POSITION from a place on.
//!
//! They become plain calls as they are parsed; what those do is in the functions of the query engine.
//!
//! Where a word may begin several things the parser tries one after the other, each for all that nests inside: a wrong
//! text of 40 calls of CEIL within each other would be read for days. So the expressions that are begun are counted.

use super::calls::{call_of, literal};
use sqlparser::ast::{Expr, Query, SetExpr, Statement, UnaryOperator};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;
use std::cell::Cell;

/// The call that JSON_OBJECT becomes: what nulls mean, then names and values in turn.
pub(super) const JSON_OBJECT: &str = "JSON_OBJECT";
/// The call that JSON_ARRAY becomes: what nulls mean, then the values.
pub(super) const JSON_ARRAY: &str = "JSON_ARRAY";
/// The call around a value that is JSON.
pub(super) const AS_JSON: &str = "AS_JSON";
/// Nulls are values.
const NULL_ON_NULL: &str = "NULL ON NULL";
/// Nulls are left out.
const ABSENT_ON_NULL: &str = "ABSENT ON NULL";
/// The call that IS JSON becomes.
pub(super) const IS_JSON: &str = "IS_JSON";
/// No function, so that the planner refuses it.
const SYMMETRIC: &str = "BETWEEN SYMMETRIC";

/// Expressions that are begun at most, per token; those that are read once are fewer than tokens.
const TRIES_PER_TOKEN: usize = 20;
/// The same of a short statement.
const TRIES_MIN: usize = 5_000;

/// The generic dialect with a few more expressions.
#[derive(Debug)]
pub(super) struct Queries {
    /// Expressions that may still be begun.
    left: Cell<usize>,
}

impl Queries {
    /// The dialect for one statement of so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self { left: Cell::new(tokens.saturating_mul(TRIES_PER_TOKEN).max(TRIES_MIN)) }
    }

    /// Whether the statement was given up: there were too many ways to read it.
    pub(super) fn gave_up(&self) -> bool {
        self.left.get() == 0
    }
}

/// What the generic dialect answers.
macro_rules! as_generic {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { GenericDialect {}.$name() })* };
}

impl Dialect for Queries {
    fn dialect(&self) -> TypeId {
        GenericDialect {}.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect {}.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect {}.is_identifier_part(ch)
    }

    as_generic! {
        supports_unicode_string_literal
        supports_partition_by_after_order_by
        supports_array_join_syntax
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
        supports_connect_by
        supports_match_recognize
        supports_pipe_operator
        supports_start_transaction_modifier
        supports_window_function_null_treatment_arg
        supports_dictionary_syntax
        supports_window_clause_named_window_reference
        supports_parenthesized_set_variables
        supports_select_wildcard_except
        support_map_literal_syntax
        allow_extract_custom
        allow_extract_single_quotes
        supports_extract_comma_syntax
        supports_create_view_comment_syntax
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_limit_comma
        supports_update_order_by
        supports_from_first_select
        supports_projection_trailing_commas
        supports_asc_desc_in_column_definition
        supports_try_convert
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_named_fn_args_with_assignment_operator
        supports_struct_literal
        supports_nested_comments
        supports_multiline_comment_hints
        supports_user_host_grantee
        supports_string_escape_constant
        supports_array_typedef_with_brackets
        supports_match_against
        supports_set_names
        supports_comma_separated_set_assignments
        supports_filter_during_aggregation
        supports_select_wildcard_exclude
        supports_data_type_signed_suffix
        supports_interval_options
        supports_quote_delimited_string
        supports_select_wildcard_replace
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_optimize_table
        supports_install
        supports_detach
        supports_prewhere
        supports_with_fill
        supports_limit_by
        supports_interpolate
        supports_settings
        supports_select_format
        supports_comment_optimizer_hint
        supports_constraint_keyword_without_name
        supports_key_column_option
        supports_comma_separated_trim
        supports_cte_without_as
        supports_select_item_multi_column_alias
        supports_xml_expressions
    }

    /// Words that are no names, so that a wrong CAST is not tried as a call.
    fn is_reserved_for_identifier(&self, word: Keyword) -> bool {
        matches!(word, Keyword::CASE | Keyword::CAST | Keyword::TRY_CAST | Keyword::SAFE_CAST | Keyword::NOT)
            || GenericDialect {}.is_reserved_for_identifier(word)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        is_bare_values(parser).then(|| bare_values(parser))
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Some(Err(ParserError::RecursionLimitExceeded)),
        }
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        if word.quote_style.is_some() || parser.peek_nth_token_ref(1).token != Token::LParen {
            return None;
        }
        match word.value.as_str() {
            JSON_OBJECT => Some(json_object(parser)),
            JSON_ARRAY => Some(json_array(parser)),
            "POSITION" => Some(position(parser)),
            "IF" => Some(parser.expected_ref("an expression", parser.peek_token_ref())),
            _ => None,
        }
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        let word = |place: usize| match &parser.peek_nth_token_ref(place).token {
            Token::Word(word) if word.quote_style.is_none() => word.value.as_str(),
            _ => "",
        };
        let (first, negated) = match (word(0), word(1)) {
            ("IS", "NOT") => ("IS", true),
            ("NOT", "BETWEEN") => ("BETWEEN", true),
            (first, _) => (first, false),
        };
        match (first, word(1 + usize::from(negated))) {
            ("IS", "JSON") => Some(is_json(parser, expr, negated)),
            ("BETWEEN", "SYMMETRIC") => Some(symmetric(parser, expr, negated)),
            _ => None,
        }
    }
}

/// `VALUES 1, 2`: rows of one column.
fn is_bare_values(parser: &Parser<'_>) -> bool {
    matches!(&parser.peek_token_ref().token, Token::Word(word) if word.keyword == Keyword::VALUES)
        && !matches!(parser.peek_nth_token_ref(1).token, Token::LParen | Token::EOF)
}

fn bare_values(parser: &mut Parser<'_>) -> Result<Statement, ParserError> {
    parser.next_token();
    let cells = parser.parse_comma_separated(Parser::parse_expr)?;
    // A query to fill: the tree has more fields than anybody should have to name.
    let mut query: Query = *Parser::new(&GenericDialect {}).try_with_sql("VALUES (1)")?.parse_query()?;
    if let SetExpr::Values(values) = &mut *query.body {
        values.rows = cells.into_iter().map(|cell| sqlparser::ast::Parens::with_empty_span(vec![cell])).collect();
    }
    Ok(Statement::Query(Box::new(query)))
}

/// `JSON_OBJECT([KEY] name {VALUE | :} value, ... [NULL ON NULL | ABSENT ON NULL])`.
fn json_object(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    open(parser)?;
    let mut members = Vec::new();
    while another(parser, members.is_empty())? {
        let _ = parser.parse_keyword(Keyword::KEY);
        // A colon behind a value would else lead into it.
        members.push(parser.parse_subexpr(GenericDialect {}.prec_value(Precedence::Colon))?);
        if !parser.consume_token(&Token::Colon) {
            parser.expect_keyword_is(Keyword::VALUE)?;
        }
        members.push(json_value(parser)?);
    }
    json_call(JSON_OBJECT, NULL_ON_NULL, members, parser)
}

/// `JSON_ARRAY(value, ... [NULL ON NULL | ABSENT ON NULL])`; without a clause nulls are left out.
fn json_array(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    open(parser)?;
    let mut items = Vec::new();
    while another(parser, items.is_empty())? {
        items.push(json_value(parser)?);
    }
    json_call(JSON_ARRAY, ABSENT_ON_NULL, items, parser)
}

/// Whether one more follows, up to which a comma is read unless it is the first.
fn another(parser: &mut Parser<'_>, first: bool) -> Result<bool, ParserError> {
    let another = parser.peek_token_ref().token != Token::RParen && !is_clause(parser);
    if another && !first {
        parser.expect_token(&Token::Comma)?;
    }
    Ok(another)
}

fn open(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen).map(drop)
}

/// Whether what follows says what nulls mean.
fn is_clause(parser: &Parser<'_>) -> bool {
    let is = |place: usize, is: &str| matches!(&parser.peek_nth_token_ref(place).token, Token::Word(word) if word.value == is);
    (is(0, "NULL") || is(0, "ABSENT")) && is(1, "ON")
}

/// A value; one that is JSON itself becomes part of the whole as it is.
fn json_value(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let value = parser.parse_expr()?;
    let is_json = match &value {
        Expr::Function(function) => matches!(function.name.to_string().as_str(), JSON_OBJECT | JSON_ARRAY),
        _ => false,
    };
    let format = parser.parse_keywords(&[Keyword::FORMAT, Keyword::JSON]);
    Ok(if is_json || format { call_of(AS_JSON, vec![value]) } else { value })
}

/// The call, with what nulls mean as its first argument.
fn json_call(name: &str, nulls: &str, args: Vec<Expr>, parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let mut nulls = nulls;
    if is_clause(parser) {
        nulls = match parser.next_token().token {
            Token::Word(word) if word.value == "NULL" => NULL_ON_NULL,
            _ => ABSENT_ON_NULL,
        };
        parser.expect_keyword_is(Keyword::ON)?;
        parser.expect_keyword_is(Keyword::NULL)?;
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call_of(name, std::iter::once(literal(nulls.into())).chain(args).collect()))
}

/// `POSITION(x IN y [FROM n])`: read once, where the parser would try several ways, each for all that nests inside.
fn position(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    open(parser)?;
    let what = parser.parse_subexpr(GenericDialect {}.prec_value(Precedence::Between))?;
    parser.expect_keyword_is(Keyword::IN)?;
    let of = parser.parse_expr()?;
    let from = if parser.parse_keyword(Keyword::FROM) { Some(parser.parse_expr()?) } else { None };
    parser.expect_token(&Token::RParen)?;
    Ok(match from {
        Some(from) => call_of("POSITION", vec![what, of, from]),
        None => Expr::Position { expr: Box::new(what), r#in: Box::new(of) },
    })
}

/// `x IS [NOT] JSON [VALUE | OBJECT | ARRAY | SCALAR]`.
fn is_json(parser: &mut Parser<'_>, expr: &Expr, negated: bool) -> Result<Expr, ParserError> {
    for _word in 0..2 + usize::from(negated) {
        parser.next_token();
    }
    let kind = match &parser.peek_token_ref().token {
        Token::Word(word) => match word.value.as_str() {
            "VALUE" => Some("VALUE"),
            "OBJECT" => Some("OBJECT"),
            "ARRAY" => Some("ARRAY"),
            "SCALAR" => Some("SCALAR"),
            _ => None,
        },
        _ => None,
    };
    if kind.is_some() {
        parser.next_token();
    }
    let told = call_of(IS_JSON, vec![expr.clone(), literal(kind.unwrap_or("VALUE").into())]);
    Ok(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(told) } } else { told })
}

/// Ignite 3.1.0 parses this and refuses it.
fn symmetric(parser: &mut Parser<'_>, expr: &Expr, negated: bool) -> Result<Expr, ParserError> {
    for _word in 0..2 + usize::from(negated) {
        parser.next_token();
    }
    let strength = GenericDialect {}.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(strength)?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = parser.parse_subexpr(strength)?;
    Ok(call_of(SYMMETRIC, vec![expr.clone(), low, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Result<String, ParserError> {
        Parser::new(&Queries::new(0)).try_with_sql(sql)?.parse_statement().map(|statement| statement.to_string())
    }

    #[test]
    fn expressions_become_calls() {
        for (sql, told) in [
            ("SELECT JSON_OBJECT('a': 1, KEY B VALUE 'x')", "SELECT JSON_OBJECT('NULL ON NULL', 'a', 1, B, 'x')"),
            ("SELECT JSON_OBJECT('a' VALUE 1 ABSENT ON NULL)", "SELECT JSON_OBJECT('ABSENT ON NULL', 'a', 1)"),
            ("SELECT JSON_OBJECT('a': NULL, 'b': 'x')", "SELECT JSON_OBJECT('NULL ON NULL', 'a', NULL, 'b', 'x')"),
            ("SELECT JSON_ARRAY(1, NULL)", "SELECT JSON_ARRAY('ABSENT ON NULL', 1, NULL)"),
            ("SELECT JSON_ARRAY()", "SELECT JSON_ARRAY('ABSENT ON NULL')"),
            (
                "SELECT JSON_ARRAY(A, JSON_ARRAY(1), B FORMAT JSON NULL ON NULL)",
                "SELECT JSON_ARRAY('NULL ON NULL', A, AS_JSON(JSON_ARRAY('ABSENT ON NULL', 1)), AS_JSON(B))",
            ),
            ("SELECT A IS JSON, B IS NOT JSON ARRAY", "SELECT IS_JSON(A, 'VALUE'), NOT IS_JSON(B, 'ARRAY')"),
            ("SELECT 1 WHERE A IS JSON OBJECT AND B", "SELECT 1 WHERE IS_JSON(A, 'OBJECT') AND B"),
            ("SELECT POSITION('a' IN B FROM 2)", "SELECT POSITION('a', B, 2)"),
            ("SELECT POSITION('a' IN B)", "SELECT POSITION('a' IN B)"),
            ("SELECT A IS NULL, B BETWEEN 1 AND 2", "SELECT A IS NULL, B BETWEEN 1 AND 2"),
            ("VALUES 1, 2 + 3", "VALUES (1), (2 + 3)"),
            ("VALUES (1), (2)", "VALUES (1), (2)"),
        ] {
            assert_eq!(parsed(sql).unwrap(), told, "{sql}");
        }
        // What nests is read once.
        let deep = format!("SELECT {}1{}", "POSITION(".repeat(40), " IN A)".repeat(40));
        assert!(parsed(&deep).is_ok());
        for wrong in ["SELECT IF(TRUE, 1, 2)", "SELECT JSON_OBJECT('a' 1)", "SELECT JSON_ARRAY(1 2)"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
