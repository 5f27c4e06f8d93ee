//! Annotated frames of the GA dialect: every frame of the recorded sessions is taken apart to its last byte.

use flint::trace::{Conversation, Direction};
use std::collections::HashMap;

#[test]
fn recorded_frames_are_taken_apart_to_the_last_byte() {
    let text = include_str!("../../data/frames/ga/ignite-3.1.0.txt");
    let mut conversations: HashMap<&str, Conversation> = HashMap::new();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.splitn(6, ' ').collect();
        let [_session, connection, direction, _request, hex, note] = fields[..] else { panic!("{line}") };
        let payload: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let mut bytes = Vec::new();
        let from = if direction == ">" { Direction::Client } else { Direction::Server };
        let conversation = conversations.entry(connection).or_insert_with(|| Conversation::new(""));
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        let start = out.len();
        conversation.bytes(from, &bytes, &mut out);
        assert!(!out[start..].contains("malformed"), "{note}\n{}", &out[start..]);
    }
    for part in [
        "50 SQL_EXEC",
        "ID=1, NAME=\"Anna\", SALARY=11.5",
        "DEC=1234.56789, D=2024-02-29",
        "262148 (group 4, number 4)",
        "4 error",
    ] {
        assert!(out.contains(part), "{part} is missing");
    }
}
