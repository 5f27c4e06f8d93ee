//! What needs the columns of relations before a statement can be planned: `*`, USING and NATURAL, and the ALL of EXCEPT
//! and INTERSECT.
//!
//! Observed on Ignite 3.1.0: a column that a join merges comes first, and is the one of both sides that is there; a column
//! that `*` stands for gets a number behind its name if the list has one of that name already. What is not known here, as
//! the columns of a table function, is left to the planner.

use super::views::View;
use crate::error::{Error, Kind, Result};
use crate::sql::calls::{call, parsed};
use crate::sql::metadata::SYSTEM;
use crate::sql::normal::{Names, quoted};
use crate::store::catalog::{Catalog, Table};
use datafusion::catalog::TableProvider;
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, OrderBy, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Statement, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Names of columns, where they are known.
type Columns = Option<Vec<String>>;
/// The names and columns of the WITH clauses around, the innermost last.
type Ctes = Vec<(String, Columns)>;

/// What was found out about a statement.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The tables it names, by the names it gives them.
    pub tables: HashMap<String, Arc<Table>>,
    /// Whether one of its joins merges columns: then none is said to come from a table.
    pub merges: bool,
}

/// Prepares a statement to be planned.
///
/// # Errors
/// `SqlValidation`.
pub fn resolve(statement: &mut Statement, catalog: &Catalog, schema: &str, names: &mut Names) -> Result<Resolved> {
    let mut resolver = Resolver { catalog, schema, names, found: Resolved::default(), unnamed: 0 };
    if let Statement::Query(query) = statement {
        resolver.query(query, &mut Vec::new())?;
    }
    Ok(resolver.found)
}

struct Resolver<'a> {
    catalog: &'a Catalog,
    schema: &'a str,
    names: &'a mut Names,
    found: Resolved,
    /// Subqueries without a name so far.
    unnamed: usize,
}

