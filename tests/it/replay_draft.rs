//! The frames of a real client and of two real servers, replayed against Flint.
//!
//! `data/frames/draft/*.txt` hold captured conversations as `flint decode` prints them. Each client frame is sent, and the
//! answer has to be the captured one byte by byte, but for table ids, which are mapped. Where Flint differs on purpose the
//! file says so, with the reason and the answer to be expected instead. Lines for the replay:
//!
//! ```text
//! ! table NAME ID live|strict COLUMN:TYPE[:LENGTH|:key]...   the table is there; the capture knows it by ID
//! ! grow NAME COLUMN:TYPE                                    from outside the conversation the table gains a column
//! ! differs REASON                                           the next answer differs from the captured one
//! ! absent                                                   the capture has no answer here
//! ! flint HEX                                                Flint's answer
//! ! closed                                                   the server closes the connection
//! ! silence                                                  the real server says nothing
//! ```
//!
//! With FLINT_BLESS=1 answers that do not match are written into the files, their reasons left to be filled in.

use crate::draft::{InProcess, Over, Peer, Tcp, answer_of, put_columns};
use flint::trace::{Direction, Line, decode, lines};
use flint::wire::frame::{Next, next};
use flint::wire::msgpack::Write;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn captured_conversations_replay_in_process() {
    replay_all(|| Box::new(InProcess::new()));
}

#[test]
fn captured_conversations_replay_over_tcp() {
    replay_all(|| Box::new(Tcp::new()));
}

#[test]
fn golden_frames_are_what_decode_prints() {
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let again = decode(text.as_bytes(), Direction::Client, flint::door::igni::handshake::Dialect::Draft).unwrap();
        assert!(again == text, "{} is not what flint decode prints for it", path.display());
    }
}

/// The document's worked session is the one that is replayed.
#[test]
fn the_worked_session_of_the_document_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("protocol.md")).unwrap();
    let session = document.split("```text\n").nth(1).and_then(|tail| tail.split("```").next()).unwrap();
    let dialect = flint::door::igni::handshake::Dialect::Draft;
    let golden = fs::read_to_string(root.join("data/frames/draft/worked-session.txt")).unwrap();
    assert_eq!(decode(session.as_bytes(), Direction::Client, dialect).unwrap(), golden);
}

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/frames/draft");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30, "captures are missing");
    files
}

