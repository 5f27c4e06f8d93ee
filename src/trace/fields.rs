//! A payload taken apart: which bytes are which field, and what they say.

use crate::config::TRACE_FIELDS_MAX;
use crate::door::igni::draft::codec;
use crate::error::{Error, Result};
use crate::value::Value;
use crate::wire::msgpack::{Family, Reader};
use std::ops::Range;

/// One field of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its bytes, counted from the start of the payload.
    pub bytes: Range<usize>,
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// Takes a payload apart from its start. A take that fails adds nothing and passes nothing.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
    list: Vec<Field>,
}

impl<'a> Fields<'a> {
    /// Takes a payload apart with `read`, which may improve on `title`; what it leaves or cannot read is the last field.
    pub(super) fn take_apart(
        payload: &'a [u8],
        title: &str,
        read: impl FnOnce(&mut Self, &mut String) -> Result<()>,
    ) -> (String, Vec<Field>) {
        let mut fields = Self::new(payload);
        let mut title = title.to_owned();
        let outcome = read(&mut fields, &mut title);
        (title, fields.finish(outcome))
    }

    /// The fields of `payload`, none of them taken yet.
    fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload), list: Vec::new() }
    }

    /// Takes a field that `read` reads and `show` describes.
    pub(super) fn take<T>(
        &mut self,
        name: impl Into<String>,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
        show: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        if self.list.len() >= TRACE_FIELDS_MAX {
            return Err(Error::protocol(format!("more than {TRACE_FIELDS_MAX} fields")));
        }
        let start = self.reader.position();
        // Only what became a field is passed.
        let mut reader = self.reader.clone();
        let value = read(&mut reader)?;
        self.reader = reader;
        let field = Field { bytes: start..self.reader.position(), name: name.into(), value: show(&value) };
        self.list.push(field);
        Ok(value)
    }

    /// Takes an integer.
    pub(super) fn int(&mut self, name: impl Into<String>) -> Result<i64> {
        self.take(name, Reader::i64, i64::to_string)
    }

    /// Takes text.
    pub(super) fn str(&mut self, name: impl Into<String>) -> Result<&'a str> {
        self.take(name, Reader::str, |text| show(&Value::Str((*text).into())))
    }

    /// Takes a nil, if one is next.
    pub(super) fn nil_if_next(&mut self, name: &str) -> Result<bool> {
        let is_nil = self.reader.clone().nil_if_next()?;
        if is_nil {
            self.take(name, Reader::nil, |()| "nil".to_owned())?;
        }
        Ok(is_nil)
    }

    /// Takes an array's header.
    pub(super) fn array(&mut self, name: impl Into<String>) -> Result<usize> {
        self.take(name, Reader::array, |n| format!("array of {n}"))
    }

    /// Takes a map's header.
    pub(super) fn map(&mut self, name: impl Into<String>) -> Result<usize> {
        self.take(name, Reader::map, |n| format!("map of {n}"))
    }

    /// Takes a value of any type; what a container holds becomes fields of its own.
    pub(super) fn any(&mut self, name: &str) -> Result<()> {
        self.reader.clone().skip()?;
        self.tree(name)
    }

    fn tree(&mut self, name: &str) -> Result<()> {
        match self.reader.family()? {
            Family::Array => {
                for i in 0..self.array(name)? {
                    self.tree(&format!("{name}[{i}]"))?;
                }
            }
            Family::Map => {
                for i in 0..self.map(name)? {
                    self.tree(&format!("{name}.key[{i}]"))?;
                    self.tree(&format!("{name}.value[{i}]"))?;
                }
            }
            _ => self.take(name, codec::describe, String::clone).map(|_| ())?,
        }
        Ok(())
    }

    /// Whether everything is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// The next value's family.
    pub(super) fn family(&self) -> Result<Family> {
        self.reader.family()
    }

    /// Ends: what is left is one more field, which says why it was not taken apart.
    fn finish(mut self, outcome: Result<()>) -> Vec<Field> {
        let (name, value) = match outcome {
            Ok(()) => ("rest", "ignored".to_owned()),
            Err(error) => ("malformed", error.message.into_owned()),
        };
        if !self.reader.is_empty() || name == "malformed" {
            let start = self.reader.position();
            let end = start + self.reader.rest().len();
            self.list.push(Field { bytes: start..end, name: name.to_owned(), value });
        }
        self.list
    }
}

/// A value as fields show it.
pub(super) fn show(value: &Value<'_>) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Str(text) => format!("{:?}", text.chars().take(SHOWN_MAX).collect::<String>()),
        value => value.to_string(),
    }
}

/// Characters of a text that a field shows; the bytes are there in full.
const SHOWN_MAX: usize = 64;