/// One side of a join, or all of it.
#[derive(Default)]
struct Side {
    /// What `*` stands for.
    columns: Option<Vec<(String, Expr)>>,
    /// Its relations, with what `name.*` stands for.
    parts: Vec<(Ident, Vec<Ident>, Columns)>,
    /// Columns that are not simply those of the left side, and so have to be told wherever they are named.
    merged: Vec<(String, Expr)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outer {
    None,
    Right,
    Full,
}

impl Resolver<'_> {
    fn query(&mut self, query: &mut Query, ctes: &mut Ctes) -> Result<Columns> {
        let outside = ctes.len();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = cte.alias.name.value.clone();
                if with.recursive {
                    ctes.push((name.clone(), renamed(None, Some(&cte.alias))));
                }
                let columns = self.query(&mut cte.query, ctes)?;
                ctes.push((name, renamed(columns, Some(&cte.alias))));
            }
        }
        let columns = match &mut *query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_mut(), ctes),
            body => self.body(body, ctes),
        };
        ctes.truncate(outside);
        columns
    }

    fn body(&mut self, body: &mut SetExpr, ctes: &mut Ctes) -> Result<Columns> {
        match body {
            SetExpr::Select(select) => self.select(select, None, ctes),
            SetExpr::Query(query) => self.query(query, ctes),
            SetExpr::Values(values) => {
                let count = values.rows.first().map_or(0, |row| row.content.len());
                self.subqueries(&mut values.rows, ctes)?;
                Ok(Some((0..count).map(|place| format!("EXPR${place}")).collect()))
            }
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let columns = self.body(left, ctes)?;
                self.body(right, ctes)?;
                if *set_quantifier == SetQuantifier::All && *op != SetOperator::Union {
                    let told = match &columns {
                        Some(columns) => counted(*op, left, right, columns),
                        None => None,
                    };
                    *body = told.ok_or_else(|| invalid(format!("{op} ALL is not supported here")))?;
                }
                Ok(columns)
            }
            _ => Ok(None),
        }
    }

    fn select(&mut self, select: &mut Select, order: Option<&mut OrderBy>, ctes: &mut Ctes) -> Result<Columns> {
        let mut sides = Vec::with_capacity(select.from.len());
        for from in &mut select.from {
            sides.push(self.joined(from, ctes)?);
        }
        let shown = self.list(&mut select.projection, &sides)?;
        let merged: Vec<_> = sides.into_iter().flat_map(|side| side.merged).collect();
        if !merged.is_empty() {
            tell(select, &merged);
        }
        self.subqueries(&mut select.projection, ctes)?;
        self.subqueries(&mut select.selection, ctes)?;
        self.subqueries(&mut select.group_by, ctes)?;
        self.subqueries(&mut select.having, ctes)?;
        if let Some(OrderBy { kind: OrderByKind::Expressions(list), .. }) = order {
            for item in list {
                let is_shown = |name: &str| shown.as_ref().is_some_and(|shown| shown.iter().any(|s| s == name));
                if !matches!(&item.expr, Expr::Identifier(name) if is_shown(&name.value)) {
                    replace(&mut item.expr, &merged);
                }
                self.subqueries(&mut item.expr, ctes)?;
            }
        }
        Ok(shown)
    }

    /// Prepares the subqueries of expressions.
    fn subqueries(&mut self, within: &mut impl VisitMut, ctes: &mut Ctes) -> Result<()> {
        let mut visitor = Subqueries { resolver: self, ctes, depth: 0 };
        match within.visit(&mut visitor) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    fn joined(&mut self, from: &mut TableWithJoins, ctes: &mut Ctes) -> Result<Side> {
        let mut all = self.relation(&mut from.relation, ctes)?;
        for join in &mut from.joins {
            let right = self.relation(&mut join.relation, ctes)?;
            self.found.merges |= matches!(
                constraint(&mut join.join_operator),
                Some((_, JoinConstraint::Using(_) | JoinConstraint::Natural))
            );
            all = join_sides(all, right, &mut join.join_operator)?;
            if let Some(JoinConstraint::On(on)) = constraint(&mut join.join_operator).map(|(_, on)| on) {
                self.subqueries(on, ctes)?;
            }
        }
        Ok(all)
    }

    fn relation(&mut self, relation: &mut TableFactor, ctes: &mut Ctes) -> Result<Side> {
        match relation {
            TableFactor::Table { name, alias, args: None, .. } => {
                let columns = renamed(self.columns_of(name, alias.as_ref(), ctes), alias.as_ref());
                let path = match alias {
                    Some(alias) => vec![alias.name.clone()],
                    None => name.0.iter().filter_map(|part| part.as_ident().cloned()).collect(),
                };
                Ok(side(path, columns))
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery, ctes)?;
                if matches!(*subquery.body, SetExpr::Values(_))
                    && let Some(columns) = &columns
                {
                    let alias = alias.get_or_insert_with(|| named("VALUES"));
                    if alias.columns.is_empty() {
                        let column = |name: &String| TableAliasColumnDef { name: quoted(name), data_type: None };
                        alias.columns = columns.iter().map(column).collect();
                    }
                }
                // Its columns are its own, whether it has a name or not.
                let unnamed = format!("\u{1f}{}", self.unnamed);
                self.unnamed += 1;
                let alias = alias.get_or_insert_with(|| named(&unnamed));
                Ok(side(vec![alias.name.clone()], renamed(columns, Some(alias))))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins, ctes),
            _ => Ok(Side::default()),
        }
    }

    fn columns_of(&mut self, name: &ObjectName, alias: Option<&TableAlias>, ctes: &Ctes) -> Columns {
        let path: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident()).map(|part| &*part.value).collect();
        let (schema, table) = match path.as_slice() {
            [name] => match ctes.iter().rev().find(|(cte, _)| cte == name) {
                Some((_, columns)) => return columns.clone(),
                None => (self.schema, *name),
            },
            [schema, name] => (*schema, *name),
            _ => return None,
        };
        if schema == SYSTEM
            && let Some(view) = View::find(table)
        {
            return Some(view.schema().fields().iter().map(|field| field.name().clone()).collect());
        }
        let found = self.catalog.table_by_name(schema, table)?;
        let shown = alias.map_or(table, |alias| &alias.name.value);
        self.found.tables.insert(shown.to_owned(), Arc::clone(found));
        Some(found.newest().columns.iter().map(|column| column.name.to_string()).collect())
    }

    /// Puts columns in the place of `*`; the names that the list shows, if all are known.
    fn list(&mut self, items: &mut Vec<SelectItem>, sides: &[Side]) -> Result<Columns> {
        let relations: usize = sides.iter().map(|side| side.parts.len()).sum();
        let simple = items.len() == 1 && relations <= 1;
        let mut shown: Vec<String> = Vec::new();
        let mut list = Vec::with_capacity(items.len());
        for item in items.iter() {
            let columns = match item {
                SelectItem::Wildcard(options) if *options == WildcardAdditionalOptions::default() => {
                    let columns: Option<Vec<_>> = sides.iter().map(|side| side.columns.as_ref()).collect();
                    columns.map(|columns| columns.into_iter().flatten().cloned().collect())
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if *options == WildcardAdditionalOptions::default() =>
                {
                    of_part(name, sides)
                }
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    list.push(self.explicit(item, &name.value, &mut shown));
                    continue;
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => {
                    let name = path.last().map(|name| name.value.clone()).unwrap_or_default();
                    list.push(self.explicit(item, &name, &mut shown));
                    continue;
                }
                SelectItem::ExprWithAlias { alias, .. } => {
                    let name = self.names.shown(&alias.value).to_owned();
                    list.push(self.explicit(item, &name, &mut shown));
                    continue;
                }
                _ => None,
            };
            let Some(columns) = columns else { return Ok(None) };
            for (place, (name, expr)) in columns.iter().enumerate() {
                if simple && columns.iter().take(place).any(|(earlier, _)| earlier == name) {
                    return Err(invalid(format!("Column '{name}' is ambiguous")));
                }
                list.push(star(name, expr, &mut shown));
            }
        }
        if !simple || sides.iter().any(|side| !side.merged.is_empty()) {
            *items = list;
        }
        Ok(Some(shown))
    }

    /// A column that the list names itself keeps its name, whatever comes before it.
    fn explicit(&mut self, item: &SelectItem, name: &str, shown: &mut Vec<String>) -> SelectItem {
        let taken = shown.iter().any(|other| other == name);
        shown.push(name.to_owned());
        match item {
            SelectItem::UnnamedExpr(expr) if taken => {
                SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&self.names.again(name)) }
            }
            SelectItem::ExprWithAlias { expr, alias } if taken && alias.value == name => {
                SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&self.names.again(name)) }
            }
            other => other.clone(),
        }
    }
}

