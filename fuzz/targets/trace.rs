//! Annotated frames: any bytes are shown, or said to be none.
#![no_main]

use flint::trace::{Conversation, Direction};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut conversation = Conversation::new("");
    let mut out = String::new();
    for (i, chunk) in data.chunks(64).enumerate() {
        let from = if i % 2 == 0 { Direction::Client } else { Direction::Server };
        conversation.bytes(from, chunk, &mut out);
    }
    conversation.finish(&mut out);
});
