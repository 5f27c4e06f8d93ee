//! Which types the parameters of a statement stand for, as far as its text tells: those of what they are compared with,
//! calculated with, cast to or stored into.

use super::cast::column_type;
use super::convert;
use crate::error::{Error, Kind, Result};
use crate::sql::dml::{self, Source, Target};
use crate::sql::parse::Parsed;
use crate::store::catalog::{Catalog, Table};
use crate::value::{ColumnType, UNLIMITED};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause, ObjectName, Query,
    Select, SelectItem, SetExpr, Statement, TableFactor, TypedString, UnaryOperator, Value, ValueWithSpan, Visit,
    Visitor,
};
use std::ops::ControlFlow;
use std::sync::Arc;

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

/// The types of a statement's parameters, in order; none where nothing tells.
pub fn parameters(parsed: &Parsed, catalog: &Catalog, schema: &str) -> Vec<Option<ColumnType>> {
    let mut inference = Inference { catalog, schema, scopes: Vec::new(), types: vec![None; parsed.parameters] };
    match dml::change(parsed, catalog, schema) {
        Ok(Some((query, target))) => {
            if let Statement::Query(query) = &query.statement {
                inference.stored(&query.body, &places(&target));
            }
            let _: ControlFlow<()> = query.statement.visit(&mut inference);
        }
        Ok(None) => {
            let _: ControlFlow<()> = parsed.statement.visit(&mut inference);
        }
        // What is wrong with it shows when it is run.
        Err(_) => {}
    }
    inference.types
}

/// Whether the types of all parameters of a query can be found out at all: a lone `?`, or one among others, means nothing.
///
/// # Errors
/// `SqlValidation`, in the words of a real node.
pub fn check(parsed: &Parsed, types: &[Option<ColumnType>]) -> Result<()> {
    match parsed.statement.visit(&mut Lone { types }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(
            Kind::SqlValidation,
            "Failed to validate query. Unable to determine type of a dynamic parameter. Dynamic parameter requires adding \
             explicit type cast",
        )),
    }
}

/// Looks for parameters that nothing around tells the type of.
struct Lone<'a> {
    types: &'a [Option<ColumnType>],
}

impl Lone<'_> {
    fn is_open(&self, expr: &Expr) -> bool {
        parameter(expr).is_some_and(|place| self.types.get(place).is_some_and(Option::is_none))
    }
}

impl Visitor for Lone<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let open = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.is_open(expr),
            _ => false,
        };
        if select.projection.iter().any(open) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let open = match expr {
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) => self.is_open(left) && self.is_open(right),
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                self.is_open(left) || self.is_open(right)
            }
            Expr::Function(function) => match &function.args {
                FunctionArguments::List(list) => {
                    // Other arguments may tell.
                    let told = |arg: &FunctionArg| {
                        !matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))
                        if parameter(arg).is_some() || matches!(arg, Expr::Value(_) | Expr::TypedString(_)))
                    };
                    let open = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) if self.is_open(arg));
                    list.args.iter().any(open) && !list.args.iter().any(told)
                }
                _ => false,
            },
            _ => false,
        };
        if open { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The type that each column of a change's query is stored as.
fn places(target: &Target) -> Vec<Option<ColumnType>> {
    let schema = target.table.newest();
    let keys = vec![None; schema.key.len()];
    let types = |columns: &[usize]| -> Vec<_> {
        columns.iter().map(|&column| schema.columns.get(column).map(|column| column.ty)).collect()
    };
    match &target.source {
        Source::Insert { columns, .. } => types(columns),
        Source::Update(columns) => [keys, types(columns)].concat(),
        Source::Delete => keys,
        Source::Merge { update, insert } => {
            let types = |columns: &Option<Vec<usize>>| columns.as_deref().map(types).unwrap_or_default();
            [keys, types(update), types(insert)].concat()
        }
    }
}

struct Inference<'a> {
    catalog: &'a Catalog,
    schema: &'a str,
    /// The tables of each query around the place at hand, with the names they have there.
    scopes: Vec<Vec<(String, Arc<Table>)>>,
    types: Vec<Option<ColumnType>>,
}