fn named(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: quoted(name), columns: Vec::new(), at: None }
}

/// A column that `*` stands for.
fn star(name: &str, expr: &Expr, shown: &mut Vec<String>) -> SelectItem {
    let taken = |name: &str, shown: &[String]| shown.iter().any(|other| other == name);
    let mut unique = name.to_owned();
    let mut number = 0;
    while taken(&unique, shown) {
        unique = format!("{name}{number}");
        number += 1;
    }
    shown.push(unique.clone());
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) if unique == name => SelectItem::UnnamedExpr(expr.clone()),
        _ => SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&unique) },
    }
}

/// What `name.*` stands for.
fn of_part(name: &ObjectName, sides: &[Side]) -> Option<Vec<(String, Expr)>> {
    let last = name.0.last()?.as_ident()?;
    let mut parts = sides.iter().flat_map(|side| &side.parts).filter(|(part, ..)| part.value == last.value);
    let (_, path, columns) = parts.next()?;
    Some(columns.as_ref()?.iter().map(|column| (column.clone(), column_of(path, column))).collect())
}

fn column_of(path: &[Ident], column: &str) -> Expr {
    match path {
        [] => Expr::Identifier(quoted(column)),
        path => Expr::CompoundIdentifier(path.iter().cloned().chain([quoted(column)]).collect()),
    }
}

fn side(path: Vec<Ident>, columns: Columns) -> Side {
    let all = columns.as_ref().map(|columns| columns.iter().map(|c| (c.clone(), column_of(&path, c))).collect());
    let name = path.last().cloned().unwrap_or_else(|| quoted(""));
    Side { columns: all, parts: vec![(name, path, columns)], merged: Vec::new() }
}

