//! Requests of the draft dialect: each gets one well-formed answer, and the connection goes on.
#![no_main]

use flint::door::igni::{Services, Session};
use flint::door::{ConnId, Flow, Output};
use flint::wire::msgpack::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut engine = flint_fuzz::engine();
    let mut session = Session::new(ConnId(1), ([127, 0, 0, 1], 10800).into(), Services::default());
    let mut out = Output::default();
    session.frame(&mut engine, &[3, 0, 0, 2, 0xc4, 0, 0x80], &mut out);
    assert!(session.established());
    out.sent(out.len());
    for frame in flint_fuzz::frames(data) {
        match session.frame(&mut engine, frame, &mut out) {
            Flow::Continue => {}
            // A statement runs on another thread, and nobody wakes it here.
            Flow::Park => {
                assert!(out.is_empty());
                continue;
            }
            Flow::Close => panic!("the connection was closed"),
        }
        let answer = out.sendable(u64::MAX).to_vec();
        out.sent(answer.len());
        let (length, payload) = answer.split_first_chunk::<4>().expect("an answer");
        assert_eq!(u32::from_be_bytes(*length) as usize, payload.len(), "one answer");
        let mut reader = Reader::new(payload);
        assert_eq!(reader.i64(), Ok(0));
        reader.i64().expect("a request id");
        if reader.i64().expect("a status") != 0 {
            assert!(!reader.str().expect("a message").is_empty());
            assert!(reader.is_empty());
        }
        while !reader.is_empty() {
            reader.skip().expect("a value");
        }
    }
});
