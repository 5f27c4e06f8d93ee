//! Bad input through the draft dialect: a clear error on the same connection, or a close; nothing written, nobody else
//! disturbed.

use crate::draft::{HANDSHAKE, InProcess, Over, Peer, Tcp, framed, request};
use crate::draft_script::{Script, bytes};
use flint::wire::msgpack::{Reader, Write};
use proptest::prelude::*;

/// A request of every operation that has one, well-formed for a table `id` INT64, `name` STRING.
const REQUESTS: &[(i64, &str)] = &[
    (1, "'n' {2} 'live' true 'columns' [2] [4] 'id' 4 true false [5] 'v' 9 false true {2} 'length' 9 'default' 'x'"),
    (2, "'none'"),
    (3, ""),
    (4, "'t'"),
    (5, "T nil"),
    (5, "T [2] 1 1"),
    (10, "T 1 900 'a'"),
    (11, "T {3} 'id' 900 'name' 'a' 'more' 1.5"),
    (12, "T 1 900"),
    (13, "T 1 2 900 'a' 901 'b'"),
    (14, "T [2] {2} 'id' 900 'more' true {1} 'id' 901"),
    (15, "T 1 2 900 901"),
    (16, "T 1 900 'a'"),
    (17, "T {2} 'id' 900 'name' 'a'"),
    (18, "T 1 900 'a'"),
    (19, "T {2} 'id' 900 'more' 0x0102"),
    (20, "T 1 2 900 'a' 901 'b'"),
    (21, "T [2] {1} 'id' 900 {1} 'id' 901"),
    (22, "T 1 900 'a'"),
    (23, "T {1} 'id' 900"),
    (24, "T 1 900 'a' 900 'b'"),
    (25, "T {1} 'id' 900 {1} 'id' 900"),
    (26, "T 1 900 'a'"),
    (27, "T {2} 'id' 900 'more' x4:000007e50c02"),
    (28, "T 1 900"),
    (29, "T 1 2 900 901"),
    (30, "T 1 900 'a'"),
    (31, "T 1 2 900 'a' 901 'b'"),
    (32, "T 1 900"),
    (33, "T 1 900"),
    (34, "'PUBLIC' 10 0 'DROP TABLE IF EXISTS NONE' [1] 4 5"),
    (35, "900 10"),
    (36, "'PUBLIC' [2] 'DROP TABLE IF EXISTS A' nil nil [1] 4 5"),
    (37, "900"),
    (38, "'PUBLIC' nil [1] 'TABLE'"),
    (39, "'PUBLIC' 'a' 'b'"),
    (40, "'PUBLIC'"),
    (41, "'PUBLIC' 'a'"),
    (42, "900"),
];

fn live() -> Script {
    Script::with_table(&["id:4:key", "name:9"], true)
}

/// The status of the one answer, after checking its head.
fn status(peer: &mut dyn Peer, id: i64) -> i64 {
    let answer = peer.answer(false);
    let mut reader = Reader::new(answer.get(4..).unwrap_or_default());
    assert_eq!((reader.i64(), reader.i64()), (Ok(0), Ok(id)), "{answer:02x?}");
    let status = reader.i64().unwrap();
    if status != 0 {
        assert!(!reader.str().unwrap().is_empty());
        assert!(reader.is_empty());
    }
    status
}

#[test]
fn every_request_cut_at_every_length_is_refused_and_changes_nothing() {
    for (op, text) in REQUESTS {
        let mut t = live();
        let body = bytes(text, &t.table);
        let whole = request(*op, 7, |out| out.extend(&body));
        let payload = &whole[4..];
        for cut in 0..payload.len() {
            t.peer.send(&framed(&payload[..cut]));
            let id = if cut < 2 { -1 } else { 7 };
            let status = status(&mut *t.peer, id);
            assert_eq!(status, 1, "{op} {text} cut at {cut}");
        }
        assert_eq!(t.schema(), "1 id:4 name:9", "{op}");
        assert_eq!(t.ask(15, "T 1 2 900 901"), "nil", "{op}");
        assert_eq!(t.ask(3, ""), "{1} T 't'", "{op}");
        // The whole one is fine, and so is one with more behind it.
        for extra in [&[][..], &[0xc0, 0xc1]] {
            t.peer.send(&framed(&[payload, extra].concat()));
            assert_eq!(status(&mut *t.peer, 7), i64::from(*op == 1 && !extra.is_empty()), "{op} {text}");
        }
    }
}

