//! What a change reads, as a query.
//!
//! The columns of the query are, in this order: the key of the row that is changed (UPDATE, DELETE, MERGE), the values
//! for the columns that are set, and for MERGE the values for the columns that are inserted. [`Target`] says what they
//! are for.

use super::normal::{Names, quoted};
use super::parse::Parsed;
use super::row::{self, Told};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Catalog, Table};
use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr, FromTable, Ident, Insert, Join, JoinConstraint, JoinOperator, Merge,
    MergeAction, MergeClauseKind, MergeInsertKind, ObjectName, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, TableObject, TableWithJoins, UpdateTableFromKind, Value, ValueWithSpan,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::sync::Arc;

/// What the rows of a change's query are for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The table that is changed.
    pub table: Arc<Table>,
    /// What is done to it.
    pub source: Source,
}

/// What a row of the query means. Columns are positions in the table's newest schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A new row: values for these columns. `defaults` are the places of VALUES that say DEFAULT: row and column of the query.
    Insert {
        /// The columns.
        columns: Vec<usize>,
        /// The places.
        defaults: Vec<(usize, usize)>,
    },
    /// A key, then new values for these columns.
    Update(Vec<usize>),
    /// A key.
    Delete,
    /// A key that may be null, then values for `update`, then values for `insert`; none of one if it says nothing.
    Merge {
        /// Columns set in a row that is there.
        update: Option<Vec<usize>>,
        /// Columns of a new row.
        insert: Option<Vec<usize>>,
    },
}

/// The query of a change, and what its rows are for. `None`: the statement is a query itself.
///
/// # Errors
/// `SqlValidation`; `SqlConstraint` for a value that the text tells to be null where none may be.
pub(super) fn change(parsed: &Parsed, catalog: &Catalog, schema: &str) -> Result<Option<(Parsed, Target)>> {
    let (query, target) = match &parsed.statement {
        Statement::Insert(insert) => insert_query(insert, catalog, schema)?,
        Statement::Update(update) => {
            let name = table_name(&update.table.relation)?;
            let table = find(catalog, schema, name)?;
            let (columns, values) = assignments(&update.assignments, &table, true)?;
            let mut from = vec![update.table.clone()];
            if let Some(UpdateTableFromKind::BeforeSet(more) | UpdateTableFromKind::AfterSet(more)) = &update.from {
                from.extend(more.iter().cloned());
            }
            let items = keys(&table, &update.table.relation).chain(values);
            let query = select(items, from, update.selection.clone())?;
            (query, Target { table, source: Source::Update(columns) })
        }
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            let [from] = from.as_slice() else { return Err(unknown("DELETE of several tables")) };
            let table = find(catalog, schema, table_name(&from.relation)?)?;
            let query = select(keys(&table, &from.relation), vec![from.clone()], delete.selection.clone())?;
            (query, Target { table, source: Source::Delete })
        }
        Statement::Merge(merge) => merge_query(merge, catalog, schema)?,
        _ => return Ok(None),
    };
    let statement = Statement::Query(Box::new(query));
    Ok(Some((Parsed { statement, parameters: parsed.parameters, names: Names::default() }, target)))
}

fn insert_query(insert: &Insert, catalog: &Catalog, schema: &str) -> Result<(Query, Target)> {
    let TableObject::TableName(name) = &insert.table else { return Err(invalid("INSERT takes a table's name")) };
    let table = find(catalog, schema, name)?;
    let columns = columns(&insert.columns, &table)?;
    let Some(source) = &insert.source else { return Err(invalid("INSERT needs VALUES or a query")) };
    let mut query = (**source).clone();
    let mut defaults = Vec::new();
    if let SetExpr::Values(values) = &mut *query.body {
        for (row, list) in values.rows.iter_mut().enumerate() {
            if list.content.len() != columns.len() {
                return Err(invalid(format!(
                    "Number of INSERT target columns ({}) does not equal number of source items ({})",
                    columns.len(),
                    list.content.len()
                )));
            }
            row::check_told(table.newest(), &columns, list.content.iter().map(told))?;
            for (column, value) in list.content.iter_mut().enumerate() {
                if is_default(value) {
                    defaults.push((row, column));
                    *value = Expr::Value(ValueWithSpan::from(Value::Null));
                }
            }
        }
    } else {
        row::check_told(table.newest(), &columns, std::iter::empty())?;
    }
    if let Some(count) = width(&query.body)
        && count != columns.len()
    {
        return Err(invalid(format!(
            "Number of INSERT target columns ({}) does not equal number of source items ({count})",
            columns.len()
        )));
    }
    Ok((query, Target { table, source: Source::Insert { columns, defaults } }))
}

