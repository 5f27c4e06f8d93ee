//! What goes on in the server at one moment, for the system views that tell it: open transactions, held locks, running
//! queries.

use crate::config::ACTIVITY_ROWS_MAX;
use crate::sql::metadata::SYSTEM;
use crate::store::engine::Engine;
use crate::store::locks::Mode;
use crate::store::tx::{State, TxId};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

/// Bytes of a statement's text that are shown.
const SHOWN_BYTES_MAX: usize = 32_767;

/// Everything that goes on, [`ACTIVITY_ROWS_MAX`] of each at most.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Transactions that can still commit, oldest first.
    pub transactions: Vec<OpenTransaction>,
    /// Locks.
    pub locks: Vec<HeldLock>,
    /// Queries, oldest first.
    pub queries: Vec<RunningQuery>,
}

/// An open transaction.
#[derive(Debug, Clone)]
pub struct OpenTransaction {
    /// Its id.
    pub id: TxId,
    /// Whether it cannot write.
    pub read_only: bool,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
}

/// A lock on a row.
#[derive(Debug, Clone)]
pub struct HeldLock {
    /// Who holds it.
    pub transaction: TxId,
    /// The table's id and the bytes of the key.
    pub object: String,
    /// Whether nobody else may read.
    pub exclusive: bool,
}

/// A running query, or a change.
#[derive(Debug, Clone)]
pub struct RunningQuery {
    /// Its id.
    pub id: QueryId,
    /// Its text, as far as it is shown.
    pub sql: Arc<str>,
    /// The schema of its unqualified names.
    pub schema: String,
    /// Whether it changes rows.
    pub is_change: bool,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// Its explicit transaction.
    pub transaction: Option<TxId>,
}

/// The id of a running query: never reused by one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId(pub u64);

/// As a UUID, as clients see it.
impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TxId(self.0).fmt(f)
    }
}

impl Activity {
    /// The transactions and locks of now.
    pub fn of(engine: &Engine) -> Self {
        let open = engine.transactions.iter().filter_map(|(id, tx)| {
            let read_only = match tx.state {
                State::ReadOnly(_) => true,
                State::ReadWrite(_) => false,
                State::Dead(_) => return None,
            };
            Some(OpenTransaction { id, read_only, started: tx.started })
        });
        let mut transactions: Vec<_> = open.take(ACTIVITY_ROWS_MAX).collect();
        transactions.sort_by_key(|tx| tx.id);
        let held = engine.locks.held().take(ACTIVITY_ROWS_MAX).map(|((table, key), transaction, mode)| {
            let mut object = format!("{table}:");
            for byte in key.iter() {
                // Writing to a string cannot fail.
                let _ = write!(object, "{byte:02x}");
            }
            HeldLock { transaction, object, exclusive: mode == Mode::Exclusive }
        });
        Self { transactions, locks: held.collect(), queries: Vec::new() }
    }
}

/// Whether a statement may ask for a system view.
pub(super) fn concerns(text: &str, schema: &str) -> bool {
    schema == SYSTEM || text.as_bytes().windows(SYSTEM.len()).any(|word| word.eq_ignore_ascii_case(SYSTEM.as_bytes()))
}

/// The text of a statement as its client wrote it, but for comments, and cut where it is long.
pub(super) fn shown(tokens: &[TokenWithSpan]) -> Arc<str> {
    let mut text = String::new();
    let mut end = None;
    for token in tokens {
        if let Some((line, column)) = end.replace((token.span.end.line, token.span.end.column)) {
            let (lines, start) = (token.span.start.line.saturating_sub(line), token.span.start.column);
            let (breaks, blanks) = match lines {
                0 => (0, start.saturating_sub(column)),
                lines => (lines, start.saturating_sub(1)),
            };
            let room = (SHOWN_BYTES_MAX - text.len()) as u64;
            text.extend((0..breaks.min(room)).map(|_| '\n'));
            text.extend((0..blanks.min(room.saturating_sub(breaks))).map(|_| ' '));
        }
        // Quotes inside are doubled again; writing to a string cannot fail.
        let _ = match &token.token {
            Token::SingleQuotedString(literal) => write!(text, "'{}'", literal.replace('\'', "''")),
            Token::Word(Word { value, quote_style: Some(_), .. }) => {
                write!(text, "\"{}\"", value.replace('"', "\"\""))
            }
            other => write!(text, "{other}"),
        };
        if text.len() >= SHOWN_BYTES_MAX {
            let cut = text.floor_char_boundary(SHOWN_BYTES_MAX);
            text.truncate(cut);
            break;
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ddl::{Statement, parse_script};

    #[test]
    fn a_statements_text_is_shown_as_it_was_written() {
        let shown = |text: &str| match parse_script(text).unwrap().remove(0) {
            Statement::Other { tokens, .. } => shown(&tokens).to_string(),
            other => panic!("{other:?}"),
        };
        for text in ["SELECT A,B , COUNT(*) FROM T", "select 'it''s'\n  from  \"t\" where a>=?", "SELECT 'ä\nb', X'0A'"]
        {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("  SELECT /* no */ 1;"), "SELECT          1");
        assert_eq!(shown(&format!("SELECT '{}'", "é".repeat(100_000))).len(), SHOWN_BYTES_MAX - 1);
        assert_eq!(shown(&format!("SELECT{}1", "\n".repeat(100_000))).len(), SHOWN_BYTES_MAX);
    }

    #[test]
    fn only_statements_that_may_ask_are_told() {
        assert!(concerns("SELECT * FROM System . LOCKS", "PUBLIC") && concerns("SELECT * FROM LOCKS", "SYSTEM"));
        assert!(!concerns("SELECT * FROM T", "PUBLIC") && !concerns("", "PUBLIC"));
    }
}
