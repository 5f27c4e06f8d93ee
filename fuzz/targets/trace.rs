//! Annotated frames: any bytes are shown, and read back from the text as the same bytes.
#![no_main]

use flint::door::igni::handshake::Dialect;
use flint::trace::{Conversation, Direction, Line, decode, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut conversation = Conversation::new("");
    let (mut out, mut said, mut read) = (String::new(), [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for (i, chunk) in data.chunks(64).enumerate() {
        let from = if i % 2 == 0 { Direction::Client } else { Direction::Server };
        conversation.bytes(from, chunk, &mut out);
        said[from as usize].extend_from_slice(chunk);
    }
    conversation.finish(&mut out);
    let mut from = Direction::Client;
    for line in lines(&out).expect("a trace") {
        match line {
            Line::From(direction) => from = direction,
            Line::Bytes(bytes) => read[from as usize].extend(bytes),
            Line::Remark(_) => {}
        }
    }
    assert_eq!(read, said);
    let _ = decode(data, Direction::Server, Dialect::Draft);
});
