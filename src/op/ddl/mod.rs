//! The SQL that makes and changes tables, schemas, zones and indexes.
//!
//! [`parse_script`] turns text into neutral [`Statement`]s, in which names are normalized already: upper-cased unless
//! they were quoted. [`run`] runs one. [`run_script`] does both, for files and fixtures.

mod cursor;
mod literal;
mod objects;
mod parse;
mod run;
mod types;

pub use literal::Literal;
pub use objects::{CreateIndex, Victim, ZoneChange, ZoneOptions};
pub use parse::parse_script;
pub use run::victim;

use crate::error::{Error, Kind, Result};
use crate::op::table::{self, NewColumn};
use crate::store::catalog::{PUBLIC, Table};
use crate::store::engine::Engine;
use crate::store::objects::Order;
use crate::value::ColumnType;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::sync::Arc;

/// One SQL statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// CREATE TABLE.
    CreateTable(CreateTable),
    /// ALTER TABLE ... ADD COLUMN.
    AddColumns {
        /// The table.
        table: TableName,
        /// Whether a missing table is no error.
        if_exists: bool,
        /// The new columns.
        columns: Vec<NewColumn>,
    },
    /// ALTER TABLE ... DROP COLUMN.
    DropColumns {
        /// The table.
        table: TableName,
        /// Whether a missing table is no error.
        if_exists: bool,
        /// The columns' names.
        columns: Vec<String>,
    },
    /// ALTER TABLE ... ALTER COLUMN.
    AlterColumn {
        /// The table.
        table: TableName,
        /// Whether a missing table is no error.
        if_exists: bool,
        /// The column.
        column: String,
        /// What is to become of it.
        change: AlterColumn,
    },
    /// CREATE SCHEMA.
    CreateSchema {
        /// Its name.
        name: String,
        /// Whether an existing one is no error.
        if_not_exists: bool,
    },
    /// DROP SCHEMA.
    DropSchema {
        /// Its name.
        name: String,
        /// Whether a missing one is no error.
        if_exists: bool,
        /// Whether its tables go too.
        cascade: bool,
    },
    /// CREATE ZONE.
    CreateZone {
        /// Its name.
        name: String,
        /// Whether an existing one is no error.
        if_not_exists: bool,
        /// What is said of it.
        options: ZoneOptions,
    },
    /// ALTER ZONE.
    AlterZone {
        /// Its name.
        name: String,
        /// Whether a missing one is no error.
        if_exists: bool,
        /// What is to become of it.
        change: ZoneChange,
    },
    /// DROP ZONE.
    DropZone {
        /// Its name.
        name: String,
        /// Whether a missing one is no error.
        if_exists: bool,
    },
    /// CREATE INDEX.
    CreateIndex(CreateIndex),
    /// DROP INDEX.
    DropIndex {
        /// The index.
        index: TableName,
        /// Whether a missing one is no error.
        if_exists: bool,
    },
    /// KILL.
    Kill {
        /// What is to end.
        what: Victim,
        /// Its id, as it was written.
        id: String,
    },
    /// DROP TABLE.
    DropTable {
        /// The table.
        table: TableName,
        /// Whether a missing table is no error.
        if_exists: bool,
    },
    /// A statement that is not run here.
    Other {
        /// What kind of statement it is.
        class: Class,
        /// Its first words, upper-cased.
        what: String,
        /// All of it, for whoever runs it.
        tokens: Vec<TokenWithSpan>,
    },
}

/// What a statement does, as far as its result has a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Answers rows.
    Query,
    /// Changes rows and answers how many.
    Dml,
    /// Changes tables and answers whether it did.
    Ddl,
    /// Begins or ends a transaction.
    TransactionControl,
}

/// A table's name in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The schema, if one is named.
    pub schema: Option<String>,
    /// The name within its schema.
    pub name: String,
}

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub table: TableName,
    /// Whether an existing table of this name is no error.
    pub if_not_exists: bool,
    /// All columns, in table order.
    pub columns: Vec<NewColumn>,
    /// The key columns' names, in key order.
    pub key: Vec<String>,
    /// The colocation columns' names; empty for those of the key.
    pub colocate: Vec<String>,
    /// The distribution zone.
    pub zone: Option<String>,
    /// The storage profile.
    pub profile: Option<String>,
    /// How the key's columns are sorted, if that is said.
    pub key_order: Option<Vec<Order>>,
}

