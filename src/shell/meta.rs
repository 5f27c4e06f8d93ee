//! Commands of the shell itself.

use crate::tabular::Format;
use std::path::PathBuf;

/// What `\?` prints.
pub(super) const HELP: &str = "\
Statements end with a semicolon. Commands of the shell stand alone on a line:
  \\d             lists tables
  \\d TABLE       shows the columns of a table
  \\dn            lists schemas
  \\timing [on|off]               tells the time of each statement
  \\format [aligned|csv|json]     shows or changes how rows are written
  \\i FILE        runs a script
  \\q             quits
  \\?             shows this
START TRANSACTION [READ ONLY], COMMIT and ROLLBACK work as everywhere.
";

/// The commands, for completion.
pub(super) const COMMANDS: [&str; 7] = ["\\?", "\\d", "\\dn", "\\format", "\\i", "\\q", "\\timing"];

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meta {
    Tables,
    /// With the table's name as SQL reads it.
    Table(String),
    Schemas,
    /// On, off, or the other way.
    Timing(Option<bool>),
    Format(Option<Format>),
    Include(PathBuf),
    Quit,
    Help,
}

impl Meta {
    /// Reads what follows the backslash.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let (command, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = argument.trim();
        Ok(match (command, argument) {
            ("d", "") => Self::Tables,
            ("d", table) => Self::Table(table.into()),
            ("dn", "") => Self::Schemas,
            ("timing", "") => Self::Timing(None),
            ("timing", "on") => Self::Timing(Some(true)),
            ("timing", "off") => Self::Timing(Some(false)),
            ("format", "") => Self::Format(None),
            ("format", name) => Self::Format(Some(name.parse()?)),
            ("i", "") => return Err("\\i needs a file".into()),
            ("i", path) => Self::Include(path.into()),
            ("q", "") => Self::Quit,
            ("?", "") => Self::Help,
            _ => return Err(format!("no such command: \\{text}; \\? lists all")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for (text, meta) in [
            ("d", Meta::Tables),
            ("d \"My t\" ;", Meta::Table("\"My t\"".into())),
            ("dn", Meta::Schemas),
            ("timing off", Meta::Timing(Some(false))),
            ("format json", Meta::Format(Some(Format::Json))),
            ("i  a file.sql", Meta::Include("a file.sql".into())),
            ("q;", Meta::Quit),
            ("?", Meta::Help),
        ] {
            assert_eq!(Meta::parse(text), Ok(meta), "{text}");
        }
        for (wrong, part) in
            [("", "no such"), ("dt", "\\dt"), ("timing maybe", "maybe"), ("format x", "csv"), ("i", "file")]
        {
            assert!(Meta::parse(wrong).unwrap_err().contains(part), "{wrong}");
        }
    }

    #[test]
    fn help_and_completion_know_every_command() {
        for command in COMMANDS {
            assert!(HELP.contains(&format!("\n  {command}")), "{command}");
            assert!(Meta::parse(command.trim_start_matches('\\')).map_or_else(|e| !e.contains("no such"), |_| true));
        }
    }
}
