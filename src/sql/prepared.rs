//! Statements that are parsed once for all their runs.

use super::activity;
use super::keyed::{self, Keyed};
use super::parse::{self, Parsed};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{self, Class, Statement};
use crate::store::catalog::Catalog;
use crate::value::ColumnType;
use parking_lot::Mutex;
use sqlparser::tokenizer::TokenWithSpan;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Texts that are kept; beyond, all are forgotten and those still used are parsed again.
const TEXTS_MAX: usize = 256;
/// Bytes of a text that is kept. A parsed statement takes some fifty times its text.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of all texts that are kept.
const TEXTS_BYTES_MAX: usize = 256 << 10;

/// A statement and what is known of it so far.
#[derive(Debug)]
pub struct Prepared {
    statement: Statement,
    parsed: OnceLock<Result<Arc<Parsed>>>,
    text: OnceLock<Arc<str>>,
    shown: OnceLock<Arc<str>>,
    // Held for one look.
    keyed: Mutex<Option<KeyedIn>>,
}

/// What a statement is to a catalog, if it names whole keys.
#[derive(Debug)]
struct KeyedIn {
    catalog: u64,
    schema: String,
    keyed: Option<Arc<Keyed>>,
}

impl Prepared {
    /// Of a statement that is told apart from others.
    pub fn new(statement: Statement) -> Self {
        Self {
            statement,
            parsed: OnceLock::new(),
            text: OnceLock::new(),
            shown: OnceLock::new(),
            keyed: Mutex::default(),
        }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Its tree, if it reads or writes rows.
    ///
    /// # Errors
    /// `SqlParse`, `SqlValidation`.
    pub(super) fn parsed(&self) -> Result<&Arc<Parsed>> {
        self.parsed.get_or_init(|| parse::parse(self.tokens()).map(Arc::new)).as_ref().map_err(Error::clone)
    }

    /// The types that its parameters stand for, where its text tells.
    pub fn parameter_types(&self, catalog: &Catalog, schema: &str) -> Vec<Option<ColumnType>> {
        let mut types = self.parsed().map_or_else(|_| Vec::new(), |parsed| super::infer(parsed, catalog, schema));
        types.resize(self.statement.parameters(), None);
        types
    }

    /// Whether the types of a query's parameters can be found out without their values.
    ///
    /// # Errors
    /// `SqlValidation`.
    pub(super) fn check_parameters(&self, catalog: &Catalog, schema: &str) -> Result<()> {
        super::check_inferred(self.parsed()?, &self.parameter_types(catalog, schema))
    }

    /// What its plan is kept by: its tokens, whatever stood between them.
    pub(super) fn plan_text(&self) -> &Arc<str> {
        self.text.get_or_init(|| {
            let mut text = String::new();
            for token in self.tokens() {
                // A token's text tells its kind, since names and literals keep their quotes; but not where it ends, since
                // quotes inside are not doubled: `'a'' , ''b'` would be `'a' , 'b'`.
                let token = token.token.to_string();
                text.push_str(&token.len().to_string());
                text.push(':');
                text.push_str(&token);
            }
            text.into()
        })
    }

    /// Its text, for people.
    pub(super) fn shown(&self) -> &Arc<str> {
        self.shown.get_or_init(|| activity::shown(self.tokens()))
    }

    /// What it does, if it names whole keys. `schema` is that of unqualified names.
    pub(super) fn keyed(&self, catalog: &Catalog, schema: &str) -> Option<Arc<Keyed>> {
        let mut known = self.keyed.lock();
        if let Some(known) = known.as_ref()
            && known.catalog == catalog.edition()
            && known.schema == schema
        {
            return known.keyed.clone();
        }
        let keyed = keyed::statement(self.tokens(), catalog, schema).map(Arc::new);
        *known = Some(KeyedIn { catalog: catalog.edition(), schema: schema.to_owned(), keyed: keyed.clone() });
        keyed
    }

    fn tokens(&self) -> &[TokenWithSpan] {
        match &self.statement {
            Statement::Other { class: Class::Query | Class::Dml, tokens, .. } => tokens,
            _ => &[],
        }
    }
}

/// The statements of texts that came lately.
#[derive(Debug, Default)]
pub struct Texts {
    // Held for one look or one insertion.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    statements: HashMap<Box<str>, Arc<Prepared>>,
    bytes: usize,
}

impl Texts {
    /// The only statement of a text.
    ///
    /// # Errors
    /// `SqlParse`; `SqlValidation` for several.
    pub fn statement(&self, text: &str) -> Result<Arc<Prepared>> {
        let mut statements = self.statements(text)?;
        match (statements.pop(), statements.len()) {
            (Some(statement), 0) => Ok(statement),
            (None, _) => Err(Error::new(Kind::SqlParse, "Failed to parse query: Not a statement")),
            _ => Err(Error::new(Kind::SqlValidation, "Multiple statements are not allowed.")),
        }
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// `SqlParse`.
    pub fn statements(&self, text: &str) -> Result<Vec<Arc<Prepared>>> {
        if let Some(prepared) = self.kept.lock().statements.get(text) {
            return Ok(vec![Arc::clone(prepared)]);
        }
        let statements = script(text)?;
        if let [prepared] = statements.as_slice()
            && text.len() <= TEXT_BYTES_MAX
            && matches!(prepared.statement.class(), Class::Query | Class::Dml)
        {
            let mut kept = self.kept.lock();
            if kept.statements.len() >= TEXTS_MAX || kept.bytes + text.len() > TEXTS_BYTES_MAX {
                *kept = Kept::default();
            }
            kept.bytes += text.len();
            kept.statements.insert(text.into(), Arc::clone(prepared));
        }
        Ok(statements)
    }
}

/// The statements of a text that is run once.
///
/// # Errors
/// `SqlParse`.
pub fn script(text: &str) -> Result<Vec<Arc<Prepared>>> {
    Ok(ddl::parse_script(text)?.into_iter().map(Prepared::new).map(Arc::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_not_kept_forever() {
        let texts = Texts::default();
        let first = texts.statement("SELECT 1").unwrap();
        assert!(Arc::ptr_eq(&first, &texts.statement("SELECT 1").unwrap()));
        for i in 0..TEXTS_MAX {
            texts.statement(&format!("SELECT 1, {i}")).unwrap();
        }
        assert!(!Arc::ptr_eq(&first, &texts.statement("SELECT 1").unwrap()));
        let long = format!("SELECT '{}'", "x".repeat(TEXT_BYTES_MAX));
        let once = texts.statement(&long).unwrap();
        assert!(!Arc::ptr_eq(&once, &texts.statement(&long).unwrap()));
        assert!(texts.kept.lock().bytes < 100);
    }

    #[test]
    fn a_plan_is_kept_by_the_tokens_whatever_stands_between_and_inside_them() {
        let key = |text: &str| Arc::clone(script(text).unwrap().remove(0).plan_text());
        assert_eq!(key("SELECT 1,\n  'a' -- why"), key("SELECT 1 , 'a'"));
        for (a, b) in [
            ("SELECT 'a'' , ''b'", "SELECT 'a' , 'b'"),
            ("SELECT \"a\"\" , \"\"b\"", "SELECT \"a\" , \"b\""),
            ("SELECT \"A\"", "SELECT A"),
            ("SELECT '1'", "SELECT 1"),
            ("SELECT A B", "SELECT AB"),
        ] {
            assert_ne!(key(a), key(b), "{a}");
        }
    }

    #[test]
    fn a_text_has_one_statement() {
        let texts = Texts::default();
        assert_eq!(texts.statement("").unwrap_err().kind, Kind::SqlParse);
        assert_eq!(texts.statement("COMMIT; COMMIT").unwrap_err().message, "Multiple statements are not allowed.");
        assert_eq!(texts.statements("COMMIT; COMMIT;").unwrap().len(), 2);
        assert_eq!(texts.statement(" ;").unwrap_err().kind, Kind::SqlParse);
    }
}