/// What ALTER COLUMN says of a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterColumn {
    /// Its new type.
    pub ty: Option<ColumnType>,
    /// Whether it may be null.
    pub nullable: Option<bool>,
    /// Its new default.
    pub default: Option<NewDefault>,
}

/// A default whose column is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub enum NewDefault {
    /// A literal; NULL for none.
    Literal(Literal),
    /// A function.
    Function,
}

impl Statement {
    /// What the statement does.
    pub fn class(&self) -> Class {
        match self {
            Self::Other { class, .. } => *class,
            _ => Class::Ddl,
        }
    }

    /// How many parameters it has.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Other { tokens, .. } => tokens.iter().filter(|t| matches!(t.token, Token::Placeholder(_))).count(),
            _ => 0,
        }
    }
}

/// Runs a script of statements in [`PUBLIC`], one after the other.
///
/// # Errors
/// Those of [`parse_script`], before anything has run, and of [`run`], at the first statement that fails.
pub fn run_script(engine: &mut Engine, text: &str) -> Result<()> {
    parse_script(text)?.iter().try_for_each(|statement| run(engine, statement, PUBLIC).map(drop))
}

/// Runs one statement; whether it changed something. `schema` is that of unqualified names.
///
/// # Errors
/// `SqlValidation` for what does not exist, exists already, cannot be, or is not supported; faults of the store.
pub fn run(engine: &mut Engine, statement: &Statement, schema: &str) -> Result<bool> {
    match statement {
        Statement::CreateTable(create) => create_table(engine, create, schema).map_err(validation),
        Statement::DropTable { table, if_exists } => {
            let Some(table) = find(engine, table, *if_exists, schema)? else { return Ok(false) };
            table::drop(engine, table.id).map_err(validation)?;
            Ok(true)
        }
        Statement::AddColumns { table, if_exists, columns } => {
            let Some(table) = find(engine, table, *if_exists, schema)? else { return Ok(false) };
            if let Some(column) = columns.iter().find(|c| matches!(c.default, table::NewDefault::RandomUuid)) {
                return Err(no_functional_default(&column.name));
            }
            table::add_columns(engine, &table, columns).map_err(validation)?;
            Ok(true)
        }
        Statement::DropColumns { table, if_exists, columns } => {
            let Some(table) = find(engine, table, *if_exists, schema)? else { return Ok(false) };
            table::drop_columns(engine, &table, columns).map_err(validation)?;
            Ok(true)
        }
        Statement::AlterColumn { table, if_exists, column, change } => {
            let Some(table) = find(engine, table, *if_exists, schema)? else { return Ok(false) };
            run::alter_column(engine, &table, column, change)
        }
        Statement::CreateSchema { name, if_not_exists } => run::create_schema(engine, name, *if_not_exists),
        Statement::DropSchema { name, if_exists, cascade } => run::drop_schema(engine, name, *if_exists, *cascade),
        Statement::CreateZone { name, if_not_exists, options } => {
            run::create_zone(engine, name, *if_not_exists, options)
        }
        Statement::AlterZone { name, if_exists, change } => run::alter_zone(engine, name, *if_exists, change),
        Statement::DropZone { name, if_exists } => run::drop_zone(engine, name, *if_exists),
        Statement::CreateIndex(create) => run::create_index(engine, create, schema),
        Statement::DropIndex { index, if_exists } => run::drop_index(engine, index, *if_exists, schema),
        // Queries are known to whoever runs them; compute jobs to nobody.
        Statement::Kill { what, id } => {
            let id = victim(*what, id)?;
            Ok(*what == Victim::Transaction && run::kill_transaction(engine, id))
        }
        Statement::Other { what, .. } => Err(invalid(format!("This SQL is not supported yet: {what}"))),
    }
}

fn create_table(engine: &mut Engine, create: &CreateTable, schema: &str) -> Result<bool> {
    let schema = schema_of(&create.table, schema);
    let name = &create.table.name;
    if engine.catalog().table_by_name(&schema, name).is_some() && create.if_not_exists {
        return Ok(false);
    }
    check_schema(engine, &schema)?;
    if let Some(column) = create.key.iter().find(|key| !create.columns.iter().any(|c| c.name == **key)) {
        return Err(invalid(format!("Primary key constraint contains undefined columns: [cols=[{column}]].")));
    }
    if let Some(twice) = create.key.iter().enumerate().find(|(i, name)| create.key.iter().take(*i).any(|n| n == *name))
    {
        // The spelling is Ignite's.
        return Err(invalid(format!("PK column '{}' specified more that once.", twice.1)));
    }
    let outside_key =
        |c: &&NewColumn| matches!(c.default, table::NewDefault::RandomUuid) && !create.key.contains(&c.name);
    if let Some(column) = create.columns.iter().find(outside_key) {
        return Err(no_functional_default(&column.name));
    }
    let options =
        run::table_options(engine, create.zone.as_deref(), create.profile.as_deref(), create.key_order.clone())?;
    let create = table::Create {
        draft_name: format!("{schema}.{name}"),
        schema,
        name: name.clone(),
        columns: create.columns.clone(),
        key: create.key.clone(),
        colocation: create.colocate.clone(),
        live: false,
        options,
    };
    table::create(engine, &create)?;
    Ok(true)
}