#[test]
fn every_handshake_cut_at_every_length_is_refused_and_may_be_repeated() {
    let payload = b"\x03\0\0\x02\xc4\x01\x01\x81\xa3foo\x91\x01";
    for cut in 0..payload.len() {
        let mut peer = InProcess::new().connect();
        peer.send(&[b"IGNI", &framed(&payload[..cut])[..]].concat());
        let answer = peer.answer(false);
        let accepted = answer[8..].starts_with(&[3, 0, 0, 0]);
        // The extensions may be left out altogether.
        assert_eq!(accepted, cut == 7, "cut at {cut}: {answer:02x?}");
        if !accepted {
            assert!(answer.starts_with(b"IGNI") && answer[8..].starts_with(&[3, 0, 0, 1]));
            peer.send(&HANDSHAKE[4..]);
            assert!(peer.answer(false)[8..].starts_with(&[3, 0, 0, 0]));
        }
    }
}

#[test]
fn heads_that_cannot_be_read_are_answered_to_nobody() {
    let mut t = live();
    for payload in
        [&b""[..], b"\x03", b"\xc1\xc1\xc1\xc1", b"\xa13\x01", b"\x03\xa11", b"\xce\xff\xff\xff\xff\x01", b"\xc0"]
    {
        t.peer.send(&framed(payload));
        assert_eq!(status(&mut *t.peer, -1), 1, "{payload:02x?}");
    }
    for id in [0, -5, 1, i64::MAX, i64::MIN] {
        t.peer.send(&request(3, id, |_| {}));
        assert_eq!(status(&mut *t.peer, id), 0);
    }
    for op in [0, 6, 9, 43, 99, -1, i64::from(i32::MAX)] {
        assert_eq!(t.ask(op, ""), format!("!Unexpected operation code: {op}"));
    }
}

#[test]
fn absurd_counts_are_refused_before_memory_is_reserved() {
    let mut t = live();
    let id = t.table.clone();
    let mut send = |op: i64, tail: &[u8]| {
        t.peer.send(&request(op, 7, |out| {
            out.put_ext(9, &id);
            out.extend(tail);
        }));
        assert_eq!(status(&mut *t.peer, 7), 1, "{op} {tail:02x?}");
    };
    for op in [13, 15, 20, 29, 31] {
        for count in [
            &b"\xd2\x7f\xff\xff\xff"[..],
            b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xce\xff\xff\xff\xff",
            b"\xff",
            b"\x02\x01",
        ] {
            send(op, &[b"\x01", count].concat());
        }
    }
    for op in [14, 21] {
        send(op, b"\xdd\xff\xff\xff\xff\x80");
        send(op, b"\x91\xdf\xff\xff\xff\xff");
    }
    for op in [11, 17, 19, 23, 25, 27] {
        send(op, b"\xdf\xff\xff\xff\xff\xa1a\x01");
        send(op, b"\x81\xdb\xff\xff\xff\xffa");
        send(op, b"\x81\xa1a\xc6\xff\xff\xff\xff");
        send(op, b"\x81\xa1a\xc9\xff\xff\xff\xff\x01");
    }
    send(5, b"\xdd\xff\xff\xff\xff\x01");
    // A row takes at least a byte a column, so a million rows and one fit this frame; they are too many all the same.
    let mut rows = b"\x01\xce\x00\x0f\x42\x41".to_vec();
    rows.resize(rows.len() + 2 * 1_000_001, 0xc0);
    send(13, &rows);
}

#[test]
fn values_that_nest_too_deep_are_refused() {
    let mut t = live();
    for levels in [33, 1_000, 1_000_000] {
        let mut deep = Vec::new();
        deep.put_ext(9, &t.table);
        deep.extend(b"\x82\xa2id\x01\xa1x");
        deep.resize(deep.len() + levels, 0x91);
        deep.push(0xc0);
        t.peer.send(&request(11, 7, |out| out.extend(&deep)));
        assert_eq!(status(&mut *t.peer, 7), 1);
        // An option that is passed over.
        t.peer.send(&request(1, 7, |out| {
            out.extend(b"\xa1n\x81\xa7columns\x91\x95\xa2id\x04\xc3\xc2\x81\xa7default");
            out.extend(vec![0x91; levels]);
        }));
        assert_eq!(status(&mut *t.peer, 7), 1);
    }
    assert_eq!(t.schema(), "1 id:4 name:9");
}

