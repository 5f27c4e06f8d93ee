//! Statements of a script: where each one ends.
//!
//! A semicolon ends a statement unless it stands in a literal, a quoted name or a comment. Text comes in pieces of any
//! size; a [`Splitter`] looks at every byte once.

use crate::config::STATEMENT_BYTES_MAX;

/// A whole statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text with the comments inside, without the semicolon.
    pub text: String,
    /// The line of the script on which it begins, from 1.
    pub line: usize,
}

/// Takes text and gives statements.
#[derive(Debug)]
pub struct Splitter {
    /// What has not become a statement yet.
    text: String,
    /// Bytes of `text` that were looked at.
    scanned: usize,
    state: State,
    /// Where the statement's first word begins, and on which line; `None` while there are only blanks and comments.
    start: Option<(usize, usize)>,
    /// The line at `scanned`.
    line: usize,
}

/// What surrounds the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    /// A literal or a quoted name. A doubled quote ends it and begins it again, which comes to the same.
    Quoted(u8),
    /// From `--` to the line's end.
    LineComment,
    /// From `/*` to `*/`.
    BlockComment,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { text: String::new(), scanned: 0, state: State::Plain, start: None, line: 1 }
    }
}

impl Splitter {
    /// Takes more text.
    ///
    /// # Errors
    /// The statement has become longer than [`STATEMENT_BYTES_MAX`].
    pub fn push(&mut self, text: &str) -> Result<(), String> {
        if self.text.len() + text.len() > STATEMENT_BYTES_MAX {
            return Err(format!("a statement is longer than {STATEMENT_BYTES_MAX} bytes"));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// The next whole statement.
    pub fn next_statement(&mut self) -> Option<Statement> {
        while let Some(&byte) = self.text.as_bytes().get(self.scanned) {
            let next = self.text.as_bytes().get(self.scanned + 1).copied();
            let at = self.scanned;
            self.scanned += 1;
            match (self.state, byte) {
                (State::Plain, b';') => {
                    if let Some(statement) = self.cut(at) {
                        return Some(statement);
                    }
                }
                // Whether these begin a comment depends on the byte behind them, which may not have come yet.
                (State::Plain, b'-' | b'/') if next.is_none() => {
                    self.scanned = at;
                    return None;
                }
                (State::Plain, b'-') if next == Some(b'-') => self.state = State::LineComment,
                (State::Plain, b'/') if next == Some(b'*') => {
                    self.scanned += 1;
                    self.state = State::BlockComment;
                }
                (State::Plain, quote @ (b'\'' | b'"')) => {
                    self.begin(at);
                    self.state = State::Quoted(quote);
                }
                (State::Plain, byte) if !byte.is_ascii_whitespace() => self.begin(at),
                (State::Quoted(quote), byte) if byte == quote => self.state = State::Plain,
                (State::LineComment, b'\n') => self.state = State::Plain,
                (State::BlockComment, b'*') if next.is_none() => {
                    self.scanned = at;
                    return None;
                }
                (State::BlockComment, b'*') if next == Some(b'/') => {
                    self.scanned += 1;
                    self.state = State::Plain;
                }
                _ => {}
            }
            self.line += usize::from(byte == b'\n');
        }
        None
    }

    /// The last statement, whose semicolon is missing, at the end of the text.
    pub fn finish(mut self) -> Option<Statement> {
        // A last `-` or `/` was held back.
        if self.scanned < self.text.len() && self.state == State::Plain {
            self.begin(self.scanned);
        }
        self.cut(self.text.len())
    }

    /// Whether nothing but blanks and whole comments has come since the last statement.
    pub fn is_empty(&self) -> bool {
        self.start.is_none()
            && self.scanned == self.text.len()
            && matches!(self.state, State::Plain | State::LineComment)
    }

    /// Counts a line that was no part of any statement.
    pub fn skip_line(&mut self) {
        self.line += 1;
    }

    /// The line of what comes next, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// A statement begins here, unless it has begun already.
    fn begin(&mut self, at: usize) {
        self.start.get_or_insert((at, self.line));
    }

    /// Takes what is before `end` and forgets the byte at `end`.
    fn cut(&mut self, end: usize) -> Option<Statement> {
        let statement = self
            .start
            .take()
            .and_then(|(start, line)| Some(Statement { text: self.text.get(start..end)?.trim_end().to_owned(), line }));
        self.text.drain(..self.text.len().min(end + 1));
        self.scanned = 0;
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut splitter = Splitter::default();
        splitter.push(text).unwrap();
        let mut found: Vec<_> = std::iter::from_fn(|| splitter.next_statement()).map(|s| s.text).collect();
        found.extend(splitter.finish().map(|s| s.text));
        found
    }

    #[test]
    fn semicolons_end_statements_outside_of_quotes_and_comments() {
        for (text, statements) in [
            ("", &[][..]),
            (" ;; \n-- nothing;\n /* ; */ ;", &[]),
            ("a; b ;c", &["a", "b", "c"]),
            ("select ';' ; x", &["select ';'", "x"]),
            ("select 'it''s;', \"a;\"\"b\"; x", &["select 'it''s;', \"a;\"\"b\"", "x"]),
            ("a -- no; end\n+ b; c", &["a -- no; end\n+ b", "c"]),
            ("a /* ; 'x */ - b / c; d", &["a /* ; 'x */ - b / c", "d"]),
            ("-- first\na", &["a"]),
            ("/**/a;", &["a"]),
            ("/* * ; **/ a; '--'; b", &["a", "'--'", "b"]),
            ("é; 'ü;'", &["é", "'ü;'"]),
            ("a -", &["a -"]),
            ("-", &["-"]),
            ("'open; ", &["'open;"]),
        ] {
            assert_eq!(split(text), statements, "{text}");
        }
    }

    #[test]
    fn lines_are_counted() {
        let mut splitter = Splitter::default();
        splitter.push("-- one\n\na\n;b;\n'\n\n'").unwrap();
        let lines: Vec<_> = std::iter::from_fn(|| splitter.next_statement()).map(|s| s.line).collect();
        assert_eq!(lines, [3, 4]);
        assert_eq!(splitter.finish().unwrap().line, 5);
    }

    #[test]
    fn emptiness_decides_what_a_new_line_means() {
        let empty = |text: &str| {
            let mut splitter = Splitter::default();
            splitter.push(text).unwrap();
            while splitter.next_statement().is_some() {}
            splitter.is_empty()
        };
        assert!(empty("") && empty("a;\n") && empty("a; -- done") && empty("/* x */\n"));
        assert!(!empty("a") && !empty("/* x") && !empty("a; 'b") && !empty("-"));
    }

    proptest::proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab;'\"/*\\-\n ]{0,40}", cut in 0_usize..40) {
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            let (first, second) = text.split_at(cut.min(text.len()));
            for piece in [first, second] {
                splitter.push(piece).unwrap();
                found.extend(std::iter::from_fn(|| splitter.next_statement()).map(|s| s.text));
            }
            found.extend(splitter.finish().map(|s| s.text));
            proptest::prop_assert_eq!(found, split(&text));
        }
    }

    #[test]
    fn a_statement_has_a_limit() {
        let mut splitter = Splitter::default();
        splitter.push(&"x".repeat(STATEMENT_BYTES_MAX)).unwrap();
        assert!(splitter.push("x").is_err());
    }
}