fn find(engine: &Engine, table: &TableName, if_exists: bool, schema: &str) -> Result<Option<Arc<Table>>> {
    let schema = schema_of(table, schema);
    if !if_exists {
        check_schema(engine, &schema)?;
    }
    match engine.catalog().table_by_name(&schema, &table.name) {
        Some(table) => Ok(Some(Arc::clone(table))),
        None if if_exists => Ok(None),
        None => Err(invalid(format!("Table with name '{schema}.{}' not found.", table.name))),
    }
}

/// Whether a schema is the server's own.
fn is_system(schema: &str) -> bool {
    matches!(schema, "SYSTEM" | "INFORMATION_SCHEMA" | "DEFINITION_SCHEMA")
}

/// Refuses a schema that is the server's own, or that does not exist.
fn check_schema(engine: &Engine, schema: &str) -> Result<()> {
    if is_system(schema) {
        return Err(invalid(format!("Operations with system schemas are not allowed, schema: {schema}")));
    }
    if engine.catalog().has_schema(schema) {
        return Ok(());
    }
    Err(invalid(format!("Schema with name '{schema}' not found.")))
}

/// The schema a name belongs to.
fn schema_of(table: &TableName, default: &str) -> String {
    table.schema.clone().unwrap_or_else(|| default.to_owned())
}

/// The schema of unqualified names, from an identifier as a client writes it: upper case unless it is quoted.
pub fn default_schema(identifier: Option<&str>) -> String {
    match identifier {
        None => PUBLIC.to_owned(),
        Some(name) => match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_uppercase(),
        },
    }
}

/// What the catalog refuses is a statement that does not validate; faults of the store stay what they are.
fn validation(error: Error) -> Error {
    match error.kind {
        Kind::TableNotFound
        | Kind::TableIdUnknown
        | Kind::TableExists
        | Kind::ColumnNotFound
        | Kind::ColumnExists
        | Kind::InvalidArgument
        | Kind::LimitExceeded
        | Kind::TypeMismatch
        | Kind::OutOfRange
        | Kind::NotNull => invalid(error.message),
        _ => error,
    }
}

fn no_functional_default(column: &str) -> Error {
    invalid(format!("Functional defaults are not supported for non-primary key columns [col={column}]."))
}

fn invalid(reason: impl std::fmt::Display) -> Error {
    refused(format!("Failed to validate query. {reason}"))
}

