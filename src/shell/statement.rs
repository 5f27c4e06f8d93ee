//! Statements that begin and end transactions.

/// What a statement does to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// `START TRANSACTION [READ ONLY | READ WRITE]`, or `BEGIN [TRANSACTION | WORK]`.
    Begin { read_only: bool },
    /// `COMMIT [TRANSACTION | WORK]`.
    Commit,
    /// `ROLLBACK [TRANSACTION | WORK]`.
    Rollback,
}

/// The most words that such a statement has.
const WORDS_MAX: usize = 4;

impl Control {
    /// What the statement is; `None` for every other statement.
    pub(super) fn of(text: &str) -> Option<Self> {
        let words: Vec<_> = words(text).take(WORDS_MAX + 1).map(str::to_ascii_uppercase).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["START", "TRANSACTION", mode @ ..]
            | ["BEGIN", "TRANSACTION" | "WORK", mode @ ..]
            | ["BEGIN", mode @ ..] => match mode {
                [] | ["READ", "WRITE"] => Some(Self::Begin { read_only: false }),
                ["READ", "ONLY"] => Some(Self::Begin { read_only: true }),
                _ => None,
            },
            ["COMMIT"] | ["COMMIT", "TRANSACTION" | "WORK"] => Some(Self::Commit),
            ["ROLLBACK"] | ["ROLLBACK", "TRANSACTION" | "WORK"] => Some(Self::Rollback),
            _ => None,
        }
    }
}

/// The words of a statement, without comments.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            let after = if rest.starts_with("--") {
                rest.split_once('\n').map_or("", |(_, after)| after)
            } else if rest.starts_with("/*") {
                rest.split_once("*/").map_or("", |(_, after)| after)
            } else {
                break;
            };
            rest = after;
        }
        let blank = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let comment = [rest.find("--"), rest.find("/*")].into_iter().flatten().min().unwrap_or(blank);
        let (word, after) = rest.split_at(blank.min(comment));
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_recognized() {
        for (text, control) in [
            ("begin", Some(Control::Begin { read_only: false })),
            ("Start /* a */ transaction--x\n read only", Some(Control::Begin { read_only: true })),
            ("BEGIN WORK READ WRITE", Some(Control::Begin { read_only: false })),
            ("-- now\ncommit", Some(Control::Commit)),
            ("rollback work", Some(Control::Rollback)),
            ("commit and chain", None),
            ("begin again", None),
            ("select 'commit'", None),
            ("/* open", None),
            ("", None),
        ] {
            assert_eq!(Control::of(text), control, "{text}");
        }
    }
}
