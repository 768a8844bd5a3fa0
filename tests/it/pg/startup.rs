//! Start-up and authentication: what is taken, what is refused, and that nothing a stranger sends does harm.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::raw::{Raw, kinds};
use crate::support::{Node, code, message};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

async fn refusal(node: &Node, bytes: &[u8]) -> (String, String) {
    let mut raw = Raw::connect(node.port()).await;
    raw.bytes(bytes).await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'S').unwrap(), "FATAL");
    assert!(raw.next().await.is_none(), "the connection is closed after a FATAL error");
    (error.field(b'C').unwrap(), error.field(b'M').unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_key_are_reported() {
    let node = Node::start().await;
    let mut raw = Raw::connect(node.port()).await;
    raw.startup(3 << 16, &[("user", "aerolith"), ("application_name", "it"), ("options", "-c TimeZone=Europe/Oslo")])
        .await;
    let messages = raw.scram(&node.password()).await;
    let reported: Vec<(String, String)> = messages
        .iter()
        .filter(|m| m.kind == b'S')
        .map(|m| {
            let text = String::from_utf8(m.body.clone()).unwrap();
            let mut parts = text.split('\0');
            (parts.next().unwrap().to_string(), parts.next().unwrap().to_string())
        })
        .collect();
    let value = |name: &str| reported.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    for (name, expected) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("TimeZone", "Europe/Oslo"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("application_name", "it"),
        ("is_superuser", "on"),
        ("session_authorization", "aerolith"),
        ("default_transaction_read_only", "off"),
        ("in_hot_standby", "off"),
    ] {
        assert_eq!(value(name), Some(expected), "{name}");
    }
    assert!(value("server_version").unwrap().starts_with("15."));
    let key = messages.iter().find(|m| m.kind == b'K').unwrap();
    assert_eq!(key.body.len(), 8, "protocol 3.0 has a cancel key of four bytes");
    assert_eq!(messages.last().unwrap().body, b"I");
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_protocols_are_negotiated() {
    let node = Node::start().await;
    let password = node.password();
    let mut raw = Raw::connect(node.port()).await;
    raw.startup((3 << 16) + 2, &[("user", "aerolith")]).await;
    let messages = raw.scram(&password).await;
    assert_eq!(messages.iter().find(|m| m.kind == b'K').unwrap().body.len(), 4 + 32);

    let mut raw = Raw::connect(node.port()).await;
    raw.startup((3 << 16) + 9999, &[("user", "aerolith"), ("_pq_.unheard", "of")]).await;
    let negotiate = raw.expect(b'v').await;
    assert_eq!(negotiate.body, [&[0, 3, 0, 2, 0, 0, 0, 1][..], b"_pq_.unheard\0"].concat());
    assert_eq!(raw.scram(&password).await.last().unwrap().kind, b'Z');

    let (code, message) = refusal(&node, &[0, 0, 0, 9, 0, 2, 0, 0, 0]).await;
    assert_eq!(code, "0A000");
    assert_eq!(message, "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_startup_packets() {
    let node = Node::start().await;
    let invalid_length = "invalid length of startup packet";
    assert_eq!(refusal(&node, &[0, 0, 0, 3]).await.1, invalid_length);
    assert_eq!(refusal(&node, &[0x7f, 0xff, 0xff, 0xff]).await.1, invalid_length);
    assert_eq!(refusal(&node, &[0, 0, 0x27, 0x11]).await.1, invalid_length);
    assert_eq!(refusal(&node, b"GET / HTTP/1.1\r\n\r\n").await.1, invalid_length);
    let no_user = refusal(&node, &[0, 0, 0, 9, 0, 3, 0, 0, 0]).await;
    assert_eq!(no_user, ("28000".into(), "no PostgreSQL user name specified in startup packet".into()));
    let unterminated = refusal(&node, b"\0\0\0\x0d\0\x03\0\0user\0").await;
    assert_eq!(unterminated.0, "08P01");
    let not_utf8 = refusal(&node, b"\0\0\0\x10\0\x03\0\0user\0\xff\0\0").await;
    assert_eq!(not_utf8.0, "22021");
    // Direct TLS to a server without a certificate.
    assert_eq!(refusal(&node, &[0x16, 3, 1, 0, 1]).await.0, "08P01");
    assert!(node.connect().await.simple_query("").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    let node = Node::start().await;
    for (user, password) in [("aerolith", "wrong"), ("aerolith", ""), ("nobody", "x")] {
        let mut raw = Raw::connect(node.port()).await;
        let messages = raw.log_in(user, password, "aerolith").await;
        assert_eq!(kinds(&messages), "E(28P01)");
        let expected = format!("password authentication failed for user \"{user}\"");
        assert_eq!(messages[0].field(b'M').unwrap(), expected);
        assert!(raw.next().await.is_none());
    }
    let dsn = format!("{} dbname=nowhere", node.key_values());
    let unknown = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await.map(|_| ());
    assert_eq!(message(unknown), "database \"nowhere\" does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_log_in() {
    let node = Node::start().await;
    let client = node.connect().await;
    client.batch_execute("CREATE ROLE nobody NOLOGIN PASSWORD 'p'; CREATE ROLE without LOGIN").await.unwrap();
    let refused = async |user: &str, password: &str| {
        let mut raw = Raw::connect(node.port()).await;
        let messages = raw.log_in(user, password, "aerolith").await;
        let error = messages.last().unwrap().clone();
        (error.field(b'S').unwrap(), error.field(b'C').unwrap(), error.field(b'M').unwrap())
    };
    let expected = ("FATAL".into(), "28000".into(), "role \"nobody\" is not permitted to log in".into());
    assert_eq!(refused("nobody", "p").await, expected);
    // Only who knows the password is told.
    assert_eq!(refused("nobody", "x").await.1, "28P01");
    assert_eq!(refused("without", "").await.1, "28P01");
    client.batch_execute("ALTER ROLE nobody LOGIN").await.unwrap();
    let mut raw = Raw::connect(node.port()).await;
    assert_eq!(raw.log_in("nobody", "p", "aerolith").await.last().unwrap().kind, b'Z');
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_key_of_protocol_3_2() {
    let node = Node::start().await;
    let mut raw = Raw::connect(node.port()).await;
    raw.startup((3 << 16) + 2, &[("user", "aerolith")]).await;
    let messages = raw.scram(&node.password()).await;
    let key = messages.iter().find(|m| m.kind == b'K').unwrap().body.clone();
    raw.send(b'Q', b"SELECT pg_sleep(600)\0").await;
    let request = [&[0, 0, 0, 8 + key.len() as u8, 0x04, 0xd2, 0x16, 0x2e][..], &key].concat();
    let cancelling = async {
        loop {
            let mut other = Raw::connect(node.port()).await;
            other.bytes(&request).await;
            assert!(other.next().await.is_none());
        }
    };
    let messages = tokio::select! { messages = raw.until_ready() => messages, () = cancelling => unreachable!() };
    assert!(kinds(&messages).ends_with("E(57014)Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_a_password() {
    let node = Node::start().await;
    for (kind, body) in
        [(b'p', &b"SCRAM-SHA-1\0\0\0\0\x01n"[..]), (b'p', b"SCRAM-SHA-256\0\0\0\0\x09n"), (b'Q', b"select 1\0")]
    {
        let mut raw = Raw::connect(node.port()).await;
        raw.startup(3 << 16, &[("user", "aerolith")]).await;
        raw.expect(b'R').await;
        raw.send(kind, body).await;
        assert_eq!(raw.expect(b'E').await.field(b'C').unwrap(), "08P01");
        assert!(raw.next().await.is_none());
    }
    // A length that would be a gigabyte: refused at once, nothing is allocated or waited for.
    let mut raw = Raw::connect(node.port()).await;
    raw.startup(3 << 16, &[("user", "aerolith")]).await;
    raw.expect(b'R').await;
    raw.bytes(&[b'p', 0x40, 0, 0, 0]).await;
    assert_eq!(raw.expect(b'E').await.field(b'M').unwrap(), "invalid message length");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_dropped() {
    let node = Node::with(|config| config.pg.authentication_timeout = Duration::from_millis(50)).await;
    let late = async |mut raw: Raw| {
        let error = raw.expect(b'E').await;
        assert_eq!(error.field(b'M').unwrap(), "canceling authentication due to timeout");
        assert!(raw.next().await.is_none());
    };
    late(Raw::connect(node.port()).await).await;
    // In the middle of a start-up packet, and of the password exchange.
    let mut raw = Raw::connect(node.port()).await;
    raw.bytes(b"\0\0\0\x20\0\x03").await;
    late(raw).await;
    let mut raw = Raw::connect(node.port()).await;
    raw.startup(3 << 16, &[("user", "aerolith")]).await;
    raw.expect(b'R').await;
    late(raw).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_send_little() {
    let node = Node::start().await;
    let mut raw = Raw::connect(node.port()).await;
    raw.startup(3 << 16, &[("user", "aerolith")]).await;
    raw.expect(b'R').await;
    // The longest message there may be, and more than there may be in all.
    raw.bytes(&[&[b'p', 0, 1, 0, 0][..], &[b'x'; 65_532]].concat()).await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'M').unwrap(), "too much data before authentication");
    assert!(raw.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_declined_without_a_certificate() {
    let node = Node::start().await;
    let mut raw = Raw::connect(node.port()).await;
    let mut answer = [0];
    raw.bytes(&SSL_REQUEST).await;
    raw.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"N");
    raw.bytes(&GSSENC_REQUEST).await;
    raw.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"N");
    assert_eq!(raw.log_in("aerolith", &node.password(), "aerolith").await.last().unwrap().kind, b'Z');
}

/// A node with a certificate, and a client configuration that trusts it.
async fn tls_node() -> (Node, rustls::ClientConfig) {
    let (node, _, client) = tls_node_with_certificate().await;
    (node, client)
}

/// The same with the certificate.
async fn tls_node_with_certificate() -> (Node, Vec<u8>, rustls::ClientConfig) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("c.pem"), files.path().join("k.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let node = Node::with(|config| {
        config.pg.tls_certificate = Some(certificate);
        config.pg.tls_key = Some(key);
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (node, certified.cert.der().to_vec(), client)
}

async fn handshake(client: rustls::ClientConfig, socket: TcpStream) -> std::io::Result<Raw> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, socket).await?;
    Ok(Raw { stream: Box::new(stream) })
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_by_request_and_direct() {
    let (node, mut client) = tls_node().await;
    let mut socket = TcpStream::connect(("127.0.0.1", node.port())).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, &SSL_REQUEST).await.unwrap();
    let mut answer = [0];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"S");
    let mut raw = handshake(client.clone(), socket).await.unwrap();
    assert_eq!(raw.log_in("aerolith", &node.password(), "aerolith").await.last().unwrap().kind, b'Z');

    // Direct TLS must name the protocol.
    let socket = TcpStream::connect(("127.0.0.1", node.port())).await.unwrap();
    let mut raw = handshake(client.clone(), socket).await.unwrap();
    assert_eq!(raw.expect(b'E').await.field(b'C').unwrap(), "08P01");
    client.alpn_protocols = vec![b"postgresql".to_vec()];
    let socket = TcpStream::connect(("127.0.0.1", node.port())).await.unwrap();
    let mut raw = handshake(client, socket).await.unwrap();
    assert_eq!(raw.log_in("aerolith", &node.password(), "aerolith").await.last().unwrap().kind, b'Z');
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_binding() {
    let (node, certificate, client) = tls_node_with_certificate().await;
    let connect = async || {
        let mut socket = TcpStream::connect(("127.0.0.1", node.port())).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, &SSL_REQUEST).await.unwrap();
        socket.read_exact(&mut [0]).await.unwrap();
        let mut raw = handshake(client.clone(), socket).await.unwrap();
        raw.startup(3 << 16, &[("user", "aerolith")]).await;
        raw
    };
    let password = node.password();
    let mut raw = connect().await;
    assert_eq!(raw.scram_plus(&password, &certificate).await.last().unwrap().kind, b'Z');
    // Somebody in the middle shows another certificate.
    let mut raw = connect().await;
    assert_eq!(kinds(&raw.scram_plus(&password, b"another").await), "E(28000)");
    // A client that was made to believe that the server has no channel binding.
    let mut raw = connect().await;
    let messages = raw.scram_with("SCRAM-SHA-256", "y,,", b"", &password).await;
    assert_eq!(kinds(&messages), "E(28000)");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_before_tls_are_refused() {
    let (node, _) = tls_node().await;
    let mut raw = Raw::connect(node.port()).await;
    let startup = b"\0\0\0\x1a\0\x03\0\0user\0aerolith\0\0";
    raw.bytes(&[&SSL_REQUEST[..], startup].concat()).await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'M').unwrap(), "received unencrypted data after SSL request");
    assert!(raw.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited() {
    let node = Node::with(|config| {
        config.pg.max_connections = 2;
        config.pg.superuser_reserved_connections = 1;
    })
    .await;
    let first = node.connect().await;
    first.batch_execute("CREATE ROLE plain LOGIN PASSWORD 'p'").await.unwrap();
    let mut raw = Raw::connect(node.port()).await;
    let messages = raw.log_in("plain", "p", "aerolith").await;
    assert_eq!(kinds(&messages[messages.len() - 1..]), "E(53300)");
    let _second = node.connect().await;
    let third = tokio_postgres::connect(&node.node().dsn().unwrap(), tokio_postgres::NoTls).await.map(|_| ());
    assert_eq!(code(third), "53300");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_node_and_survives_restarts() {
    let mut node = Node::start().await;
    let password = node.password();
    let mut config = aerolithdb::config::Config::default();
    config.storage.data_dir = node.data_dir().to_path_buf();
    config.pg.port = 0;
    let error = aerolithdb::node::Node::start(config, None).await.err().unwrap();
    assert_eq!(error.code().as_str(), "55006");
    node.restart().await;
    assert_eq!(node.password(), password);
    assert!(node.connect().await.simple_query("").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_when_the_node_stops() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    node.stop().await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'C').unwrap(), "57P01");
    assert_eq!(error.field(b'M').unwrap(), "terminating connection due to administrator command");
    assert!(raw.next().await.is_none());
}