/// The columns as an alias names them.
fn renamed(columns: Columns, alias: Option<&TableAlias>) -> Columns {
    match alias {
        Some(alias) if !alias.columns.is_empty() => {
            Some(alias.columns.iter().map(|column| column.name.value.clone()).collect())
        }
        _ => columns,
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<(Outer, &mut JoinConstraint)> {
    use JoinOperator as J;
    match operator {
        J::Join(on) | J::Inner(on) | J::Left(on) | J::LeftOuter(on) | J::CrossJoin(on) => Some((Outer::None, on)),
        J::Right(on) | J::RightOuter(on) => Some((Outer::Right, on)),
        J::FullOuter(on) => Some((Outer::Full, on)),
        _ => None,
    }
}

fn join_sides(left: Side, right: Side, operator: &mut JoinOperator) -> Result<Side> {
    let Some((outer, constraint)) = constraint(operator) else { return Ok(Side::default()) };
    let parts: Vec<_> = left.parts.into_iter().chain(right.parts).collect();
    let mut merged: Vec<_> = left.merged.into_iter().chain(right.merged).collect();
    let (Some(left), Some(right)) = (left.columns, right.columns) else {
        return match constraint {
            JoinConstraint::Using(_) | JoinConstraint::Natural if outer != Outer::None || !merged.is_empty() => {
                Err(invalid("USING is not supported here"))
            }
            _ => Ok(Side { columns: None, parts, merged }),
        };
    };
    let common: Vec<String> = match constraint {
        JoinConstraint::Using(names) => {
            names.iter().filter_map(|name| Some(name.0.last()?.as_ident()?.value.clone())).collect()
        }
        JoinConstraint::Natural => left
            .iter()
            .filter(|(name, _)| right.iter().any(|(other, _)| other == name))
            .map(|(n, _)| n.clone())
            .collect(),
        _ => Vec::new(),
    };
    let mut columns = Vec::with_capacity(left.len() + right.len());
    // The planner takes a merged column for that of the left side.
    let told = outer != Outer::None || merged.iter().any(|(name, _)| common.contains(name));
    let mut on = None;
    for name in &common {
        let (l, r) = (only(&left, name)?, only(&right, name)?);
        let both = match outer {
            Outer::None => l.clone(),
            Outer::Right => r.clone(),
            Outer::Full => call("COALESCE", [l.clone(), r.clone()]),
        };
        if told {
            merged.retain(|(other, _)| other != name);
            merged.push((name.clone(), both.clone()));
            let equal = binary(l.clone(), BinaryOperator::Eq, r.clone());
            on = Some(match on {
                None => equal,
                Some(earlier) => binary(earlier, BinaryOperator::And, equal),
            });
        }
        columns.push((name.clone(), both));
    }
    if let Some(on) = on {
        *constraint = JoinConstraint::On(on);
    }
    columns.extend(left.into_iter().chain(right).filter(|(name, _)| !common.contains(name)));
    Ok(Side { columns: Some(columns), parts, merged })
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn only<'c>(columns: &'c [(String, Expr)], name: &str) -> Result<&'c Expr> {
    let mut found = columns.iter().filter(|(other, _)| other == name);
    match (found.next(), found.next()) {
        (Some((_, expr)), None) => Ok(expr),
        (None, _) => Err(invalid(format!("Column '{name}' not found in any table"))),
        _ => Err(invalid(format!("Column '{name}' is ambiguous"))),
    }
}

/// Names what joins merge wherever the query does.
fn tell(select: &mut Select, merged: &[(String, Expr)]) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = item
            && let Some((_, expr)) = merged.iter().find(|(merged, _)| *merged == name.value)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&name.value) };
        }
    }
    replace(&mut select.projection, merged);
    replace(&mut select.selection, merged);
    replace(&mut select.group_by, merged);
    replace(&mut select.having, merged);
}

fn replace(within: &mut impl VisitMut, merged: &[(String, Expr)]) {
    if !merged.is_empty() {
        let _: ControlFlow<()> = within.visit(&mut Replace { merged, depth: 0 });
    }
}

