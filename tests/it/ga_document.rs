//! protocol-ga.md: every operation is in it, and its worked session is what the server answers.

use super::ga_support::{Reply, World};
use flint::door::igni::ga::opcode::Opcode;
use flint::trace::{Line, lines};

const DOCUMENT: &str = include_str!("../../protocol-ga.md");

#[test]
fn every_operation_is_in_the_document() {
    for op in Opcode::ALL {
        let row = format!("| {} | {} |", op.code(), op.name());
        assert!(DOCUMENT.contains(&row), "no row {row}");
    }
}

#[test]
fn the_worked_session_is_what_the_server_answers() {
    let session = DOCUMENT.split("```text\n").nth(1).and_then(|tail| tail.split("```").next()).unwrap();
    let mut world = World::new();
    let client = world.connect();
    let frames: Vec<Vec<u8>> = lines(session)
        .unwrap()
        .into_iter()
        .filter_map(|line| match line {
            Line::Bytes(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    // The handshake, with its magic, is another test's.
    let exchanges = frames[2..].as_chunks::<2>().0;
    assert_eq!(exchanges.len(), 12);
    for [request, answer] in exchanges {
        world.frame(client, &request[4..]);
        let ours = world.drain(client).pop().unwrap();
        let documented = Reply::read(&answer[4..]);
        assert_eq!((ours.id, ours.flags), (documented.id, documented.flags));
        if ours.flags == 4 {
            assert_eq!(ours.error(), documented.error());
        } else {
            assert_eq!(ours.body, documented.body, "request {}", ours.id);
        }
    }
}
