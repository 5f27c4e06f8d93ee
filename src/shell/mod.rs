//! The interactive shell and the runner of scripts.
//!
//! Both are one [`Shell`]: lines go in, a [`Splitter`] makes statements of them, results go to the output and errors to
//! the error output. Lines that begin with a backslash between two statements are commands of the shell itself
//! (see its `\?`). A transaction that a script begins is one of the connection: START TRANSACTION, COMMIT and ROLLBACK do not
//! reach the server as statements, which would refuse them, but as the operations they mean.

mod describe;
pub mod editor;
mod meta;
mod split;
mod statement;
mod words;

pub use split::{Splitter, Statement};
pub use words::Words;

use crate::client::ga::{Client, Options, SqlOptions, Tx, TxOptions};
use crate::client::{self, Error};
use crate::config::{SCRIPT_DEPTH_MAX, STATEMENT_BYTES_MAX};
use crate::store::clock::{Clock, SystemClock};
use crate::tabular::{Failure, Format, write_result};
use meta::Meta;
use statement::Control;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::Path;

/// What can be set from outside and, for some, by commands.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How rows are written.
    pub format: Format,
    /// Whether the time of each statement is told.
    pub timing: bool,
    /// The schema of names that name none.
    pub schema: Option<String>,
    /// Rows of a page at most.
    pub page_size: Option<u32>,
    /// Whether an error ends the run.
    pub stop_on_error: bool,
}

/// Whether there is a reason to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// More may come.
    Go,
    /// The user quits, an error ends the run, or nobody reads the output any more.
    Quit,
}

/// One run of the shell.
pub struct Shell<'io> {
    addr: String,
    options: Options,
    /// `None` after the connection was lost; the next statement connects again.
    client: Option<Client>,
    settings: Settings,
    tx: Option<Tx>,
    out: &'io mut dyn Write,
    errors: &'io mut dyn Write,
    failed: bool,
    /// How many scripts run inside each other.
    depth: usize,
    /// Whether tables may have changed since the words for completion were asked for.
    tables_changed: bool,
}

/// Where a statement stands, for its error.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The script; `None` for what was just typed.
    source: Option<&'a str>,
    line: usize,
}

impl<'io> Shell<'io> {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there, or the server refuses.
    pub fn connect(
        addr: String,
        options: Options,
        settings: Settings,
        out: &'io mut dyn Write,
        errors: &'io mut dyn Write,
    ) -> client::Result<Self> {
        let client = Some(Client::connect_with(&addr, &options)?);
        let (tx, failed, depth, tables_changed) = (None, false, 0, true);
        Ok(Self { addr, options, client, settings, tx, out, errors, failed, depth, tables_changed })
    }

