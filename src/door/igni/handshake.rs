//! The first frame of a connection: what the client speaks, and what it brought along.
//!
//! Both generations open with the same fields, version 3.0.0 included. What tells them apart is how they write the
//! extensions that come last: the draft as a msgpack map, today's clients as a plain count. The two shortest requests
//! differ in that one byte:
//!
//! ```text
//! draft  03 00 00 02 C4 00 80
//! GA     03 00 00 02 C4 00 00
//! ```
//!
//! The features cannot tell: Ignite 3.0.0's clients send none. So the dialect is decided here, once, and a refusal is
//! written in the form of the dialect that was recognised.

use crate::config::HANDSHAKE_EXTENSIONS_MAX;
use crate::error::{Error, Kind, Result};
use crate::wire::msgpack::{Family, Reader, Write};

/// The only protocol version there is: major, minor, patch.
pub const VERSION: [i32; 3] = [3, 0, 0];

/// Which generation of the protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 3.0.0-alpha3.
    Draft,
    /// 3.0.0 and newer.
    Ga,
}

/// What a client says in its first frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The dialect its extensions are written in.
    pub dialect: Dialect,
    /// 1 JDBC, 2 general, 3 ODBC, 4 Python; nothing depends on it.
    pub client_code: i32,
    /// A bit mask, lowest bits first.
    pub features: &'a [u8],
    /// Extensions in the order sent. A value that is no text is `None`.
    pub extensions: Vec<(&'a str, Option<&'a str>)>,
}

/// A first frame that is not accepted, and the dialect to say so in.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The dialect the answer is written in.
    pub dialect: Dialect,
    /// What is wrong.
    pub error: Error,
}

impl<'a> Request<'a> {
    /// Reads the first frame. Bytes after its last field are ignored.
    ///
    /// # Errors
    /// The frame is malformed, or asks for a version other than [`VERSION`].
    pub fn parse(frame: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(frame);
        let mut dialect = Dialect::Draft;
        Self::read(&mut reader, &mut dialect).map_err(|error| Refusal { dialect, error })
    }

    /// Sets `dialect` as soon as it is known, so that what fails later is answered in it.
    fn read(reader: &mut Reader<'a>, dialect: &mut Dialect) -> Result<Self> {
        let version = [reader.i32()?, reader.i32()?, reader.i32()?];
        if version != VERSION {
            // Other versions may have other fields; the dialect is a guess worth making for the answer's form only.
            if let Ok(Dialect::Ga) = head(reader).and_then(|_| detect(reader)) {
                *dialect = Dialect::Ga;
            }
            let [major, minor, patch] = version;
            return Err(Error::new(Kind::ProtocolVersion, format!("Unsupported version: {major}.{minor}.{patch}")));
        }
        let (client_code, features) = head(reader)?;
        *dialect = detect(reader).inspect_err(|_| *dialect = Dialect::Ga)?;
        let extensions = match dialect {
            Dialect::Draft => map(reader)?,
            Dialect::Ga => pairs(reader)?,
        };
        Ok(Self { dialect: *dialect, client_code, features, extensions })
    }

    /// The text of the extension `key`; keys compare without case.
    pub fn extension(&self, key: &str) -> Option<&'a str> {
        self.extensions.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).and_then(|(_, value)| *value)
    }
}

/// Client code and features.
fn head<'a>(reader: &mut Reader<'a>) -> Result<(i32, &'a [u8])> {
    Ok((reader.i32()?, reader.bin_or_str()?))
}

fn detect(reader: &Reader<'_>) -> Result<Dialect> {
    if reader.is_empty() {
        // A hand-written draft client may leave out extensions it does not have; every GA client writes the count.
        return Ok(Dialect::Draft);
    }
    let marker = reader.peek()?;
    match Family::of(marker) {
        Family::Map => Ok(Dialect::Draft),
        Family::Integer => Ok(Dialect::Ga),
        family => Err(Error::protocol(format!(
            "Expected the extensions as Map (draft) or their count as Integer, but got {} ({marker:02x})",
            family.name()
        ))),
    }
}

/// The draft's map. What is not text is passed over, also what is beyond the limit.
fn map<'a>(reader: &mut Reader<'a>) -> Result<Vec<(&'a str, Option<&'a str>)>> {
    let mut pairs = Vec::new();
    if reader.is_empty() {
        return Ok(pairs);
    }
    reader.clone().skip()?;
    for _ in 0..reader.map()? {
        let (key, value) = (text(reader)?, text(reader)?);
        if let Some(key) = key
            && pairs.len() < HANDSHAKE_EXTENSIONS_MAX
        {
            pairs.push((key, value));
        }
    }
    Ok(pairs)
}

/// The next value, if it is text; else it is passed over.
fn text<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>> {
    if reader.family()? == Family::String {
        return reader.str().map(Some);
    }
    reader.skip()?;
    Ok(None)
}

fn pairs<'a>(reader: &mut Reader<'a>) -> Result<Vec<(&'a str, Option<&'a str>)>> {
    let count = reader.count(2)?;
    if count > HANDSHAKE_EXTENSIONS_MAX {
        return Err(Error::protocol(format!("{count} handshake extensions, the limit is {HANDSHAKE_EXTENSIONS_MAX}")));
    }
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let key = reader.str()?;
        pairs.push((key, text(reader)?));
    }
    Ok(pairs)
}

