//! Which statements a request takes.

use crate::error::{Error, Kind, Result};
use crate::op::ddl::Class;

/// The statements that a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Every one.
    Any,
    /// What answers rows.
    Rows,
    /// What answers none.
    Updates,
    /// What changes rows.
    Changes,
}

impl Takes {
    /// Refuses a statement of another class.
    ///
    /// # Errors
    /// `SqlValidation`.
    pub fn check(self, class: Class) -> Result<()> {
        let (taken, named) = match self {
            Self::Any => return Ok(()),
            Self::Rows => (class == Class::Query, "QUERY, EXPLAIN"),
            Self::Updates => (matches!(class, Class::Dml | Class::Ddl), "DML, DDL, KILL"),
            Self::Changes => (class == Class::Dml, "DML"),
        };
        if taken {
            return Ok(());
        }
        let got = match class {
            Class::Query => "QUERY",
            Class::Dml => "DML",
            Class::Ddl => "DDL",
            Class::TransactionControl => "TX_CONTROL",
        };
        let text = format!("Invalid SQL statement type. Expected [{named}] but got {got}.");
        Err(Error::new(Kind::SqlValidation, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_taken_by_class() {
        let (query, dml, ddl, control) = (Class::Query, Class::Dml, Class::Ddl, Class::TransactionControl);
        for (takes, classes) in [
            (Takes::Any, &[query, dml, ddl, control][..]),
            (Takes::Rows, &[query]),
            (Takes::Updates, &[dml, ddl]),
            (Takes::Changes, &[dml]),
        ] {
            for class in [query, dml, ddl, control] {
                assert_eq!(takes.check(class).is_ok(), classes.contains(&class), "{takes:?} {class:?}");
            }
        }
        let error = Takes::Rows.check(dml).unwrap_err();
        assert_eq!(error.message, "Invalid SQL statement type. Expected [QUERY, EXPLAIN] but got DML.");
    }
}