    /// Whether anything failed so far.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.tx.is_some()
    }

    /// Runs a script from memory.
    pub fn text(&mut self, source: &str, text: &str) -> Next {
        self.script(source, text.as_bytes())
    }

    /// Runs a script from a file.
    pub fn file(&mut self, path: &Path) -> Next {
        self.include(path, None)
    }

    fn include(&mut self, path: &Path, place: Option<Place<'_>>) -> Next {
        let source = path.display().to_string();
        match File::open(path) {
            Ok(file) => self.script(&source, BufReader::new(file)),
            Err(error) => self.fail(place, format_args!("{source} cannot be opened: {error}")),
        }
    }

    /// Runs a script line by line, as it arrives.
    pub fn script(&mut self, source: &str, mut reader: impl BufRead) -> Next {
        if self.depth == SCRIPT_DEPTH_MAX {
            return self.fail(None, format_args!("{source}: more than {SCRIPT_DEPTH_MAX} scripts inside each other"));
        }
        self.depth += 1;
        let next = self.lines(source, &mut reader);
        self.depth -= 1;
        next
    }

    fn lines(&mut self, source: &str, reader: &mut dyn BufRead) -> Next {
        let mut splitter = Splitter::default();
        let mut line = String::new();
        loop {
            line.clear();
            match reader.take(STATEMENT_BYTES_MAX as u64).read_line(&mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return self.fail(None, format_args!("{source} cannot be read: {error}")),
            }
            if self.line(&mut splitter, Some(source), &line) == Next::Quit {
                return Next::Quit;
            }
        }
        match splitter.finish() {
            Some(statement) => self.statement(&statement, Some(source)),
            None => Next::Go,
        }
    }

    /// Takes a line, and runs what it completes.
    fn line(&mut self, splitter: &mut Splitter, source: Option<&str>, line: &str) -> Next {
        if splitter.is_empty()
            && let Some(command) = line.trim().strip_prefix('\\')
        {
            let place = Place { source, line: splitter.line() };
            splitter.skip_line();
            return self.meta(command, place);
        }
        if let Err(error) = splitter.push(line) {
            return self.fail(Some(Place { source, line: splitter.line() }), error);
        }
        while let Some(statement) = splitter.next_statement() {
            if self.statement(&statement, source) == Next::Quit {
                return Next::Quit;
            }
        }
        Next::Go
    }

    fn statement(&mut self, statement: &Statement, source: Option<&str>) -> Next {
        let place = Place { source, line: statement.line };
        let start = SystemClock.now();
        let done = self.run(&statement.text);
        let next = match done {
            Ok(()) => Next::Go,
            Err(failure) => self.failure(place, &failure),
        };
        if self.settings.timing {
            let milliseconds = start.elapsed().as_secs_f64() * 1e3;
            self.tell(format_args!("{milliseconds:.3} ms"));
        }
        next
    }

    fn run(&mut self, text: &str) -> Result<(), Failure> {
        match Control::of(text) {
            Some(Control::Begin { read_only }) => {
                if self.tx.is_some() {
                    return Err(Error::Usage("a transaction is open already".into()).into());
                }
                let options = TxOptions { read_only, timeout: None };
                self.tx = Some(self.client()?.begin(options)?);
                self.say("transaction begun")
            }
            Some(end @ (Control::Commit | Control::Rollback)) => {
                let tx = self.tx.take().ok_or_else(|| Error::Usage("no transaction is open".into()))?;
                let client = self.client()?;
                if end == Control::Commit {
                    client.commit(tx)?;
                    return self.say("committed");
                }
                client.rollback(tx)?;
                self.say("rolled back")
            }
            None => self.query(text),
        }
    }

    fn query(&mut self, text: &str) -> Result<(), Failure> {
        let Settings { schema, page_size, format, .. } = self.settings.clone();
        let options = SqlOptions { schema, page_size, tx: self.tx, ..SqlOptions::default() };
        let result = self.client()?.sql(text, &[], &options)?;
        if result.has_rows {
            let Self { client: Some(client), out, .. } = self else { return Ok(()) };
            write_result(result, client, &mut *format.sink(), *out, &mut |_| {})?;
            return Ok(());
        }
        match result.affected_rows {
            Some(1) => self.say("1 row affected"),
            Some(rows) => self.say(&format!("{rows} rows affected")),
            None => {
                self.tables_changed = true;
                self.say(if result.was_applied { "done" } else { "nothing to do" })
            }
        }
    }

    /// Says what was done, to people.
    fn say(&mut self, what: &str) -> Result<(), Failure> {
        if self.settings.format == Format::Aligned {
            writeln!(self.out, "{what}")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn meta(&mut self, command: &str, place: Place<'_>) -> Next {
        let done = match Meta::parse(command) {
            Err(error) => return self.fail(Some(place), error),
            Ok(Meta::Quit) => return Next::Quit,
            Ok(Meta::Include(path)) => return self.include(&path, Some(place)),
            Ok(Meta::Help) => self.out.write_all(meta::HELP.as_bytes()).map_err(Failure::from),
            Ok(Meta::Timing(on)) => {
                self.settings.timing = on.unwrap_or(!self.settings.timing);
                self.say(if self.settings.timing { "timing is on" } else { "timing is off" })
            }
            Ok(Meta::Format(None)) => writeln!(self.out, "{}", self.settings.format).map_err(Failure::from),
            Ok(Meta::Format(Some(format))) => {
                self.settings.format = format;
                Ok(())
            }
            Ok(Meta::Tables) => self.describe(describe::tables),
            Ok(Meta::Table(name)) => self.describe(|client| describe::table(client, &name)),
            Ok(Meta::Schemas) => self.describe(describe::schemas),
        };
        match done.and_then(|()| Ok(self.out.flush()?)) {
            Ok(()) => Next::Go,
            Err(failure) => self.failure(place, &failure),
        }
    }

    /// Writes a listing in the format of results.
    fn describe(&mut self, list: impl FnOnce(&mut Client) -> client::Result<describe::Listing>) -> Result<(), Failure> {
        let (columns, rows) = list(self.client()?)?;
        let mut sink = self.settings.format.sink();
        sink.begin(self.out, &columns, &rows)?;
        sink.rows(self.out, &rows)?;
        Ok(sink.end(self.out, rows.len() as u64)?)
    }

    /// The words for completion, if they may have changed.
    fn words(&mut self) -> Option<Words> {
        let changed = std::mem::take(&mut self.tables_changed);
        let client = self.client.as_mut().filter(|_| changed)?;
        // Completion is a comfort; what is wrong is told by the next statement.
        Words::load(client).ok()
    }

    /// The connection; made anew if it was lost.
    fn client(&mut self) -> client::Result<&mut Client> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let client = Client::connect_with(&self.addr, &self.options)?;
                self.tell("connected again");
                client
            }
        };
        Ok(self.client.insert(client))
    }

    fn failure(&mut self, place: Place<'_>, failure: &Failure) -> Next {
        match failure {
            // Whoever reads the output has seen enough.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Next::Quit,
            // The next answer could belong to anything.
            Failure::Client(Error::Io(_) | Error::Timeout(_) | Error::Closed | Error::Protocol(_)) => {
                self.client = None;
                if self.tx.take().is_some() {
                    self.tell("the open transaction is lost");
                }
            }
            Failure::Client(_) | Failure::Output(_) => {}
        }
        self.fail(Some(place), failure)
    }

    /// Tells an error.
    fn fail(&mut self, place: Option<Place<'_>>, error: impl Display) -> Next {
        self.failed = true;
        match place {
            Some(Place { source: Some(source), line }) => self.tell(format_args!("{source}:{line}: {error}")),
            _ => self.tell(error),
        }
        if self.settings.stop_on_error { Next::Quit } else { Next::Go }
    }

    /// Tells something that is no result.
    fn tell(&mut self, what: impl Display) {
        // There is nowhere to tell that it could not be told.
        let _ = writeln!(self.errors, "{what}");
    }
}

/// An open transaction ends with the connection; nobody shall think that it was committed.
impl Drop for Shell<'_> {
    fn drop(&mut self) {
        if self.tx.is_some() {
            self.tell("the open transaction is rolled back");
        }
    }
}