/// How many columns a query has, where its select list says so.
fn width(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let plain =
                |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(plain).then_some(select.projection.len())
        }
        SetExpr::SetOperation { left, .. } => width(left),
        SetExpr::Query(query) => width(&query.body),
        _ => None,
    }
}

fn merge_query(merge: &Merge, catalog: &Catalog, schema: &str) -> Result<(Query, Target)> {
    let table = find(catalog, schema, table_name(&merge.table)?)?;
    let (mut update, mut insert) = (None, None);
    let mut items: Vec<SelectItem> = keys(&table, &merge.table).collect();
    let mut inserted = Vec::new();
    for clause in &merge.clauses {
        if clause.predicate.is_some() {
            return Err(unknown("MERGE with a condition after MATCHED"));
        }
        match (&clause.clause_kind, &clause.action) {
            (MergeClauseKind::Matched, MergeAction::Update(set)) if update.is_none() => {
                let (columns, values) = assignments(&set.assignments, &table, false)?;
                items.extend(values);
                update = Some(columns);
            }
            (MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget, MergeAction::Insert(new))
                if insert.is_none() =>
            {
                let MergeInsertKind::Values(values) = &new.kind else { return Err(invalid("MERGE inserts VALUES")) };
                let columns = columns(&new.columns, &table)?;
                let [row] = values.rows.as_slice() else { return Err(invalid("MERGE inserts one row")) };
                if row.content.len() != columns.len() {
                    return Err(invalid("Number of INSERT target columns does not equal number of source items"));
                }
                row::check_told(table.newest(), &columns, row.content.iter().map(told))?;
                inserted = row.content.iter().cloned().enumerate().map(|(i, value)| item("i", i, value)).collect();
                insert = Some(columns);
            }
            _ => {
                return Err(unknown("MERGE but for one UPDATE of what is MATCHED and one INSERT of what is not"));
            }
        }
    }
    items.extend(inserted);
    let constraint = JoinConstraint::On((*merge.on).clone());
    let join =
        Join { relation: merge.table.clone(), global: false, join_operator: JoinOperator::LeftOuter(constraint) };
    let from = TableWithJoins { relation: merge.source.clone(), joins: vec![join] };
    let query = select(items, vec![from], None)?;
    Ok((query, Target { table, source: Source::Merge { update, insert } }))
}

/// The key columns of the target, named so that nothing else is.
fn keys(table: &Table, relation: &TableFactor) -> impl Iterator<Item = SelectItem> {
    let qualifier = match relation {
        TableFactor::Table { alias: Some(alias), .. } => vec![alias.name.clone()],
        TableFactor::Table { name, .. } => name.0.iter().filter_map(|part| part.as_ident().cloned()).collect(),
        _ => Vec::new(),
    };
    let schema = Arc::clone(table.newest());
    let keys: Vec<usize> = schema.key.clone();
    keys.into_iter().enumerate().filter_map(move |(place, column)| {
        let name = quoted(&schema.columns.get(column)?.name);
        let path: Vec<Ident> = qualifier.iter().cloned().chain([name]).collect();
        Some(item("k", place, Expr::CompoundIdentifier(path)))
    })
}

fn item(kind: &str, place: usize, expr: Expr) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: quoted(&format!("{kind}\u{1f}{place}")) }
}