/// A validation error that Ignite words without the usual start.
fn refused(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::SqlValidation, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::table::NewDefault;
    use crate::value::{ColumnType, Value};

    fn one(text: &str) -> Statement {
        let mut statements = parse_script(text).unwrap();
        assert_eq!(statements.len(), 1, "{text}");
        statements.remove(0)
    }

    fn create(text: &str) -> CreateTable {
        match one(text) {
            Statement::CreateTable(create) => create,
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> (Kind, String) {
        let error = parse_script(text).unwrap_err();
        (error.kind, error.message.into_owned())
    }

    #[test]
    fn every_type_has_its_column() {
        let create = create(
            "CREATE TABLE T (ID BIGINT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I16 SMALLINT, I32 INT, F32 REAL, \
             F64 DOUBLE, DEC DECIMAL(20,5), D DATE, T TIME, TS TIMESTAMP(3), \
             TSL TIMESTAMP WITH LOCAL TIME ZONE, U UUID, S VARCHAR, BIN VARBINARY(8))",
        );
        let types: Vec<_> = create.columns.iter().map(|c| c.ty.to_string()).collect();
        assert_eq!(
            types.join(" "),
            "INT64 BOOLEAN INT8 INT16 INT32 FLOAT DOUBLE DECIMAL(20, 5) DATE TIME(0) DATETIME(3) TIMESTAMP(6) UUID \
             STRING(65536) BYTES(8)"
        );
        assert_eq!(create.key, ["ID"]);
        let synonyms = "CREATE TABLE T (A INTEGER PRIMARY KEY, B DOUBLE PRECISION, C NUMERIC(3), D DEC, \
                        E CHARACTER VARYING(5), F FLOAT, G TIME(2) WITHOUT TIME ZONE, H BINARY VARYING)";
        let types: Vec<_> = self::create(synonyms).columns.iter().map(|c| c.ty.to_string()).collect();
        assert_eq!(
            types.join(" "),
            "INT32 DOUBLE DECIMAL(3, 0) DECIMAL(32767, 0) STRING(5) FLOAT TIME(2) BYTES(65536)"
        );
    }

    #[test]
    fn keys_come_in_three_forms() {
        let form = "CREATE TABLE CAP2 (A INT, B VARCHAR, V VARCHAR DEFAULT 'dflt', W INT NOT NULL, PRIMARY KEY (B, A))";
        let create = create(form);
        assert_eq!(create.key, ["B", "A"]);
        assert_eq!(create.columns[2].default, NewDefault::Value(Value::Str("dflt".into())));
        assert_eq!((create.columns[0].nullable, create.columns[3].nullable), (true, false));
        let hash = "create table if not exists s.\"t\" (a int, b int, constraint pk primary key using sorted \
                    (a desc nulls last, \"b\")) colocate by (a) zone \"z\" storage profile 'default'";
        let create = self::create(hash);
        assert_eq!(create.table, TableName { schema: Some("S".into()), name: "t".into() });
        assert!(create.if_not_exists);
        assert_eq!((create.key, create.colocate), (vec!["A".into(), "b".into()], vec!["A".to_string()]));
        assert_eq!(create.zone.as_deref(), Some("z"));
    }

    #[test]
    fn defaults_are_literals() {
        let create = create(
            "CREATE TABLE T (K INT PRIMARY KEY, A INT DEFAULT -5 NOT NULL, B DECIMAL(5,2) DEFAULT 1.255, \
             C DATE DEFAULT DATE '2024-02-29', D VARBINARY DEFAULT X'01ff', E BOOLEAN DEFAULT TRUE, F INT DEFAULT NULL)",
        );
        let defaults: Vec<_> = create
            .columns
            .iter()
            .map(|c| match &c.default {
                NewDefault::Value(value) => value.to_string(),
                NewDefault::RandomUuid => "random".into(),
            })
            .collect();
        assert_eq!(defaults.join(" "), "null -5 1.26 2024-02-29 0x01ff true null");
        let (kind, text) = refused("CREATE TABLE T (K INT PRIMARY KEY, A TINYINT DEFAULT 200)");
        assert_eq!(kind, Kind::SqlValidation);
        assert_eq!(text, "Invalid default value for column 'A'");
        let random = self::create("CREATE TABLE T (K UUID DEFAULT rand_uuid PRIMARY KEY)");
        assert_eq!(random.columns[0].default, NewDefault::RandomUuid);
        assert_eq!(refused("CREATE TABLE T (K DATE DEFAULT CURRENT_DATE PRIMARY KEY)").0, Kind::SqlValidation);
    }

    #[test]
    fn tables_change_and_go() {
        let Statement::AddColumns { columns, .. } = one("ALTER TABLE t ADD COLUMN (a INT, b VARCHAR(3) DEFAULT 'x')")
        else {
            panic!()
        };
        assert_eq!((columns.len(), columns[1].ty), (2, ColumnType::String { length: 3 }));
        assert!(matches!(one("ALTER TABLE IF EXISTS t ADD a INT"), Statement::AddColumns { if_exists: true, .. }));
        let dropped = Statement::DropColumns {
            table: TableName { schema: Some("PUBLIC".into()), name: "T".into() },
            if_exists: false,
            columns: vec!["A".into(), "b".into()],
        };
        assert_eq!(one("alter table public.t drop column (a, \"b\")"), dropped);
        let name = TableName { schema: None, name: "a\"b".into() };
        assert_eq!(one("DROP TABLE IF EXISTS \"a\"\"b\";"), Statement::DropTable { table: name, if_exists: true });
    }

    #[test]
    fn scripts_hold_many_statements() {
        let script = "; DROP TABLE A; -- why\n CREATE TABLE A (K INT PRIMARY KEY);; /* b */ DROP TABLE B";
        assert_eq!(parse_script(script).unwrap().len(), 3);
        assert_eq!(parse_script(" ;; ").unwrap(), []);
        assert_eq!(refused("DROP TABLE A DROP TABLE B").0, Kind::SqlParse);
    }

    #[test]
    fn other_statements_are_told_apart() {
        for (text, class) in [
            ("SELECT * FROM T WHERE ID = ?", Class::Query),
            ("(SELECT 1) UNION (SELECT 2)", Class::Query),
            ("EXPLAIN SELECT 1", Class::Query),
            ("INSERT INTO T (A) VALUES (?)", Class::Dml),
            ("UPDATE T SET A = 1 WHERE B = 2", Class::Dml),
            ("DELETE FROM T", Class::Dml),
            ("INSERT INTO T VALUES (TIMESTAMP WITH LOCAL TIME ZONE '2024-01-01 00:00:00')", Class::Dml),
            ("START TRANSACTION", Class::TransactionControl),
            ("COMMIT", Class::TransactionControl),
        ] {
            assert_eq!(one(text).class(), class, "{text}");
            assert!(matches!(one(text), Statement::Other { .. }), "{text}");
        }
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn mistakes_are_worded_as_by_a_real_node() {
        const PARSE: Kind = Kind::SqlParse;
        const VALIDATION: Kind = Kind::SqlValidation;
        let column = |rest: &str| format!("CREATE TABLE DT (ID INT PRIMARY KEY, V {rest})");
        for (text, kind, answer) in [
            ("SELEC 1".into(), PARSE, "Non-query expression encountered in illegal context. At line 1, column 1"),
            ("CREATE".into(), PARSE, "Encountered \"<EOF>\" at line 1, column 6"),
            ("CREATE TABLE".into(), PARSE, "Encountered \"<EOF>\" at line 1, column 12"),
            ("CREATE TABLE D2 ()".into(), PARSE, "Encountered \")\" at line 1, column 18"),
            (
                "ALTER TABLE D1 ADD COLUMN IF NOT EXISTS W VARCHAR".into(),
                PARSE,
                "Incorrect syntax near the keyword 'IF' at line 1, column 27",
            ),
            (column("VARCHAR(-1)"), PARSE, "Encountered \"-\" at line 1, column 48"),
            (column("TIMESTAMP WITH TIME ZONE"), PARSE, "Encountered \"TIME\" at line 1, column 55"),
            (column("TIME WITH LOCAL TIME ZONE"), PARSE, "Encountered \"WITH\" at line 1, column 45"),
            (column("CHAR(3)"), PARSE, "CHAR datatype is not supported in table. At line 1, column 36"),
            (column("BINARY(3)"), PARSE, "BINARY datatype is not supported in table. At line 1, column 36"),
            (
                column("VARCHAR(0)"),
                VALIDATION,
                "From line 1, column 40 to line 1, column 49: VARCHAR length 0 must be between 1 and 2147483647. [column=V]",
            ),
            (
                column("DECIMAL(32768)"),
                VALIDATION,
                "From line 1, column 40 to line 1, column 53: DECIMAL precision 32768 must be between 1 and 32767. [column=V]",
            ),
            (
                column("DECIMAL(5, -1)"),
                VALIDATION,
                "From line 1, column 40 to line 1, column 53: DECIMAL scale -1 must be between 0 and 32767. [column=V]",
            ),
            (
                column("TIME(10)"),
                VALIDATION,
                "From line 1, column 40 to line 1, column 47: TIME precision 10 must be between 0 and 9. [column=V]",
            ),
            (
                column("TEXT"),
                VALIDATION,
                "From line 1, column 40 to line 1, column 43: Unknown identifier 'TEXT' [column=V]",
            ),
            (
                column("INTERVAL YEAR"),
                VALIDATION,
                "Type INTERVAL YEAR cannot be used in a column definition [column=V].",
            ),
            (column("INT DEFAULT 1.5"), VALIDATION, "Invalid default value for column 'V'"),
            (column("BOOLEAN DEFAULT 1"), VALIDATION, "Invalid default value for column 'V'"),
            (column("INT DEFAULT 1 + 1"), VALIDATION, "Unsupported default expression: 1 + 1"),
            (
                column("INT DEFAULT CURRENT_DATE"),
                VALIDATION,
                "Failed to validate query. Functional defaults are not supported for non-primary key columns [col=V].",
            ),
            ("CREATE TABLE D2 (ID INT, V INT)".into(), VALIDATION, "Table without PRIMARY KEY is not supported"),
            (
                "CREATE TABLE D2 (ID INT NULL PRIMARY KEY, V INT NULL)".into(),
                VALIDATION,
                "Failed to validate query. Primary key cannot contain nullable column [col=ID].",
            ),
        ] {
            let (found, message) = refused(&text);
            let expected = if kind == PARSE { format!("Failed to parse query: {answer}") } else { answer.into() };
            assert_eq!((found, message), (kind, expected), "{text}");
        }
        let (kind, message) = refused(&column("VARCHAR(2147483648)"));
        assert_eq!(kind, PARSE);
        assert!(message.contains("Literal '2147483648' can not be parsed to type 'java.lang.Integer'. At line 1"));
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        for bad in [
            "ALTER TABLE T",
            "DROP TABLE 'T'",
            "'",
            "DROP TABLE\n 5",
            "CREATE TABLE T (A INT PRIMARY KEY",
            "CREATE TABLE T (A INT PRIMARY KEY USING HASH (A))",
            "CREATE TABLE T (A VARCHAR(x) PRIMARY KEY)",
            "CREATE TABLE T (A INT PRIMARY KEY, CONSTRAINT X)",
            "CREATE TABLE T (A INT ARRAY PRIMARY KEY)",
        ] {
            assert_eq!(refused(bad).0, Kind::SqlParse, "{bad}");
        }
        for bad in ["CREATE TABLE T (A INT PRIMARY KEY, PRIMARY KEY (A))", "ALTER TABLE T ADD A INT PRIMARY KEY"] {
            assert_eq!(refused(bad).0, Kind::SqlValidation, "{bad}");
        }
    }

    #[test]
    fn schemas_zones_and_indexes_parse() {
        let sorted = |descending, nulls_first| Order { descending, nulls_first };
        let index = CreateIndex {
            name: "I".into(),
            if_not_exists: true,
            table: TableName { schema: Some("S".into()), name: "t".into() },
            sorted: true,
            columns: vec![
                ("A".into(), sorted(true, true)),
                ("B".into(), sorted(false, false)),
                ("C".into(), sorted(true, false)),
            ],
        };
        let text = "CREATE INDEX IF NOT EXISTS i ON s.\"t\" (a DESC, b, c DESC NULLS LAST)";
        assert_eq!(one(text), Statement::CreateIndex(index));
        let options = ZoneOptions {
            partitions: Some(5),
            replicas: Some(None),
            quorum: Some(2),
            filter: Some("$.x".into()),
            scale_up: Some(1),
            scale_down: Some(i32::MAX as u32),
            consistency: Some("HIGH_AVAILABILITY".into()),
            profiles: vec!["a".into(), "B".into()],
        };
        let new = "(PARTITIONS 5, REPLICAS ALL, QUORUM SIZE 2, NODES FILTER '$.x', AUTO SCALE UP 1, AUTO SCALE DOWN OFF, \
                   CONSISTENCY MODE 'HIGH_AVAILABILITY') STORAGE PROFILES ['a', b]";
        let old = "WITH PARTITIONS=5, REPLICAS=ALL, QUORUM_SIZE=2, DATA_NODES_FILTER='$.x', STORAGE_PROFILES='a, B', \
                   DATA_NODES_AUTO_ADJUST_SCALE_UP=1, DATA_NODES_AUTO_ADJUST_SCALE_DOWN=OFF, \
                   CONSISTENCY_MODE='HIGH_AVAILABILITY'";
        for clauses in [new, old] {
            let zone = Statement::CreateZone { name: "Z".into(), if_not_exists: false, options: options.clone() };
            assert_eq!(one(&format!("CREATE ZONE z {clauses}")), zone);
        }
        let kill = Statement::Kill { what: Victim::Query, id: "x".into() };
        assert_eq!(one("KILL QUERY 'x' NO WAIT"), kill);
        for text in [
            "CREATE SCHEMA",
            "CREATE ZONE Z",
            "CREATE ZONE Z (NO 1) STORAGE PROFILES ['default']",
            "CREATE ZONE Z WITH NO = 1",
            "ALTER ZONE Z",
            "CREATE UNIQUE INDEX I ON T (A)",
            "CREATE INDEX I ON T USING HASH (A DESC)",
            "CREATE INDEX I ON T ()",
            "ALTER TABLE T ALTER COLUMN A",
            "KILL NOTHING 'x'",
            "EXPLAIN DROP TABLE T",
        ] {
            assert_eq!(refused(text).0, Kind::SqlParse, "{text}");
        }
    }
}