#[test]
fn wrong_values_are_told_with_table_column_type_and_value() {
    let columns = ["id:4:key", "i1:1", "i2:2", "i4:3", "f:5", "g:6", "s:9", "b:10", "d:12", "u:8", "n:16"];
    let mut t = Script::with_table(&columns, false);
    for (column, ty, value, shown) in [
        ("i1", "INT8", "300", "300"),
        ("i1", "INT8", "-129", "-129"),
        ("i2", "INT16", "32768", "32768"),
        ("i4", "INT32", "2147483648", "2147483648"),
        ("i4", "INT32", "'x'", "\"x\""),
        ("i4", "INT32", "1.5", "1.5"),
        ("i4", "INT32", "[2] 1 1", "array of 2"),
        ("f", "FLOAT", "1", "1"),
        ("g", "DOUBLE", "true", "true"),
        ("s", "STRING", "0x01", "0x01"),
        ("b", "BYTES", "'x'", "\"x\""),
        ("d", "DATE", "x4:000007e50d02", "extension 4"),
        ("d", "DATE", "x3:00000000000000000000000000000000", "UUID 0000"),
        ("d", "DATE", "x4:00", "extension 4 0x00"),
        ("u", "UUID", "x3:00", "extension 3 0x00"),
        ("n", "NUMBER", "5", "5"),
        ("id", "INT64", "'x'", "\"x\""),
    ] {
        let key = if column == "id" { "" } else { "'id' 1 " };
        let pairs = if column == "id" { 1 } else { 2 };
        let answer = t.ask(11, &format!("T {{{pairs}}} {key}'{column}' {value}"));
        for part in ["!", "table=t", column, ty, shown] {
            assert!(answer.contains(part), "{column} {value}: {answer} lacks {part}");
        }
    }
    assert_eq!(t.ask(11, "T {1} 'i1' 1"), "!Missed key column: id");
    assert_eq!(t.ask(11, "T {1} 'id' nil"), "!Missed key column: id");
    assert_eq!(t.ask(12, "T 1 nil"), "!Missed key column: id");
    assert_eq!(t.ask(12, "T 1 1"), "nil");
}

#[test]
fn an_answer_larger_than_a_frame_is_refused() {
    let mut t = live();
    let big = "x".repeat(9 << 20);
    for id in 1..=8 {
        assert_eq!(t.ask(10, &format!("T 1 {id} '{big}'")), "");
    }
    let answer = t.ask(15, "T 1 8 1 2 3 4 5 6 7 8");
    assert!(answer.starts_with("!The answer takes more than"), "{}", &answer[..80]);
    assert_eq!(t.ask(33, "T 1 8"), "true");
}

#[test]
fn others_are_not_disturbed() {
    let server = Tcp::new();
    let mut good = server.connect_established();
    let mut bad: Vec<_> = (0..4).map(|_| server.connect_established()).collect();
    bad[0].send(b"\xff\xff\xff\xff\x03\x01");
    bad[1].send(b"\x7f\xff\xff\xff\x03\x01");
    bad[2].send(b"\x7f\xff\xff\x00\x03\x01");
    // Half a frame, and nothing more.
    bad[3].send(b"\0\0\0\x09\x01");
    good.send(&request(3, 1, |_| {}));
    assert_eq!(status(&mut *good, 1), 0);
    assert!(bad[0].answer(true).is_empty() && bad[0].is_closed());
    assert!(bad[1].answer(true).is_empty() && bad[1].is_closed());
    // A length that the protocol allows and the server does not: a sentence, then the end.
    assert_eq!(status(&mut *bad[2], -1), 1);
    assert!(bad[2].is_closed());
    bad[3].send(b"\x07\xa1n\x80");
    good.send(&request(3, 2, |_| {}));
    assert_eq!(status(&mut *good, 2), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Any frame gets exactly one answer, whatever it holds, and the connection goes on.
    #[test]
    fn damaged_requests_are_answered(
        which in 0..REQUESTS.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut t = live();
        let (op, text) = REQUESTS[which];
        let body = bytes(text, &t.table);
        let mut payload = request(op, 7, |out| out.extend(&body))[4..].to_vec();
        for (place, byte) in damage {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len() + 1));
        }
        t.peer.send(&framed(&payload));
        prop_assert!(t.peer.answer(false).len() > 6);
        prop_assert!(t.peer.answer(false).is_empty());
        t.peer.send(&request(3, 1, |_| {}));
        prop_assert_eq!(status(&mut *t.peer, 1), 0);
    }
}
