//! The forms of files that are imported and exported.

use clap::ValueEnum;
use std::path::Path;

/// What a build without feature `sql` says of Parquet.
#[cfg(not(feature = "sql"))]
pub(super) const NO_PARQUET: &str = "this build cannot read or write Parquet, which comes with its query engine. Build \
    it with: cargo build --profile release-sql --features sql";

/// The form of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FileForm {
    /// Lines of fields.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl FileForm {
    /// The form that was asked for, or else the one that the file's name tells.
    pub(super) fn of(asked: Option<Self>, path: Option<&Path>) -> Self {
        let named = path.and_then(Path::extension).is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        asked.unwrap_or(if named { Self::Parquet } else { Self::Csv })
    }
}
