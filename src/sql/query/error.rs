//! DataFusion's errors as ours. Texts are Ignite's where clients are known to look at them.

use crate::error::{Error, Kind};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};

/// An error while a statement was planned: it means nothing.
pub fn planning(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) if inner.is::<Error>() => own(inner.as_ref()),
        DataFusionError::SchemaError(schema, _) => match &**schema {
            SchemaError::FieldNotFound { field, .. } => invalid(match &field.relation {
                Some(table) => format!("Column '{}' not found in table '{}'", field.name, table.table()),
                None => format!("Column '{}' not found in any table", field.name),
            }),
            SchemaError::AmbiguousReference { field } => invalid(format!("Column '{}' is ambiguous", field.name)),
            other => invalid(other.to_string()),
        },
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => invalid(text.clone()),
        // Constants are calculated while a statement is planned.
        other => running(other),
    }
}

/// An error while a statement ran.
pub fn running(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) if inner.is::<Error>() => own(inner.as_ref()),
        DataFusionError::ArrowError(arrow, _) => match &**arrow {
            ArrowError::DivideByZero => runtime("Division by zero"),
            ArrowError::ArithmeticOverflow(text) | ArrowError::ComputeError(text) => runtime(text.clone()),
            ArrowError::CastError(text) | ArrowError::ParseError(text) | ArrowError::InvalidArgumentError(text) => {
                runtime(text.clone())
            }
            other => runtime(other.to_string()),
        },
        // A pattern that is none, say.
        DataFusionError::External(inner) => runtime(inner.to_string()),
        DataFusionError::ResourcesExhausted(text) => {
            Error::new(Kind::OutOfMemory, format!("the statement needs more than --sql-memory allows: {text}"))
        }
        DataFusionError::Execution(text) => runtime(text.clone()),
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => invalid(text.clone()),
        other => Error::new(Kind::Internal, other.strip_backtrace()),
    }
}

fn own(inner: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    inner.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::new(Kind::Internal, inner.to_string()))
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}

fn runtime(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::SqlRuntime, text)
}
