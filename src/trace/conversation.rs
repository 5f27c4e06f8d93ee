//! Two streams of bytes of one connection, cut into frames and taken apart.

use super::draft::Draft;
use super::fields::{Field, Fields, show};
use super::ga::{self, Ga};
use super::text;
use crate::door::igni::handshake::{self, Dialect};
use crate::error::Result;
use crate::value::Value;
use crate::wire::frame::{HEADER_BYTES, LENGTH_MAX, MAGIC};
use crate::wire::msgpack::{Family, Reader};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// One connection's bytes, both ways.
#[derive(Debug)]
pub struct Conversation {
    /// Bytes that are no whole unit yet, by direction.
    waiting: [Vec<u8>; 2],
    /// Appended to every title.
    suffix: String,
    dialect: Option<Dialect>,
    /// Whether a direction is past its handshake. A client counts as past it once it sent a good one, so that a capture
    /// of one side reads on; a refusal by the server takes that back.
    ready: [bool; 2],
    draft: Draft,
    ga: Ga,
}

impl Conversation {
    /// A conversation from its start. Every unit's title ends in `suffix`.
    pub fn new(suffix: &str) -> Self {
        Self {
            waiting: Default::default(),
            suffix: suffix.to_owned(),
            dialect: None,
            ready: [false; 2],
            draft: Draft::default(),
            ga: Ga::default(),
        }
    }

    /// A conversation whose handshake is over.
    pub fn established(dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ready: [true; 2], ..Self::new("") }
    }

    /// Takes the next bytes of one direction, split anywhere, and appends the units they complete to `out`.
    pub fn bytes(&mut self, from: Direction, bytes: &[u8], out: &mut String) {
        let mut waiting = std::mem::take(self.waiting_of(from));
        waiting.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(unit) = self.unit(from, waiting.get(taken..).unwrap_or_default(), out) {
            taken += unit;
        }
        waiting.drain(..taken);
        *self.waiting_of(from) = waiting;
    }

    /// Ends: bytes that never became a unit are shown as they are.
    pub fn finish(&mut self, out: &mut String) {
        for (from, waiting) in [Direction::Client, Direction::Server].into_iter().zip(std::mem::take(&mut self.waiting))
        {
            if !waiting.is_empty() {
                self.write(from, "incomplete", &waiting, &[whole(&waiting, "bytes", "no whole frame")], out);
            }
        }
    }

    fn waiting_of(&mut self, from: Direction) -> &mut Vec<u8> {
        let [client, server] = &mut self.waiting;
        match from {
            Direction::Client => client,
            Direction::Server => server,
        }
    }

    fn is_ready(&self, from: Direction) -> bool {
        let [client, server] = self.ready;
        match from {
            Direction::Client => client,
            Direction::Server => server,
        }
    }

    /// Takes one unit from the front of `bytes`, and says how many bytes it had.
    fn unit(&mut self, from: Direction, bytes: &[u8], out: &mut String) -> Option<usize> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        if *header == MAGIC && !self.is_ready(from) {
            self.write(from, "magic", header, &[whole(header, "magic", "\"IGNI\"")], out);
            return Some(HEADER_BYTES);
        }
        let length = u32::from_be_bytes(*header);
        if length > LENGTH_MAX {
            let reason = "no frame has this length; what follows cannot be read";
            self.write(from, "broken", bytes, &[whole(bytes, "bytes", reason)], out);
            return Some(bytes.len());
        }
        let size = HEADER_BYTES + length as usize;
        let unit = bytes.get(..size)?;
        let (title, fields) = self.frame(from, unit.get(HEADER_BYTES..).unwrap_or_default());
        let shifted = fields
            .into_iter()
            .map(|field| Field { bytes: field.bytes.start + HEADER_BYTES..field.bytes.end + HEADER_BYTES, ..field });
        let length = Field { bytes: 0..HEADER_BYTES, name: "length".to_owned(), value: length.to_string() };
        let fields: Vec<Field> = std::iter::once(length).chain(shifted).collect();
        self.write(from, &title, unit, &fields, out);
        Some(size)
    }

    fn frame(&mut self, from: Direction, payload: &[u8]) -> (String, Vec<Field>) {
        match (from, self.is_ready(from), self.dialect) {
            (Direction::Client, false, _) => self.handshake(payload),
            (Direction::Server, false, _) => self.handshake_answer(payload),
            (Direction::Client, true, Some(Dialect::Draft)) => self.draft.request(payload),
            (Direction::Server, true, Some(Dialect::Draft)) => self.draft.answer(payload),
            (Direction::Client, true, _) => self.ga.request(payload),
            (Direction::Server, true, _) => self.ga.answer(payload),
        }
    }

    fn handshake(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        if let Ok(request) = handshake::Request::parse(payload) {
            self.dialect = Some(request.dialect);
            self.ready = [true, false];
        }
        Fields::take_apart(payload, "handshake", |fields, _| handshake_fields(fields))
    }

    fn handshake_answer(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        Fields::take_apart(payload, "handshake", |fields, _| self.handshake_answer_fields(fields))
    }

    fn handshake_answer_fields(&mut self, fields: &mut Fields<'_>) -> Result<()> {
        version(fields)?;
        match fields.family()? {
            Family::Integer => {
                let code = fields.take("code", Reader::i64, |code| match code {
                    0 => "0 success".to_owned(),
                    1 => "1 failed".to_owned(),
                    2 => "2 authentication failed".to_owned(),
                    other => other.to_string(),
                })?;
                self.dialect = Some(Dialect::Draft);
                self.ready = [code == 0; 2];
                if code != 0 {
                    return fields.str("message").map(|_| ());
                }
                features(fields)?;
                fields.any("extensions")
            }
            Family::Nil => {
                self.dialect = Some(Dialect::Ga);
                self.ready = [true; 2];
                ga::accepted(fields)
            }
            _ => {
                self.dialect = Some(Dialect::Ga);
                self.ready = [false; 2];
                ga::error_body(fields)
            }
        }
    }

    fn write(&self, from: Direction, title: &str, bytes: &[u8], fields: &[Field], out: &mut String) {
        text::unit(out, from, &format!("{title}{}", self.suffix), bytes, fields);
    }
}

fn whole(bytes: &[u8], name: &str, value: &str) -> Field {
    Field { bytes: 0..bytes.len(), name: name.to_owned(), value: value.to_owned() }
}

fn handshake_fields(fields: &mut Fields<'_>) -> Result<()> {
    version(fields)?;
    fields.take("client code", Reader::i64, |code| match code {
        1 => "1 JDBC".to_owned(),
        2 => "2 general".to_owned(),
        3 => "3 ODBC".to_owned(),
        4 => "4 Python".to_owned(),
        other => other.to_string(),
    })?;
    features(fields)?;
    if fields.is_empty() {
        return Ok(());
    }
    if fields.family()? == Family::Map {
        return fields.any("extensions");
    }
    for _ in 0..fields.take("extension count", |r| r.count(2), usize::to_string)? {
        fields.str("key")?;
        fields.any("value")?;
    }
    Ok(())
}

fn version(fields: &mut Fields<'_>) -> Result<()> {
    for part in ["version.major", "version.minor", "version.patch"] {
        fields.int(part)?;
    }
    Ok(())
}

fn features(fields: &mut Fields<'_>) -> Result<()> {
    fields.take("features", Reader::bin_or_str, |bytes| show(&Value::Bytes((*bytes).into()))).map(|_| ())
}
