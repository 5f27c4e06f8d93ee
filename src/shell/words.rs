//! What can be completed: keywords, tables, columns.

use super::meta::COMMANDS;
use crate::client::Result;
use crate::client::ga::Client;
use crate::config::COMPLETION_TABLES_MAX;
use crate::door::igni::ga::names::quoted;

/// Words that begin or join the parts of a statement.
const KEYWORDS: &str = "ADD ALL ALTER AND AS ASC BEGIN BETWEEN BIGINT BOOLEAN BY CASE CAST COLUMN COMMIT COUNT CREATE CROSS \
    DATE DECIMAL DEFAULT DELETE DESC DISTINCT DOUBLE DROP ELSE END EXCEPT EXISTS EXPLAIN FALSE FETCH FROM FULL GROUP \
    HAVING IF IN INDEX INNER INSERT INT INTERSECT INTO IS JOIN KEY LEFT LIKE LIMIT MERGE NOT NULL NULLS OFFSET ON ONLY OR \
    ORDER OUTER PLAN PRIMARY READ REAL RIGHT ROLLBACK SCHEMA SELECT SET SMALLINT START SUM TABLE THEN TIME TIMESTAMP \
    TINYINT TRANSACTION TRUE UNION UPDATE USING UUID VALUES VARBINARY VARCHAR WHEN WHERE WITH ZONE";

/// Words for completion.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Sorted, each once.
    words: Vec<String>,
}

impl Words {
    /// The keywords.
    pub fn keywords() -> Self {
        Self::of(std::iter::empty())
    }

    /// The keywords, the tables and the columns of a server; of many tables, the columns of the first
    /// [`COMPLETION_TABLES_MAX`].
    ///
    /// # Errors
    /// The connection fails.
    pub fn load(client: &mut Client) -> Result<Self> {
        let tables = client.tables()?;
        let mut names: Vec<String> = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            names.push(quoted(&table.schema).into_owned());
            names.push(quoted(&table.name).into_owned());
            if index < COMPLETION_TABLES_MAX {
                // A table may have been dropped since the list was made.
                let columns = client.schema(table).map(|table| table.columns).unwrap_or_default();
                names.extend(columns.iter().map(|column| quoted(&column.name).into_owned()));
            }
        }
        Ok(Self::of(names.into_iter()))
    }

    fn of(names: impl Iterator<Item = String>) -> Self {
        let mut words: Vec<_> = names.chain(KEYWORDS.split_whitespace().map(str::to_owned)).collect();
        words.sort();
        words.dedup();
        Self { words }
    }

    /// Where the word before the cursor begins, and what it can become.
    pub fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = line.get(..cursor).unwrap_or(line);
        if before.starts_with('\\') && !before.contains(' ') {
            let commands = COMMANDS.iter().filter(|command| command.starts_with(before));
            return (0, commands.map(|&command| command.to_owned()).collect());
        }
        let start = before
            .char_indices()
            .rev()
            .find(|(_, c)| !c.is_alphanumeric() && !matches!(c, '_' | '$'))
            .map_or(0, |(at, c)| if c == '"' { at } else { at + c.len_utf8() });
        let typed = before.get(start..).unwrap_or_default();
        if typed.is_empty() {
            return (cursor, Vec::new());
        }
        let lower = typed.chars().any(char::is_lowercase);
        let matching = self.words.iter().filter(|word| starts_with_ignoring_case(word, typed));
        // What stands in quotes has its own case; the rest may follow that of the beginning.
        let shown = |word: &String| if lower && !word.starts_with('"') { word.to_lowercase() } else { word.clone() };
        (start, matching.map(shown).collect())
    }
}

fn starts_with_ignoring_case(word: &str, beginning: &str) -> bool {
    let mut word = word.chars().flat_map(char::to_lowercase);
    beginning.chars().flat_map(char::to_lowercase).all(|c| word.next() == Some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_the_case_of_their_beginning() {
        let words = Words::of(["CITY", "\"City x\"", "SELECTED"].map(String::from).into_iter());
        let complete = |line: &str| words.complete(line, line.len());
        assert_eq!(complete("sel"), (0, vec!["select".into(), "selected".into()]));
        assert_eq!(complete("SELECT * FROM CI"), (14, vec!["CITY".into()]));
        assert_eq!(complete("select (ci"), (8, vec!["city".into()]));
        assert_eq!(complete("a.\"ci"), (2, vec!["\"City x\"".into()]));
        assert_eq!(complete("select "), (7, vec![]));
        assert_eq!(complete("\\ti"), (0, vec!["\\timing".into()]));
        assert_eq!(complete("\\d ci"), (3, vec!["city".into()]));
        assert_eq!(complete("é"), (0, vec![]));
        assert_eq!(words.complete("sel x", 3).0, 0);
    }
}