fn assignments(list: &[Assignment], table: &Table, defaults: bool) -> Result<(Vec<usize>, Vec<SelectItem>)> {
    let mut columns: Vec<usize> = Vec::new();
    let mut values = Vec::new();
    for (place, assignment) in list.iter().enumerate() {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unknown("An assignment to several columns"));
        };
        let column = column(name, table)?;
        if columns.contains(&column) {
            return Err(invalid(format!("Target column '{}' is assigned more than once", last(name))));
        }
        let found = table.newest().columns.get(column);
        if let Some(key) = found.filter(|c| c.key.is_some()) {
            return Err(invalid(format!(
                "Cannot update field \"{}\". Primary key columns are not modifiable",
                key.name
            )));
        }
        let value = match is_default(&assignment.value) {
            true if defaults => {
                let constant = found.map(|c| c.default_value()).transpose()?;
                constant_expr(constant.as_ref())?
            }
            _ => assignment.value.clone(),
        };
        columns.push(column);
        values.push(item("v", place, value));
    }
    Ok((columns, values))
}

/// A constant default as an expression.
fn constant_expr(value: Option<&crate::value::Value<'_>>) -> Result<Expr> {
    use crate::value::Value as V;
    let literal = match value {
        None | Some(V::Null) => Value::Null,
        Some(V::Str(text)) => Value::SingleQuotedString(text.to_string()),
        Some(V::Bool(v)) => Value::Boolean(*v),
        Some(V::Int(v)) => Value::Number(v.to_string(), true),
        Some(V::Decimal(v)) => Value::Number(v.to_string(), true),
        Some(other) => {
            return Err(invalid(format!("DEFAULT of type {} is not supported in UPDATE", other.type_name())));
        }
    };
    Ok(Expr::Value(ValueWithSpan::from(literal)))
}

fn columns(names: &[ObjectName], table: &Table) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..table.newest().columns.len()).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = column(name, table)?;
        if columns.contains(&column) {
            return Err(invalid(format!("Target column '{}' is assigned more than once", last(name))));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column(name: &ObjectName, table: &Table) -> Result<usize> {
    let name = last(name);
    table.newest().position(&name).ok_or_else(|| invalid(format!("Unknown target column '{name}'")))
}

fn last(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone()).unwrap_or_default()
}

pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(Ident { value, quote_style: None, .. }) if value == "DEFAULT")
}

fn told(expr: &Expr) -> Told {
    match expr {
        Expr::Nested(inner) => told(inner),
        Expr::Value(ValueWithSpan { value: Value::Null, .. }) => Told::Null,
        expr if is_default(expr) => Told::Default,
        _ => Told::Something,
    }
}

fn table_name(relation: &TableFactor) -> Result<&ObjectName> {
    match relation {
        TableFactor::Table { name, .. } => Ok(name),
        _ => Err(invalid("Only a table can be changed")),
    }
}

fn find(catalog: &Catalog, default: &str, name: &ObjectName) -> Result<Arc<Table>> {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect();
    let table = match parts.as_slice() {
        [table] => catalog.table_by_name(default, table),
        [schema, table] => catalog.table_by_name(schema, table),
        _ => None,
    };
    table.cloned().ok_or_else(|| invalid(format!("Object '{}' not found", last(name))))
}

fn select(
    items: impl IntoIterator<Item = SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> Result<Query> {
    let mut query = empty_query()?;
    if let SetExpr::Select(select) = &mut *query.body {
        **select = Select { projection: items.into_iter().collect(), from, selection, ..(**select).clone() };
    }
    Ok(query)
}

/// A query to fill: the tree has more fields than anybody should have to name.
fn empty_query() -> Result<Query> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql("SELECT 1").and_then(|mut parser| parser.parse_query());
    parsed.map(|query| *query).map_err(|e| Error::new(Kind::Internal, e.to_string()))
}

/// What is no SQL to Ignite.
fn unknown(what: &str) -> Error {
    Error::new(Kind::SqlParse, format!("Failed to parse query: {what} is not supported here"))
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}