fn replay_all(server: impl Fn() -> Box<dyn Over>) {
    let mut wrong = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let mut replay = Replay::new(server());
        replay.run(&text);
        let name = path.file_name().unwrap().to_string_lossy();
        wrong.extend(replay.wrong.iter().map(|w| format!("{name}: {w}")));
        if std::env::var_os("FLINT_BLESS").is_some() {
            let raw = replay.blessed.join("\n") + "\n";
            let dialect = flint::door::igni::handshake::Dialect::Draft;
            fs::write(&path, decode(raw.as_bytes(), Direction::Client, dialect).unwrap()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One file under way.
struct Replay {
    server: Box<dyn Over>,
    peer: Box<dyn Peer>,
    /// Table ids: the capture's, Flint's.
    ids: Vec<(Vec<u8>, Vec<u8>)>,
    names: HashMap<String, Vec<u8>>,
    wrong: Vec<String>,
    blessed: Vec<String>,
}

/// A step of a file.
#[derive(Debug)]
enum Step {
    Remark(String),
    Client(Vec<u8>),
    Server(Vec<u8>),
}

impl Replay {
    fn new(server: Box<dyn Over>) -> Self {
        let peer = server.connect();
        Self { server, peer, ids: Vec::new(), names: HashMap::new(), wrong: Vec::new(), blessed: Vec::new() }
    }

    fn run(&mut self, text: &str) {
        let steps = steps(text);
        let mut at = 0;
        let mut magic: Vec<u8> = Vec::new();
        while let Some(step) = steps.get(at) {
            at += 1;
            match step {
                Step::Remark(line) => {
                    self.blessed.push(line.clone());
                    self.prepare(line);
                }
                Step::Server(bytes) => self.wrong.push(format!("an answer without a request: {bytes:02x?}")),
                Step::Client(bytes) => {
                    self.blessed.push(format!("> {}", hex(bytes)));
                    magic.extend(bytes);
                    if bytes == b"IGNI" {
                        continue;
                    }
                    let sent = std::mem::take(&mut magic);
                    at += self.exchange(&sent, steps.get(at..).unwrap_or_default());
                }
            }
        }
    }

    fn prepare(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["!", "table", name, id, live, columns @ ..] => {
                let mut peer = self.server.connect_established();
                let made = answer_of(&mut *peer, 1, |out| {
                    out.put_str(name);
                    out.put_map(2);
                    out.put_str("live");
                    out.put_bool(*live == "live");
                    out.put_str("columns");
                    put_columns(out, columns);
                });
                let made = made.unwrap().split_off(3);
                self.ids.push((bytes_of(id), made.clone()));
                self.names.insert((*name).to_owned(), made);
            }
            ["!", "grow", name, column] => self.grow(name, column),
            _ => {}
        }
    }

    /// A row with the new column makes the table grow; then it goes again.
    fn grow(&mut self, name: &str, column: &str) {
        let id = self.names[name].clone();
        let (column, code) = column.split_once(':').unwrap();
        let mut peer = self.server.connect_established();
        answer_of(&mut *peer, 11, |out| {
            out.put_ext(9, &id);
            out.put_map(2);
            out.put_str("id");
            out.put_int(-1);
            out.put_str(column);
            if code == "9" { out.put_str("x") } else { out.put_int(1) }
        })
        .unwrap();
        answer_of(&mut *peer, 28, |out| {
            out.put_ext(9, &id);
            out.put_int(1);
            out.put_int(-1);
        })
        .unwrap();
    }

    /// Sends one frame and judges the answer; returns how many of the following steps belong to it.
    fn exchange(&mut self, sent: &[u8], following: &[Step]) -> usize {
        let mut captured: Option<Vec<u8>> = None;
        let (mut expected, mut reason, mut closed, mut silence) = (None, None, false, false);
        let mut used = 0;
        for step in following {
            match step {
                Step::Server(bytes) => captured.get_or_insert_default().extend(bytes),
                Step::Remark(line) => match line.split_once(' ').map_or("", |(_, rest)| rest) {
                    rest if rest.starts_with("differs ") => reason = Some(line.clone()),
                    rest if rest.starts_with("flint ") => expected = Some(bytes_of(&rest[6..])),
                    "absent" => {}
                    "closed" => closed = true,
                    "silence" => silence = true,
                    _ => break,
                },
                Step::Client(_) => break,
            }
            used += 1;
        }
        let differs = expected.is_some();
        let expected = expected.or_else(|| captured.clone()).unwrap_or_default();
        self.peer.send(&self.to_flint(sent));
        // What is no whole frame has no answer, unless the file has something to say of it.
        let judged = used > 0 || matches!(next(sent.strip_prefix(b"IGNI").unwrap_or(sent), usize::MAX), Next::Frame(_));
        let got = if judged { self.peer.answer(closed || silence) } else { Vec::new() };
        let is_closed = (closed || silence) && self.peer.is_closed();
        if let Some(captured) = &captured {
            self.learn(captured, &got);
        }
        let got = self.to_capture(&got);
        let fine = got == expected && closed == is_closed && (!silence || differs);
        if !fine {
            self.wrong.push(format!(
                "answer {} (closed: {is_closed}) instead of {} (closed: {closed}) to {}",
                hex(&got),
                hex(&expected),
                hex(sent)
            ));
        }
        self.bless(&got, captured.as_deref(), reason, is_closed, silence);
        used
    }

    fn bless(&mut self, got: &[u8], captured: Option<&[u8]>, reason: Option<String>, closed: bool, silence: bool) {
        if captured != Some(got) && !(captured.is_none() && got.is_empty()) {
            let absent = captured.is_none() && !silence;
            self.blessed.push(if absent { "! absent".into() } else { reason.unwrap_or_else(|| "! differs ?".into()) });
            self.blessed.push(format!("! flint {}", hex(got)));
        }
        if let Some(captured) = captured {
            self.blessed.push(format!("< {}", hex(captured)));
        }
        if silence {
            self.blessed.push("! silence".into());
        }
        if closed {
            self.blessed.push("! closed".into());
        }
    }

    /// A table that the conversation itself creates: both answers are a head of 7 bytes, and an id of 24 in its extension.
    fn learn(&mut self, captured: &[u8], got: &[u8]) {
        let id = |answer: &[u8]| answer.get(7..).and_then(|t| t.strip_prefix(b"\xc7\x18\x09")).map(<[u8]>::to_vec);
        if let (Some(theirs), Some(ours)) = (id(captured), id(got))
            && !self.ids.iter().any(|(_, known)| *known == ours)
        {
            self.ids.push((theirs, ours));
        }
    }

    fn to_flint(&self, bytes: &[u8]) -> Vec<u8> {
        self.ids.iter().fold(bytes.to_vec(), |bytes, (captured, ours)| replaced(&bytes, captured, ours))
    }

    fn to_capture(&self, bytes: &[u8]) -> Vec<u8> {
        self.ids.iter().fold(bytes.to_vec(), |bytes, (captured, ours)| replaced(&bytes, ours, captured))
    }
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in lines(text).unwrap() {
        match (line, steps.last_mut()) {
            (Line::Remark(text), _) => steps.push(Step::Remark(text.to_owned())),
            (Line::From(Direction::Client), _) => steps.push(Step::Client(Vec::new())),
            (Line::From(Direction::Server), _) => steps.push(Step::Server(Vec::new())),
            (Line::Bytes(more), Some(Step::Client(bytes) | Step::Server(bytes))) => bytes.extend(more),
            (Line::Bytes(_), _) => panic!("bytes of nobody"),
        }
    }
    steps
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        match rest.strip_prefix(from) {
            Some(tail) => {
                out.extend(to);
                rest = tail;
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}