impl Inference<'_> {
    /// The first thing that tells a parameter's type counts.
    fn tell(&mut self, expr: &Expr, ty: Option<ColumnType>) {
        if let Some(slot) = parameter(expr).and_then(|place| self.types.get_mut(place))
            && slot.is_none()
        {
            *slot = ty;
        }
    }

    /// Two values that have to be of one kind.
    fn alike(&mut self, a: &Expr, b: &Expr) {
        if parameter(a).is_some() {
            self.tell(a, self.type_of(b));
        } else if parameter(b).is_some() {
            self.tell(b, self.type_of(a));
        }
    }

    /// Rows that are stored as these types.
    fn stored(&mut self, body: &SetExpr, types: &[Option<ColumnType>]) {
        match body {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    row.content.iter().zip(types).for_each(|(expr, ty)| self.tell(expr, *ty));
                }
            }
            SetExpr::Select(select) => {
                for (item, ty) in select.projection.iter().zip(types) {
                    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                        self.tell(expr, *ty);
                    }
                }
            }
            SetExpr::Query(query) => self.stored(&query.body, types),
            _ => {}
        }
    }

    /// The type of a value, where that is plain to see.
    fn type_of(&self, expr: &Expr) -> Option<ColumnType> {
        match expr {
            Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => self.type_of(inner),
            Expr::Identifier(name) => self.column(None, &name.value),
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [.., table, name] => self.column(Some(&table.value), &name.value),
                _ => None,
            },
            Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
                column_type(data_type).ok().flatten()
            }
            Expr::Function(function) => cast(function).map(|(_, ty)| ty),
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }) => Some(TEXT),
            Expr::Value(ValueWithSpan { value: Value::Boolean(_), .. }) => Some(ColumnType::Boolean),
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) => {
                self.type_of(left).or_else(|| self.type_of(right))
            }
            _ => None,
        }
    }

    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnType> {
        let known = self.scopes.iter().rev().flatten();
        let mut known = known.filter(|(alias, _)| table.is_none_or(|table| table == alias));
        known.find_map(|(_, table)| {
            let schema = table.newest();
            schema.position(name).and_then(|place| schema.columns.get(place)).map(|column| column.ty)
        })
    }

    fn tables(&self, body: &SetExpr, scope: &mut Vec<(String, Arc<Table>)>) {
        match body {
            SetExpr::Select(select) => {
                for from in &select.from {
                    let joined = from.joins.iter().map(|join| &join.relation);
                    for relation in std::iter::once(&from.relation).chain(joined) {
                        if let TableFactor::Table { name, alias, .. } = relation
                            && let Some(table) = self.table(name)
                        {
                            let known = alias.as_ref().map_or_else(|| table.name.to_string(), |a| a.name.value.clone());
                            scope.push((known, Arc::clone(table)));
                        }
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.tables(left, scope);
                self.tables(right, scope);
            }
            _ => {}
        }
    }

    fn table(&self, name: &ObjectName) -> Option<&Arc<Table>> {
        let mut parts = name.0.iter().rev().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str());
        let table = parts.next()?;
        self.catalog.table_by_name(parts.next().unwrap_or(self.schema), table)
    }
}

impl Visitor for Inference<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut scope = Vec::new();
        self.tables(&query.body, &mut scope);
        self.scopes.push(scope);
        let counts = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                [limit.as_ref(), offset.as_ref().map(|offset| &offset.value)]
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [Some(offset), Some(limit)],
            None => [None, None],
        };
        counts.into_iter().flatten().for_each(|count| self.tell(count, Some(ColumnType::Int64)));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.tell(left, Some(ColumnType::Boolean));
                self.tell(right, Some(ColumnType::Boolean));
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.tell(expr, Some(ColumnType::Boolean)),
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) || is_comparison(op) => self.alike(left, right),
            Expr::Between { expr, low, high, .. } => {
                self.alike(expr, low);
                self.alike(expr, high);
            }
            Expr::InList { expr, list, .. } => list.iter().for_each(|item| self.alike(expr, item)),
            Expr::Like { expr, pattern, .. } => self.alike(expr, pattern),
            Expr::Cast { expr, data_type, .. } => self.tell(expr, column_type(data_type).ok().flatten()),
            Expr::Function(function) => {
                if let Some((value, ty)) = cast(function) {
                    self.tell(value, Some(ty));
                }
            }
            Expr::Case { operand, conditions, .. } => {
                for when in conditions {
                    match operand {
                        None => self.tell(&when.condition, Some(ColumnType::Boolean)),
                        Some(operand) => self.alike(operand, &when.condition),
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Which parameter an expression is, from 0.
fn parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Nested(inner) => parameter(inner),
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
            name.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
        }
        _ => None,
    }
}