/// Codes of the draft's handshake answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DraftCode {
    Success = 0,
    Failed = 1,
    AuthenticationFailed = 2,
}

/// The draft's answer to an accepted handshake. Features and extensions stay empty: its Java client passes over as many
/// values as the features have bytes, and over half of the extensions.
pub fn accept_draft(out: &mut Vec<u8>) {
    put_version(out);
    out.put_int(DraftCode::Success as i64);
    out.put_bin(&[]);
    out.put_map(0);
}

/// The draft's answer to a refused handshake. The connection may try again.
pub fn refuse_draft(out: &mut Vec<u8>, error: &Error) {
    put_version(out);
    out.put_int(match error.kind {
        Kind::InvalidCredentials | Kind::UnsupportedAuthentication => DraftCode::AuthenticationFailed,
        _ => DraftCode::Failed,
    } as i64);
    out.put_str(&error.message);
}

/// The fields that open every answer, of both dialects.
pub fn put_version(out: &mut Vec<u8>) {
    for part in VERSION {
        out.put_int(part.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Request<'_>, Refusal> {
        Request::parse(bytes)
    }

    fn refusal(bytes: &[u8]) -> (Dialect, String) {
        let refusal = parse(bytes).unwrap_err();
        (refusal.dialect, refusal.error.message.into_owned())
    }

    #[test]
    fn the_last_byte_tells_the_dialect() {
        let draft = parse(&[3, 0, 0, 2, 0xc4, 0, 0x80]).unwrap();
        assert_eq!((draft.dialect, draft.client_code, draft.features), (Dialect::Draft, 2, &[][..]));
        assert_eq!(parse(&[3, 0, 0, 2, 0xc4, 0, 0]).unwrap().dialect, Dialect::Ga);
        assert_eq!(parse(&[3, 0, 0, 2, 0xc4, 0]).unwrap().dialect, Dialect::Draft);
        // Ignite 3.1.0's Java client, and its Python client.
        let java = parse(&[3, 0, 0, 2, 0xc4, 2, 0xcf, 0x0f, 0]).unwrap();
        assert_eq!((java.dialect, java.features), (Dialect::Ga, &[0xcf, 0x0f][..]));
        assert_eq!(parse(&[3, 0, 0, 4, 0xc4, 1, 4, 0]).unwrap().client_code, 4);
        // The draft with features and an extension.
        let draft = parse(&[3, 0, 0, 2, 0xc4, 1, 1, 0x81, 0xa3, b'f', b'o', b'o', 1]).unwrap();
        assert_eq!((draft.dialect, draft.extensions), (Dialect::Draft, vec![("foo", None)]));
    }

    #[test]
    fn ga_extensions_are_read() {
        let mut frame = vec![3, 0, 0, 2, 0xc4, 0, 4];
        for (key, value) in [("authn-type", "BASIC"), ("AUTHN-IDENTITY", "u"), ("authn-secret", "p")] {
            frame.put_str(key);
            frame.put_str(value);
        }
        frame.put_str("other");
        frame.put_array(0);
        let request = parse(&frame).unwrap();
        assert_eq!(request.extension("authn-identity"), Some("u"));
        assert_eq!(request.extension("other"), None);
        assert_eq!(request.extensions.len(), 4);
        for cut in 7..frame.len() {
            assert_eq!(parse(&frame[..cut]).unwrap_err().dialect, Dialect::Ga, "cut at {cut}");
        }
    }

    #[test]
    fn refusals_say_why_in_the_dialect_recognised() {
        let unsupported = "Unsupported version: 2.8.0".to_owned();
        assert_eq!(refusal(&[2, 8, 0, 2, 0xc4, 0, 0x80]), (Dialect::Draft, unsupported.clone()));
        assert_eq!(refusal(&[2, 8, 0, 2, 0xc4, 0, 0x00]), (Dialect::Ga, unsupported.clone()));
        assert_eq!(refusal(&[2, 8, 0]), (Dialect::Draft, unsupported));
        let garbage = "Expected Integer, but got String (a3)".to_owned();
        assert_eq!(refusal(&[0xa3, 0x61, 0x62, 0x63]), (Dialect::Draft, garbage));
        assert_eq!(refusal(&[3, 0, 0, 2, 0xc4, 0, 0xa0]).0, Dialect::Ga);
        for cut in 0..6 {
            assert_eq!(refusal(&[3, 0, 0, 2, 0xc4, 0][..cut]).0, Dialect::Draft, "cut at {cut}");
        }
    }

    #[test]
    fn a_flood_of_extensions_is_refused() {
        let mut frame = vec![3, 0, 0, 2, 0xc4, 0];
        frame.put_int(100_000);
        frame.resize(300_000, 0xa0);
        assert!(refusal(&frame).1.contains("100000 handshake extensions"));
    }

    #[test]
    fn draft_answers_have_the_bytes_of_a_real_server() {
        let mut out = Vec::new();
        accept_draft(&mut out);
        assert_eq!(out, [3, 0, 0, 0, 0xc4, 0, 0x80]);
        out.clear();
        refuse_draft(&mut out, &Error::new(Kind::ProtocolVersion, "Unsupported version: 2.8.0"));
        assert_eq!(out, *b"\x03\0\0\x01\xbaUnsupported version: 2.8.0");
    }
}
