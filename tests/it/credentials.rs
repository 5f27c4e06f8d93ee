//! Who may connect, in both dialects.

use flint::config::Authentication;
use flint::fixture::TestServer;
use flint::wire::msgpack::{Reader, Write};
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The answer's payload to a first frame, and whether the connection is closed after it.
fn greet(addr: SocketAddr, frame: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"IGNI").unwrap();
    stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(frame).unwrap();
    let mut head = [0; 8];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head[..4], b"IGNI");
    let mut payload = vec![0; u32::from_be_bytes(head[4..].try_into().unwrap()) as usize];
    stream.read_exact(&mut payload).unwrap();
    // A heartbeat tells whether the connection goes on.
    let closed = stream.write_all(&[0, 0, 0, 2, 1, 1]).is_err() || !matches!(stream.read(&mut head), Ok(n) if n > 0);
    (payload, closed)
}

fn ga(extensions: &[(&str, &str)]) -> Vec<u8> {
    let mut frame = vec![3, 0, 0, 2, 0xc4, 0];
    frame.put_int(extensions.len() as i64);
    for (key, value) in extensions {
        frame.put_str(key);
        frame.put_str(value);
    }
    frame
}

/// The error code of a refused GA handshake; none if it was accepted.
fn code(addr: SocketAddr, extensions: &[(&str, &str)]) -> Option<i64> {
    let (payload, closed) = greet(addr, &ga(extensions));
    let mut reader = Reader::new(&payload);
    for _version in 0..3 {
        reader.i64().unwrap();
    }
    let accepted = reader.nil_if_next().unwrap();
    assert_eq!(accepted, !closed);
    if accepted {
        return None;
    }
    reader.ext().unwrap();
    Some(reader.i64().unwrap())
}

const UNSUPPORTED: Option<i64> = Some(983_041);
const INVALID: Option<i64> = Some(983_042);

#[test]
fn a_password_opens_the_door() {
    let server = TestServer::builder().user("admin", "s3cret").start();
    let with = |kind, name, password| {
        code(server.addr(), &[("authn-type", kind), ("authn-identity", name), ("authn-secret", password)])
    };
    assert_eq!(with("BASIC", "admin", "s3cret"), None);
    assert_eq!(with("basic", "admin", "s3cret"), None);
    assert_eq!(with("basic", "admin", "wrong"), INVALID);
    assert_eq!(with("basic", "nobody", "s3cret"), INVALID);
    assert_eq!(with("ldap", "admin", "s3cret"), UNSUPPORTED);
    assert_eq!(code(server.addr(), &[]), INVALID);
    assert_eq!(code(server.addr(), &[("authn-identity", "admin"), ("authn-secret", "s3cret")]), INVALID);
    // The first frame of the draft says 2, authentication failed, and may be repeated.
    let (payload, _) = greet(server.addr(), &[3, 0, 0, 2, 0xc4, 0, 0x80]);
    assert_eq!(payload[..4], [3, 0, 0, 2]);
}

#[test]
fn without_users_credentials_are_passed_over() {
    let server = TestServer::start();
    assert_eq!(code(server.addr(), &[("authn-type", "basic"), ("authn-identity", "a"), ("authn-secret", "b")]), None);
    assert_eq!(code(server.addr(), &[("something", "else")]), None);
    assert_eq!(code(server.addr(), &[("compute-executor-id", "x")]), Some(196_610));
}

/// A server with the users ann, whose password is one, and bob.
fn with_users_file() -> (tempfile::TempDir, flint::server::Running) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users");
    flint::auth::add_user(&path, "ann", "one").unwrap();
    flint::auth::add_user(&path, "bob", "two").unwrap();
    let config = flint::config::Config {
        listen: vec![([127, 0, 0, 1], 0).into()],
        authentication: Authentication::File(path),
        ..flint::config::Config::default()
    };
    (dir, flint::server::Server::new(&config).unwrap().start().unwrap())
}

fn basic<'a>(name: &'a str, password: &'a str) -> [(&'static str, &'a str); 3] {
    [("authn-type", "basic"), ("authn-identity", name), ("authn-secret", password)]
}

#[test]
fn a_users_file_is_read_at_the_start() {
    let (_dir, server) = with_users_file();
    let addr = server.addresses()[0];
    let with = |name, password| code(addr, &basic(name, password));
    assert_eq!((with("ann", "one"), with("bob", "two"), with("bob", "two")), (None, None, None));
    assert_eq!((with("ann", "two"), with("eve", "one")), (INVALID, INVALID));
    server.stop().unwrap();
}

#[test]
fn who_waits_for_a_password_check_keeps_the_order_and_nobody_else() {
    let (_dir, server) = with_users_file();
    let addr = server.addresses()[0];
    let framed = |payload: &[u8]| [&(payload.len() as u32).to_be_bytes(), payload].concat();
    // Those that wait: some leave, one has sent a heartbeat already, one is a draft client that has another try.
    let guesses: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.write_all(&[&b"IGNI"[..], &framed(&ga(&basic("ann", "guess")))].concat()).unwrap();
            stream
        })
        .collect();
    drop(guesses);
    let mut eager = TcpStream::connect(addr).unwrap();
    let heartbeat = framed(&[1, 7]);
    eager.write_all(&[&b"IGNI"[..], &framed(&ga(&basic("ann", "one"))), &heartbeat, &heartbeat].concat()).unwrap();
    let mut draft = TcpStream::connect(addr).unwrap();
    let first = |password| {
        let mut frame = vec![3, 0, 0, 2, 0xc4, 0, 0x83];
        basic("bob", password).iter().for_each(|(key, value)| {
            frame.put_str(key);
            frame.put_str(value);
        });
        framed(&frame)
    };
    draft.write_all(&[&b"IGNI"[..], &first("one"), &first("two")].concat()).unwrap();
    let answer = |stream: &mut TcpStream, magic: bool| {
        let mut head = vec![0; if magic { 8 } else { 4 }];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize];
        stream.read_exact(&mut payload).unwrap();
        payload
    };
    assert_eq!(answer(&mut eager, true)[..4], [3, 0, 0, 0xc0]);
    assert_eq!([answer(&mut eager, false)[0], answer(&mut eager, false)[0]], [7, 7]);
    assert_eq!(answer(&mut draft, true)[..4], [3, 0, 0, 2]);
    assert_eq!(answer(&mut draft, true)[..4], [3, 0, 0, 0]);
    server.stop().unwrap();
}