/// What a call of `cast_to` casts, and to what.
fn cast(function: &Function) -> Option<(&Expr, ColumnType)> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value)), FunctionArg::Unnamed(FunctionArgExpr::Expr(ty))] =
        list.args.as_slice()
    else {
        return None;
    };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(ty), .. }) = ty else { return None };
    match function.name.0.as_slice() {
        [name] if name.as_ident().is_some_and(|name| name.value == convert::NAME) => {
            Some((value, serde_json::from_str(ty).ok()?))
        }
        _ => None,
    }
}

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ddl;
    use crate::sql::parse;
    use crate::store::clock::ManualClock;
    use crate::store::database::Database;
    use crate::store::engine::Engine;

    fn types(catalog: &Catalog, text: &str) -> String {
        let ddl::Statement::Other { tokens, .. } = ddl::parse_script(text).unwrap().remove(0) else { panic!("{text}") };
        let types = parameters(&parse::parse(&tokens).unwrap(), catalog, "PUBLIC");
        let shown = |ty: &Option<ColumnType>| ty.map_or_else(|| "?".into(), |ty| ty.to_string());
        types.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// All but the last few observed on Ignite 3.1.0.
    #[test]
    fn what_is_around_a_parameter_tells_its_type() {
        let (clock, rng) = (Arc::new(ManualClock::default()), fastrand::Rng::with_seed(1));
        let mut engine = Engine::new(Database::new(), None, u64::MAX, crate::config::Limits::default(), clock, rng);
        let tables = "CREATE TABLE T (ID INT PRIMARY KEY, A VARCHAR(5), N DECIMAL(10, 2), TS TIMESTAMP(6), \"low\" BIGINT); \
                      CREATE TABLE U (ID INT PRIMARY KEY, B DATE)";
        ddl::run_script(&mut engine, tables).unwrap();
        for (text, expected) in [
            ("SELECT ID FROM T WHERE A = ? AND \"low\" > ? AND ? < N", "STRING(5), INT64, DECIMAL(10, 2)"),
            (
                "SELECT ID FROM T WHERE ID IN (?, ?) OR ID BETWEEN ? AND ? OR A LIKE ?",
                "INT32, INT32, INT32, INT32, STRING(5)",
            ),
            ("SELECT ID FROM T WHERE TS < ? LIMIT ? OFFSET ?", "DATETIME(6), INT64, INT64"),
            ("SELECT ID + ?, (? * 2) FROM T", "INT32, INT32"),
            ("SELECT CAST(? AS INT), CAST(? AS VARCHAR(5)), ?::DECIMAL(5, 2)", "INT32, STRING(5), DECIMAL(5, 2)"),
            ("SELECT CASE WHEN ? THEN 1 END", "BOOLEAN"),
            (
                "INSERT INTO T VALUES (?, ?, ?, ?, ?), (?, 'x', 1, NULL, ?)",
                "INT32, STRING(5), DECIMAL(10, 2), DATETIME(6), INT64, INT32, INT64",
            ),
            ("INSERT INTO T (ID, A) SELECT ID, ? FROM U WHERE B > ?", "STRING(5), DATE"),
            ("UPDATE T SET A = ?, \"low\" = ? WHERE ID = ?", "STRING(5), INT64, INT32"),
            ("DELETE FROM T WHERE ID = ?", "INT32"),
            (
                "MERGE INTO T USING U ON T.ID = U.ID WHEN MATCHED THEN UPDATE SET \"low\" = ? \
                 WHEN NOT MATCHED THEN INSERT (ID, A) VALUES (U.ID, ?)",
                "INT64, STRING(5)",
            ),
            (
                "SELECT X.ID FROM T X WHERE EXISTS (SELECT 1 FROM U Y WHERE Y.ID = X.ID AND Y.B = ? AND X.A = ?)",
                "DATE, STRING(5)",
            ),
            ("EXPLAIN SELECT ID FROM T WHERE ID = ?", "INT32"),
            // Nothing tells.
            ("SELECT ?, UPPER(?), ? + ?", "?, ?, ?, ?"),
            ("SELECT 1 FROM NO_SUCH WHERE A = ?", "?"),
            ("INSERT INTO NO_SUCH VALUES (?)", "?"),
        ] {
            assert_eq!(types(engine.catalog(), text), expected, "{text}");
        }
    }

    /// The first ones observed on Ignite 3.1.0.
    #[test]
    fn parameters_that_nothing_tells_of_are_refused() {
        let catalog = Catalog::default();
        let told = |text: &str| {
            let ddl::Statement::Other { tokens, .. } = ddl::parse_script(text).unwrap().remove(0) else {
                panic!("{text}")
            };
            let parsed = parse::parse(&tokens).unwrap();
            check(&parsed, &parameters(&parsed, &catalog, "PUBLIC"))
        };
        for text in [
            "SELECT ?",
            "SELECT ? + ?",
            "SELECT ? || 'a'",
            "SELECT UPPER(?)",
            "SELECT COALESCE(?, 1)",
            "SELECT (?) AS X",
        ] {
            assert_eq!(told(text).unwrap_err().kind, Kind::SqlValidation, "{text}");
        }
        for text in ["SELECT CAST(? AS INT)", "SELECT 1 LIMIT ?", "SELECT A FROM T WHERE MOD(A, ?) = 1"] {
            assert!(told(text).is_ok(), "{text}");
        }
    }
}
