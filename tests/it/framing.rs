//! Frames arrive in any pieces, and what is no frame ends the connection.

use crate::raw::{HELLO, Raw, WELCOME, frame, settle, tables_get};
use flint::TestServer;

/// A conversation of a client, and what it is answered.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let mut sent = HELLO.to_vec();
    let mut answered = WELCOME.to_vec();
    for id in 1..=3 {
        sent.extend(tables_get(id));
        answered.extend(frame(&[0, id, 0, 0x80]));
    }
    (sent, answered)
}

#[test]
fn a_conversation_may_be_cut_anywhere() {
    let server = TestServer::start();
    let (sent, answered) = conversation();
    for cut in 0..=sent.len() {
        let mut raw = Raw::connect(server.addr());
        raw.send(&sent[..cut]);
        settle(&server);
        raw.send(&sent[cut..]);
        assert_eq!(raw.read(answered.len()), answered, "cut at {cut}");
    }
}

#[test]
fn a_conversation_may_come_byte_by_byte() {
    let server = TestServer::start();
    let (sent, answered) = conversation();
    let mut raw = Raw::connect(server.addr());
    for byte in sent {
        raw.send(&[byte]);
        settle(&server);
    }
    assert_eq!(raw.read(answered.len()), answered);
}

#[test]
fn a_conversation_may_end_anywhere() {
    let server = TestServer::start();
    let (sent, answered) = conversation();
    for cut in 0..=sent.len() {
        let mut raw = Raw::connect(server.addr());
        raw.send(&sent[..cut]);
        raw.end();
        let got = raw.rest();
        assert!(answered.starts_with(&got), "cut at {cut}: {got:?}");
        if cut == sent.len() {
            assert_eq!(got, answered);
        }
    }
}

#[test]
fn many_requests_may_come_at_once() {
    let server = TestServer::start();
    let mut raw = Raw::draft(server.addr());
    let requests: Vec<u8> = (0..20_000u32).flat_map(|n| tables_get((n % 100) as u8)).collect();
    let mut sender = Raw(raw.0.try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(&requests));
        for n in 0..20_000u32 {
            assert_eq!(raw.frame(), [0, (n % 100) as u8, 0, 0x80]);
        }
    });
}

#[test]
fn wrong_magic_is_not_answered() {
    let server = TestServer::start();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"IGNX", b"X", &[0; 100], b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"]
    {
        let mut raw = Raw::connect(server.addr());
        raw.send(bytes);
        assert_eq!(raw.rest(), b"", "{bytes:?}");
    }
}

#[test]
fn impossible_lengths_are_not_answered() {
    let server = TestServer::start();
    for length in [0xffff_ffff_u32, 0x8000_0000, 0x7fff_ffff, 0x7fff_fff8] {
        let mut raw = Raw::draft(server.addr());
        raw.send(&[&tables_get(1), &length.to_be_bytes()[..], &[0; 64]].concat());
        assert_eq!(raw.rest(), frame(&[0, 1, 0, 0x80]), "{length:#x}");
        let mut raw = Raw::connect(server.addr());
        raw.send(&[b"IGNI", &length.to_be_bytes()[..], &[0; 64]].concat());
        assert_eq!(raw.rest(), b"", "{length:#x}");
    }
}

#[test]
fn frames_above_the_limit_are_refused_with_a_reason() {
    let server = TestServer::builder().limits(|limits| limits.frame_bytes = 1000).start();
    for length in [1001u32, 1 << 30, 0x7fff_fff7] {
        let mut raw = Raw::draft(server.addr());
        raw.send(&[&tables_get(1), &length.to_be_bytes()[..], &[0; 1001]].concat());
        assert_eq!(raw.frame(), [0, 1, 0, 0x80]);
        let error = raw.frame();
        assert_eq!(error[..3], [0, 0xff, 1], "an error with the request id -1");
        let text = String::from_utf8_lossy(&error[3..]).into_owned();
        assert!(text.contains(&length.to_string()) && text.contains("1000"), "{text}");
        assert_eq!(raw.rest(), b"");
    }
    let mut raw = Raw::draft(server.addr());
    raw.send(&frame(&[&[3, 1][..], &[0; 998]].concat()));
    assert_eq!(raw.frame(), [0, 1, 0, 0x80]);
}

#[test]
fn a_large_frame_is_refused_before_the_handshake() {
    let server = TestServer::start();
    let mut raw = Raw::connect(server.addr());
    raw.send(b"IGNI\0\x10\0\0");
    let answer = raw.rest();
    assert!(answer.starts_with(b"IGNI"), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer).contains("before the handshake"));
}

#[test]
fn an_empty_frame_is_an_error_and_no_more() {
    let server = TestServer::start();
    let mut raw = Raw::draft(server.addr());
    raw.send(&[frame(&[]), tables_get(1)].concat());
    assert_eq!(raw.frame()[..3], [0, 0xff, 1]);
    assert_eq!(raw.frame(), [0, 1, 0, 0x80]);
}

#[test]
fn a_frame_of_many_reads_arrives_whole() {
    let server = TestServer::start();
    let mut raw = Raw::draft(server.addr());
    // Bytes behind a request's last field are ignored.
    let large = [&[3, 7][..], &vec![0xc1; 5_000_000]].concat();
    raw.send(&frame(&large));
    raw.send(&tables_get(8));
    assert_eq!(raw.frame(), [0, 7, 0, 0x80]);
    assert_eq!(raw.frame(), [0, 8, 0, 0x80]);
}

#[test]
fn all_connections_together_buffer_within_their_limit() {
    let server = TestServer::builder().limits(|limits| limits.buffered_bytes = 1 << 20).start();
    let mut raws: Vec<_> = (0..20).map(|_| Raw::draft(server.addr())).collect();
    // Each begins a frame of 1 MiB and does not end it.
    let begun = [&(1u32 << 20).to_be_bytes()[..], &[0; 200_000]].concat();
    for raw in &mut raws {
        raw.send(&begun);
        settle(&server);
    }
    let mut refused = 0;
    for raw in &mut raws {
        raw.0.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        let mut start = [0; 4];
        refused += usize::from(std::io::Read::read_exact(&mut raw.0, &mut start).is_ok());
    }
    assert!((10..20).contains(&refused), "{refused} of 20 were refused");
    Raw::draft(server.addr()).send(&tables_get(1));
}
