//! Requests and answers of the draft dialect as short texts, so that a test reads as a conversation.
//!
//! `T` is the table's id, `nil true false 12 1.5 'text' 0x0102` are values, `x4:000007e50c02` is an extension, `[2]` and
//! `{2}` are headers of an array and a map, whose content follows. An answer is what follows its status; an error is `!`
//! and its text.

use crate::draft::{InProcess, Over, Peer, answer_of, put_columns};
use flint::wire::msgpack::{Family, Reader, Write};

/// A server in process, a connection, and a table called `t`.
pub struct Script {
    pub server: InProcess,
    pub peer: Box<dyn Peer>,
    pub table: Vec<u8>,
}

impl Script {
    /// A table of these columns, each as `name:type code[:length|:key]`.
    pub fn with_table(columns: &[&str], live: bool) -> Self {
        let server = InProcess::new();
        let peer = server.connect_established();
        let mut script = Self { server, peer, table: Vec::new() };
        let made = answer_of(&mut *script.peer, 1, |out| {
            out.put_str("t");
            out.put_map(2);
            out.put_str("live");
            out.put_bool(live);
            out.put_str("columns");
            put_columns(out, columns);
        });
        let made = made.unwrap();
        script.table = Reader::new(&made).ext().unwrap().1.to_vec();
        script
    }

    /// Sends a request and returns its answer.
    pub fn ask(&mut self, op: i64, request: &str) -> String {
        let body = bytes(request, &self.table);
        match answer_of(&mut *self.peer, op, |out| out.extend(body)) {
            Ok(answer) => text(&answer, &self.table),
            Err(message) => format!("!{message}"),
        }
    }

    /// The newest schema as `version name:code...`.
    pub fn schema(&mut self) -> String {
        let answer = answer_of(&mut *self.peer, 5, |out| {
            out.put_ext(9, &self.table);
            out.put_nil();
        });
        let answer = answer.unwrap();
        let mut reader = Reader::new(&answer);
        assert_eq!(reader.map(), Ok(1));
        let mut out = reader.i64().unwrap().to_string();
        for _ in 0..reader.array().unwrap() {
            assert_eq!(reader.array(), Ok(4));
            out += &format!(" {}:{}", reader.str().unwrap(), reader.i64().unwrap());
            let (key, nullable) = (reader.bool().unwrap(), reader.bool().unwrap());
            assert!(key || nullable);
        }
        out
    }
}

/// The bytes of a text.
pub fn bytes(text: &str, table: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, tail) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let (inner, tail) = quoted.split_once('\'').unwrap();
                out.put_str(inner);
                (None, tail)
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
        };
        if let Some(token) = token {
            put(&mut out, token, table);
        }
        rest = tail.trim_start();
    }
    out
}

fn put(out: &mut Vec<u8>, token: &str, table: &[u8]) {
    let inner = |open, close| token.strip_prefix(open).and_then(|t| t.strip_suffix(close)).map(|n| n.parse().unwrap());
    match token {
        "T" => out.put_ext(9, table),
        "nil" => out.put_nil(),
        "true" => out.put_bool(true),
        "false" => out.put_bool(false),
        _ if token.starts_with("0x") => out.put_bin(&hex(&token[2..])),
        _ if token.starts_with('x') => {
            let (kind, payload) = token[1..].split_once(':').unwrap();
            out.put_ext(kind.parse().unwrap(), &hex(payload));
        }
        _ if token.contains('.') => out.put_f64(token.parse().unwrap()),
        _ => match (inner('[', ']'), inner('{', '}')) {
            (Some(n), _) => out.put_array(n),
            (_, Some(n)) => out.put_map(n),
            _ => out.put_int(token.parse().unwrap()),
        },
    }
}

/// Bytes as a text.
pub fn text(bytes: &[u8], table: &[u8]) -> String {
    let mut reader = Reader::new(bytes);
    let mut tokens = Vec::new();
    while !reader.is_empty() {
        tokens.push(match reader.family().unwrap() {
            Family::Nil => reader.nil().map(|()| "nil".into()).unwrap(),
            Family::Boolean => reader.bool().unwrap().to_string(),
            Family::Integer => reader.i64().unwrap().to_string(),
            Family::Float32 | Family::Float64 => format!("{:?}", reader.f64().unwrap()),
            Family::String => format!("'{}'", reader.str().unwrap()),
            Family::Binary => format!("0x{}", unhex(reader.bin().unwrap())),
            Family::Array => format!("[{}]", reader.array().unwrap()),
            Family::Map => format!("{{{}}}", reader.map().unwrap()),
            Family::Extension => match reader.ext().unwrap() {
                (9, id) if id == table => "T".into(),
                (kind, payload) => format!("x{kind}:{}", unhex(payload)),
            },
            Family::NeverUsed => panic!("0xC1 in an answer"),
        });
    }
    tokens.join(" ")
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

fn unhex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
