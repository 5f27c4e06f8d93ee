//! TLS listeners, with and without certificates of clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flint::TestServer;
use flint::client::Column;
use flint::fixture::Certificates;
use flint::value::{ColumnType, UNLIMITED, Value};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::Serve;
use crate::raw::{HELLO, Raw, WELCOME, frame, tables_get};

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn config(files: &Certificates, with_certificate: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.authority).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    if !with_certificate {
        return builder.with_no_client_auth();
    }
    let chain = vec![CertificateDer::from_pem_file(&files.client).unwrap()];
    builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.client_key).unwrap()).unwrap()
}

fn connect(addr: SocketAddr, config: ClientConfig) -> Stream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

fn greet(stream: &mut Stream) -> std::io::Result<()> {
    stream.write_all(HELLO)?;
    let mut welcome = vec![0; WELCOME.len()];
    stream.read_exact(&mut welcome)?;
    assert_eq!(welcome, WELCOME);
    Ok(())
}

#[test]
fn a_conversation_is_the_same_over_tls() {
    let server = TestServer::builder().tls().start();
    let files = server.certificates().unwrap();
    let mut config = config(files, false);
    // Small records, so that a frame is cut by them.
    config.max_fragment_size = Some(64);
    let mut stream = connect(server.addr(), config);
    greet(&mut stream).unwrap();
    let requests: Vec<u8> = (0..2000u32).flat_map(|n| tables_get((n % 100) as u8)).collect();
    stream.write_all(&requests).unwrap();
    for n in 0..2000u32 {
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[..], frame(&[0, (n % 100) as u8, 0, 0x80]));
    }
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server ends the stream in order");
}

#[test]
fn answers_larger_than_any_buffer_arrive_whole() {
    let server = TestServer::builder().tls().start();
    let bytes = ColumnType::Bytes { length: UNLIMITED };
    server.create_table("t", &[Column::key("id", ColumnType::Int64), Column::value("v", bytes)]).unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    server.put("t", &[Value::Int(1), Value::Bytes(large.clone().into())]).unwrap();
    let mut stream = connect(server.addr(), config(server.certificates().unwrap(), false));
    greet(&mut stream).unwrap();
    // TABLE_GET, for the id that the next requests need.
    stream.write_all(&frame(&[&[4, 1, 0xa1][..], b"t"].concat())).unwrap();
    let answer = read_frame(&mut stream);
    let get = frame(&[&[12, 2][..], &answer[3..], &[1, 1]].concat());
    for _ in 0..10 {
        stream.write_all(&get).unwrap();
    }
    for _ in 0..10 {
        let answer = read_frame(&mut stream);
        assert!(answer.ends_with(&large[1_000_000..]), "{} bytes", answer.len());
    }
}

fn read_frame(stream: &mut Stream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).unwrap();
    payload
}

#[test]
fn a_client_that_speaks_plainly_is_turned_away() {
    let server = TestServer::builder().tls().start();
    let mut raw = Raw::connect(server.addr());
    raw.send(HELLO);
    let alert = raw.rest();
    assert!(!alert.starts_with(b"IGNI"), "{alert:?}");
    greet(&mut connect(server.addr(), config(server.certificates().unwrap(), false))).unwrap();
}

#[test]
fn a_server_of_another_authority_is_noticed() {
    let server = TestServer::builder().tls().start();
    let other = TestServer::builder().tls().start();
    let mut stream = connect(server.addr(), config(other.certificates().unwrap(), false));
    assert_eq!(greet(&mut stream).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn clients_need_a_certificate_where_it_is_asked_for() {
    let server = TestServer::builder().tls_with_client_certificates().start();
    let files = server.certificates().unwrap();
    greet(&mut connect(server.addr(), config(files, true))).unwrap();
    let error = greet(&mut connect(server.addr(), config(files, false))).unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    let other = TestServer::builder().tls().start();
    let mut stranger = config(files, true);
    let theirs = config(other.certificates().unwrap(), true);
    stranger.client_auth_cert_resolver = theirs.client_auth_cert_resolver;
    assert!(greet(&mut connect(server.addr(), stranger)).is_err());
}

#[test]
fn certificates_are_read_again_on_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let old = Certificates::create(dir.path()).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let serve =
        Serve::start(None, &["--in-memory", "--tls-cert", &path(&old.server), "--tls-key", &path(&old.server_key)]);
    let trusts_old = config(&old, false);
    let mut before = connect(serve.addr, trusts_old.clone());
    greet(&mut before).unwrap();
    std::fs::write(&old.server_key, "no key").unwrap();
    serve.signal("HUP");
    std::thread::park_timeout(Duration::from_millis(200));
    greet(&mut connect(serve.addr, trusts_old.clone())).expect("files that cannot be used change nothing");
    let new = Certificates::create(dir.path()).unwrap();
    serve.signal("HUP");
    std::thread::park_timeout(Duration::from_millis(200));
    greet(&mut connect(serve.addr, config(&new, false))).unwrap();
    assert!(greet(&mut connect(serve.addr, trusts_old)).is_err());
    before.write_all(&tables_get(1)).unwrap();
    assert_eq!(read_frame(&mut before), [0, 1, 0, 0x80], "a connection keeps what it began with");
    serve.signal("TERM");
    let (code, log) = serve.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("the old certificates stay in use"), "{log}");
}

#[test]
fn a_listener_may_stay_plain() {
    let dir = tempfile::tempdir().unwrap();
    let files = Certificates::create(dir.path()).unwrap();
    let [certificate, key] = [&files.server, &files.server_key].map(|path| path.to_str().unwrap());
    let args = ["--in-memory", "--tls-cert", certificate, "--tls-key", key, "--listen-plain", "127.0.0.1:0"];
    let serve = Serve::start(None, &args);
    greet(&mut connect(serve.addr, config(&files, false))).unwrap();
    Raw::draft(*serve.more.first().unwrap());
}