/// Puts expressions in the place of names; not in subqueries, which may mean others.
struct Replace<'m> {
    merged: &'m [(String, Expr)],
    depth: usize,
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Identifier(name) = expr
            && let Some((_, told)) = self.merged.iter().find(|(merged, _)| *merged == name.value)
        {
            *expr = told.clone();
        }
        ControlFlow::Continue(())
    }
}

struct Subqueries<'r, 'a, 'c> {
    resolver: &'r mut Resolver<'a>,
    ctes: &'c mut Ctes,
    depth: usize,
}

impl VisitorMut for Subqueries<'_, '_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        // The inner ones are seen to with the outermost.
        match self.depth {
            1 => match self.resolver.query(query, self.ctes) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// EXCEPT ALL and INTERSECT ALL: without ALL, once equal rows are numbered.
fn counted(op: SetOperator, left: &SetExpr, right: &SetExpr, columns: &[String]) -> Option<SetExpr> {
    let list = (0..columns.len()).map(|place| format!("\"C{place}\"")).collect::<Vec<_>>().join(", ");
    let shown = columns.iter().enumerate().map(|(place, name)| format!("\"C{place}\" AS {}", quoted(name)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let numbered = |side: &SetExpr| {
        format!("SELECT {list}, ROW_NUMBER() OVER (PARTITION BY {list}) AS \"N\" FROM ({side}) AS \"Q\" ({list})")
    };
    let text = format!("SELECT {shown} FROM ({} {op} {}) AS \"Q\"", numbered(left), numbered(right));
    parsed(&text, |parser| parser.parse_query()).map(|query| *query.body)
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    fn resolved(sql: &str) -> String {
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        match resolve(&mut statement, &Catalog::new(), "PUBLIC", &mut Names::default()) {
            Ok(_) => statement.to_string(),
            Err(error) => error.message.into_owned(),
        }
    }

    const A: &str = "(SELECT 1 AS X, 2 AS Y) AS A";
    const B: &str = "(SELECT 1 AS X, 3 AS Z) AS B";

    #[test]
    fn joins_merge_columns() {
        assert_eq!(
            resolved(&format!("SELECT X FROM {A} FULL JOIN {B} USING (X) ORDER BY X")),
            format!(
                "SELECT COALESCE(A.\"X\", B.\"X\") AS \"X\" FROM {A} FULL JOIN {B} ON A.\"X\" = B.\"X\" ORDER BY X"
            )
        );
        assert_eq!(
            resolved(&format!("SELECT * FROM {A} NATURAL RIGHT JOIN {B} WHERE X > 1")),
            format!("SELECT B.\"X\", A.\"Y\", B.\"Z\" FROM {A} RIGHT JOIN {B} ON A.\"X\" = B.\"X\" WHERE B.\"X\" > 1")
        );
        assert_eq!(
            resolved(&format!("SELECT * FROM {A} JOIN {B} USING (X)")),
            format!("SELECT A.\"X\", A.\"Y\", B.\"Z\" FROM {A} JOIN {B} USING(X)")
        );
        assert!(resolved(&format!("SELECT * FROM {A} FULL JOIN {B} USING (Y)")).contains("Column 'Y' not found"));
    }

    #[test]
    fn stars_are_numbered() {
        assert_eq!(
            resolved(&format!("SELECT * FROM {A}, {B}")),
            format!("SELECT A.\"X\", A.\"Y\", B.\"X\" AS \"X0\", B.\"Z\" FROM {A}, {B}")
        );
        assert_eq!(
            resolved(&format!("SELECT Y, A.* FROM {A}")),
            format!("SELECT Y, A.\"X\", A.\"Y\" AS \"Y0\" FROM {A}")
        );
        assert_eq!(resolved(&format!("SELECT * FROM {A}")), format!("SELECT * FROM {A}"));
        assert!(resolved("SELECT * FROM (SELECT 1 AS X, 2 AS X) AS A").contains("ambiguous"));
    }

    #[test]
    fn equal_rows_are_numbered() {
        let told = resolved(&format!("SELECT X FROM {A} EXCEPT ALL SELECT X FROM {B}"));
        assert!(told.contains("ROW_NUMBER() OVER (PARTITION BY \"C0\")") && told.contains(" EXCEPT SELECT"), "{told}");
    }
}
