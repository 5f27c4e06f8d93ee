//! What is a constant of a statement although its text does not hold it.

use sqlparser::ast::{
    Expr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Statement, Value, visit_expressions_mut,
};
use std::ops::ControlFlow;

/// The user of a server whose clients need not say who they are, as Ignite 3.1.0 has it.
pub(super) const NOBODY: &str = "unknown";

/// Puts the user's name in the place of CURRENT_USER.
pub(super) fn name_user(statement: &mut Statement, user: &str) {
    let _ = visit_expressions_mut(statement, |expr| {
        if is_current_user(expr) {
            *expr = Expr::value(Value::SingleQuotedString(user.to_owned()));
        }
        ControlFlow::<()>::Continue(())
    });
}

fn is_current_user(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => name,
        Expr::Function(function) => match (&function.name, &function.args) {
            (ObjectName(parts), FunctionArguments::None) => match &**parts {
                [ObjectNamePart::Identifier(name)] => name,
                _ => return false,
            },
            _ => return false,
        },
        _ => return false,
    };
    matches!(name, Ident { value, quote_style: None, .. } if value == "CURRENT_USER")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn the_user_is_a_text() {
        let sql = "SELECT CURRENT_USER, \"CURRENT_USER\", T.CURRENT_USER FROM T WHERE A = CURRENT_USER";
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        name_user(&mut statements[0], "o'neil");
        let told = "SELECT 'o''neil', \"CURRENT_USER\", T.CURRENT_USER FROM T WHERE A = 'o''neil'";
        assert_eq!(statements[0].to_string(), told);
    }
}
