//! Annotated frames: what two sides said, field by field.
//!
//! `flint serve --trace FILE` writes them, `flint decode` makes them from captured bytes, and the golden frames that the
//! tests replay are kept in the same form. A unit opens with who speaks (`>` the client, `<` the server) and what it is;
//! its fields follow, each with its bytes, its name and its value:
//!
//! ```text
//! > TUPLE_GET 4
//!   00000021                  length        33
//!   0c                        operation     12 TUPLE_GET
//!   04                        request id    4
//! ```
//!
//! The text reads back: [`decode`] takes bytes from the first column and passes over the rest, so decoding a trace gives
//! the trace again.

mod conversation;
mod draft;
mod fields;
mod ga;
mod text;

pub use conversation::{Conversation, Direction};
pub use fields::Field;
pub use text::{Line, decode, lines};

use crate::door::ConnId;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes the frames of all connections to a file as they pass: everything that was said, passwords too.
pub struct Trace {
    /// `None` once a write failed: tracing stops, serving does not.
    sink: Option<Box<dyn Write + Send>>,
    conversations: HashMap<ConnId, Conversation>,
}

impl Trace {
    /// A trace into the file at `path`, which is replaced.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufWriter::new(File::create(path)?)))
    }

    /// A trace into `sink`.
    pub fn new(sink: impl Write + Send + 'static) -> Self {
        Self { sink: Some(Box::new(sink)), conversations: HashMap::new() }
    }

    /// Bytes of a connection, in the order they passed, split anywhere.
    pub fn bytes(&mut self, connection: ConnId, from: Direction, bytes: &[u8]) {
        if self.sink.is_none() {
            return;
        }
        let mut text = String::new();
        self.conversations
            .entry(connection)
            .or_insert_with(|| Conversation::new(&format!(" conn={}", connection.0)))
            .bytes(from, bytes, &mut text);
        self.write(&text);
    }

    /// The connection is closed; what it left unfinished is written.
    pub fn closed(&mut self, connection: ConnId) {
        if let Some(mut conversation) = self.conversations.remove(&connection) {
            let mut text = String::new();
            conversation.finish(&mut text);
            text.push_str(&format!("# closed conn={}\n", connection.0));
            self.write(&text);
        }
        self.flush();
    }

    /// Hands what is buffered to the file.
    pub fn flush(&mut self) {
        self.try_write(|sink| sink.flush());
    }

    fn write(&mut self, text: &str) {
        if !text.is_empty() {
            self.try_write(|sink| sink.write_all(text.as_bytes()));
        }
    }

    fn try_write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if let Some(sink) = &mut self.sink
            && let Err(error) = write(sink.as_mut())
        {
            log::error!("the trace cannot be written and ends here: {error}");
            self.sink = None;
            self.conversations.clear();
        }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("conversations", &self.conversations.len()).finish_non_exhaustive()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.flush();
    }
}
