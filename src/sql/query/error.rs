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
        // A planner that meets what it was not made for says that it has a fault; the statement is what has none.
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) | DataFusionError::Internal(text) => {
            invalid(plain(text))
        }
        DataFusionError::Collection(errors) if !errors.is_empty() => {
            errors.first().map_or_else(|| invalid("It means nothing"), planning)
        }
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
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => invalid(plain(text)),
        other => Error::new(Kind::Internal, other.strip_backtrace()),
    }
}

/// A text without what DataFusion says about faults of its own.
fn plain(text: &str) -> &str {
    const FAULT: &str = "Internal error: ";
    const REPORT: &str = "This issue was likely caused by a bug";
    match text.split_once(REPORT) {
        // Types that fit no signature: what follows says it shorter.
        Some((_, more)) if more.contains("No function matches") => {
            more.find("No function matches").and_then(|at| more.get(at..)).unwrap_or(text)
        }
        Some((before, _)) => before.trim_end().trim_start_matches(FAULT),
        None => text.trim_start_matches(FAULT),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planner_that_is_lost_is_the_statements_fault() {
        let report = "This issue was likely caused by a bug in DataFusion's code. Please ...";
        for (error, text) in [
            (DataFusionError::Internal("no functions".into()), "no functions"),
            (DataFusionError::Plan(format!("Internal error: no way.\n{report}")), "no way."),
            (
                DataFusionError::Plan(format!("Internal error: f.\n{report}. No function matches 'f()'.")),
                "No function matches 'f()'.",
            ),
            (DataFusionError::Collection(vec![DataFusionError::Plan("first".into())]), "first"),
            (DataFusionError::Plan("as it is".into()), "as it is"),
        ] {
            let error = planning(&error);
            assert_eq!(error.kind, Kind::SqlValidation);
            assert_eq!(error.message, format!("Failed to validate query. {text}"));
        }
        assert_eq!(running(&DataFusionError::Internal("lost".into())).kind, Kind::Internal);
    }
}
