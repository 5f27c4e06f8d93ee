//! Operation codes of the draft dialect.

/// The client code of everything that is not JDBC.
pub(super) const CLIENT_GENERAL: i64 = 2;

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: i64 = $code;)*
    };
}

codes! {
    TABLE_CREATE = 1, "Create a table.";
    TABLE_DROP = 2, "Drop a table by name.";
    TABLES_GET = 3, "All tables.";
    TABLE_GET = 4, "A table's id by its name.";
    SCHEMAS_GET = 5, "Schema versions of a table.";
    UPSERT = 10, "Insert or overwrite a row.";
    UPSERT_SCHEMALESS = 11, "The same with a map of names.";
    GET = 12, "The value columns of a key.";
    UPSERT_ALL = 13, "Insert or overwrite rows.";
    UPSERT_ALL_SCHEMALESS = 14, "The same with maps of names.";
    GET_ALL = 15, "The rows of keys.";
    GET_AND_UPSERT = 16, "Overwrite, and return the old row.";
    GET_AND_UPSERT_SCHEMALESS = 17, "The same with a map of names.";
    INSERT = 18, "Insert if the key is new.";
    INSERT_SCHEMALESS = 19, "The same with a map of names.";
    INSERT_ALL = 20, "Insert the rows whose keys are new.";
    INSERT_ALL_SCHEMALESS = 21, "The same with maps of names.";
    REPLACE = 22, "Overwrite if the key exists.";
    REPLACE_SCHEMALESS = 23, "The same with a map of names.";
    REPLACE_EXACT = 24, "Overwrite if the row is as given.";
    REPLACE_EXACT_SCHEMALESS = 25, "The same with maps of names.";
    GET_AND_REPLACE = 26, "Overwrite if the key exists, and return the old row.";
    GET_AND_REPLACE_SCHEMALESS = 27, "The same with a map of names.";
    DELETE = 28, "Delete a key.";
    DELETE_ALL = 29, "Delete keys.";
    DELETE_EXACT = 30, "Delete a row if it is as given.";
    DELETE_ALL_EXACT = 31, "Delete the rows that are as given.";
    GET_AND_DELETE = 32, "Delete a key and return its row.";
    CONTAINS_KEY = 33, "Whether a key exists.";
}
