//! From an accepted socket to an authenticated session: TLS negotiation, the start-up packet, SCRAM, first parameters.
//!
//! A stranger gets 10 KB for a start-up packet, 64 KB in all and 10 seconds. Bytes that follow an SSLRequest before TLS
//! stands are refused: they would otherwise be taken for the client's own (CVE-2021-23214).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use pgwire::messages::startup::Authentication;

use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::{ConnectOptions, Session};
use crate::security::scram::Exchange;

use super::backend::{self, Severity, put_error};
use super::frame::Fields;
use super::listener::{Shared, Slot};
use super::wire::{Replayed, Stream, Wire};

/// The longest start-up packet (MAX_STARTUP_PACKET_LENGTH).
const STARTUP_PACKET_MAX: usize = 10_000;
/// Everything that a client may send before it is authenticated.
const UNAUTHENTICATED_BYTES_MAX: usize = 64 << 10;
/// The newest minor version of protocol 3 that is spoken.
const MINOR_NEWEST: u16 = 2;
/// A cancel key in protocol 3.0, and from 3.2 on.
const CANCEL_KEY_BYTES: (usize, usize) = (4, 32);

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
/// The first byte of a TLS handshake, which no packet's length starts with.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the start-up packet says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Startup {
    minor: u16,
    user: String,
    database: String,
    settings: Vec<(String, String)>,
    /// Protocol options that are not known.
    unknown_options: Vec<String>,
}

/// How a first packet ends.
enum First {
    Startup(Startup),
    Cancel { pid: i32, secret: Bytes },
}

/// Brings a connection up. `None`: it has ended here (refused, a CancelRequest, gone).
pub(super) async fn run(wire: Wire, peer: SocketAddr, shared: &Arc<Shared>) -> Option<(Wire, Session, Slot)> {
    let limit = shared.config.authentication_timeout;
    let mut wire = wire;
    let result = tokio::select! {
        result = authenticate(&mut wire, peer, shared) => result,
        // PostgreSQL says nothing to who is too slow; a message helps who is not an attacker.
        () = tokio::time::sleep(limit) => Err(err!(QUERY_CANCELED, "canceling authentication due to timeout")),
        () = shared.shutdown.cancelled() => Err(err!(CANNOT_CONNECT_NOW, "the database system is shutting down")),
    };
    match result {
        Ok(Some((session, slot))) => Some((wire, session, slot)),
        Ok(None) => {
            wire.close().await;
            None
        }
        Err(error) => {
            tracing::info!(%peer, code = %error.code(), %error, "connection refused");
            put_error(&mut wire.output, Severity::Fatal, &error);
            wire.close().await;
            None
        }
    }
}

async fn authenticate(wire: &mut Wire, peer: SocketAddr, shared: &Arc<Shared>) -> Result<Option<(Session, Slot)>> {
    let mut budget = UNAUTHENTICATED_BYTES_MAX;
    let startup = match first_packet(wire, shared, &mut budget).await? {
        None => return Ok(None),
        Some(First::Cancel { pid, secret }) => {
            // Whether it did anything is not told.
            shared.server.cancel(pid, &secret);
            return Ok(None);
        }
        Some(First::Startup(startup)) => startup,
    };
    let is_plain = matches!(wire.stream, Stream::Plain(_));
    if is_plain && !peer.ip().to_canonical().is_loopback() && !shared.config.allow_plaintext {
        return Err(err!(INVALID_AUTHORIZATION_SPECIFICATION, "connections from {} must use TLS", peer.ip())
            .hint("Connect with sslmode=require, or set pg.allow_plaintext if the network is trusted."));
    }
    if startup.minor > MINOR_NEWEST || !startup.unknown_options.is_empty() {
        let minor = startup.minor.min(MINOR_NEWEST);
        backend::put_negotiate(&mut wire.output, minor, startup.unknown_options.clone());
    }
    if let Err(error) = scram(wire, &startup.user, shared, &mut budget).await {
        if error.code() == SqlState::INVALID_PASSWORD {
            tokio::time::sleep(shared.config.authentication_failure_delay).await;
        }
        return Err(error);
    }
    let slot = shared.take_slot(shared.server.is_superuser(&startup.user))?;

    let long_key = startup.minor >= 2;
    let mut secret = vec![0; if long_key { CANCEL_KEY_BYTES.1 } else { CANCEL_KEY_BYTES.0 }];
    rand::Rng::fill(&mut rand::rng(), secret.as_mut_slice());
    let options = ConnectOptions {
        user: startup.user,
        database: startup.database,
        settings: startup.settings,
        client_address: Some(peer.to_string()),
        cancel_secret: secret.clone(),
    };
    let mut session = Session::connect(shared.server.clone(), options)?;
    backend::put_authentication(&mut wire.output, Authentication::Ok);
    for (name, value) in session.take_parameter_changes() {
        backend::put_parameter_status(&mut wire.output, &name, &value);
    }
    backend::put_key_data(&mut wire.output, session.pid(), &secret);
    for notice in session.take_notices() {
        backend::put_notice(&mut wire.output, &notice);
    }
    backend::put_ready(&mut wire.output, session.transaction_status());
    wire.send(None).await?;
    Ok(Some((session, slot)))
}

/// Reads until there are `count` bytes; `false` if the client closed first.
async fn want(wire: &mut Wire, count: usize, budget: &mut usize) -> Result<bool> {
    while wire.input.len() < count {
        let before = wire.input.len();
        if !wire.fill().await {
            return Ok(false);
        }
        let arrived = wire.input.len() - before;
        *budget = budget
            .checked_sub(arrived)
            .ok_or_else(|| err!(PROTOCOL_VIOLATION, "too much data before authentication"))?;
    }
    Ok(true)
}

/// Goes through the negotiations that may come before the start-up packet.
async fn first_packet(wire: &mut Wire, shared: &Shared, budget: &mut usize) -> Result<Option<First>> {
    if !want(wire, 1, budget).await? {
        return Ok(None);
    }
    if wire.input[0] == TLS_HANDSHAKE {
        start_tls(wire, shared, true).await?;
    }
    let (mut ssl_done, mut gss_done) = (!matches!(wire.stream, Stream::Plain(_)), false);
    loop {
        if !want(wire, 4, budget).await? {
            return Ok(None);
        }
        let length = wire.input.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes)) as usize;
        if !(8..=STARTUP_PACKET_MAX).contains(&length) {
            return Err(err!(PROTOCOL_VIOLATION, "invalid length of startup packet"));
        }
        if !want(wire, length, budget).await? {
            return Ok(None);
        }
        let mut packet = wire.input.split_to(length).freeze();
        packet.advance(4);
        match packet.get_u32() {
            SSL_REQUEST if length == 8 && !ssl_done => {
                ssl_done = true;
                if shared.tls.is_none() {
                    wire.output.push(b'N');
                    wire.send(None).await?;
                } else {
                    start_tls(wire, shared, false).await?;
                }
            }
            GSSENC_REQUEST if length == 8 && !gss_done => {
                gss_done = true;
                wire.output.push(b'N');
                wire.send(None).await?;
            }
            CANCEL_REQUEST if (16..=268).contains(&length) => {
                return Ok(Some(First::Cancel { pid: packet.get_i32(), secret: packet }));
            }
            version => return startup_packet(version, packet).map(|startup| Some(First::Startup(startup))),
        }
    }
}

/// Puts TLS on the connection: after the answer to an SSLRequest, or at once (`direct`).
async fn start_tls(wire: &mut Wire, shared: &Shared, direct: bool) -> Result<()> {
    let Some(tls) = &shared.tls else {
        return Err(err!(PROTOCOL_VIOLATION, "direct SSL connection request, but SSL is not enabled"));
    };
    let unread = std::mem::take(&mut wire.input);
    if !direct {
        // What came with the request was not encrypted: not the client's, or a client out of its mind.
        if !unread.is_empty() {
            return Err(err!(PROTOCOL_VIOLATION, "received unencrypted data after SSL request").detail(
                "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
            ));
        }
        wire.output.push(b'S');
        wire.send(None).await?;
    }
    let plain = std::mem::replace(&mut wire.stream, Stream::Closed);
    let Stream::Plain(socket) = plain else {
        return Err(Error::internal("TLS inside TLS"));
    };
    let handshake = tokio_rustls::TlsAcceptor::from(tls.config.clone());
    let accepted = handshake.accept(Replayed { first: unread.freeze(), socket }).await;
    let stream = accepted.map_err(|e| err!(PROTOCOL_VIOLATION, "could not accept SSL connection: {e}"))?;
    let has_alpn = stream.get_ref().1.alpn_protocol().is_some();
    wire.stream = Stream::Tls(Box::new(stream));
    if direct && !has_alpn {
        return Err(err!(
            PROTOCOL_VIOLATION,
            "received direct SSL connection request without ALPN protocol negotiation extension"
        ));
    }
    Ok(())
}

/// Reads the start-up packet after its version number.
fn startup_packet(version: u32, packet: Bytes) -> Result<Startup> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != 3 {
        return Err(err!(
            FEATURE_NOT_SUPPORTED,
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{MINOR_NEWEST}"
        ));
    }
    if packet.last() != Some(&0) {
        return Err(err!(PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte"));
    }
    let mut startup = Startup { minor, ..Startup::default() };
    let mut fields = Fields(packet);
    loop {
        let name = fields.string()?;
        if name.is_empty() {
            break;
        }
        let value = fields.string()?;
        match name.as_str() {
            "user" => startup.user = value,
            "database" => startup.database = value,
            "options" => startup.settings.extend(parse_options(&value)?),
            "replication" => match value.as_str() {
                "false" | "off" | "no" | "0" => {}
                _ => return Err(Error::unsupported("streaming replication")),
            },
            _ if name.starts_with("_pq_.") => startup.unknown_options.push(name),
            _ => startup.settings.push((name, value)),
        }
    }
    if !fields.0.is_empty() {
        return Err(err!(PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte"));
    }
    if startup.user.is_empty() {
        return Err(err!(INVALID_AUTHORIZATION_SPECIFICATION, "no PostgreSQL user name specified in startup packet"));
    }
    if startup.database.is_empty() {
        startup.database = startup.user.clone();
    }
    Ok(startup)
}

/// The `options` parameter: `-c name=value` and `--name=value`, blanks and backslashes escaped by a backslash.
fn parse_options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);

    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(rest), _) => rest.to_string(),
            (_, Some("")) => words.next().unwrap_or_default(),
            (_, Some(rest)) => rest.to_string(),
            (None, None) => {
                return Err(err!(SYNTAX_ERROR, "invalid command-line argument for server process: {word}")
                    .hint("Only -c name=value and --name=value are understood."));
            }
        };
        let (name, value) =
            assignment.split_once('=').ok_or_else(|| err!(SYNTAX_ERROR, "-c {assignment} requires a value"))?;
        settings.push((name.replace('-', "_"), value.to_string()));
    }
    Ok(settings)
}

/// The SASL exchange.
async fn scram(wire: &mut Wire, user: &str, shared: &Shared, budget: &mut usize) -> Result<()> {
    let verifier = shared.server.scram_verifier(user);
    let binding = match &wire.stream {
        Stream::Tls(_) => shared.tls.as_ref().and_then(|tls| tls.end_point.clone()),
        _ => None,
    };
    let exchange = Exchange::new(user, verifier.as_deref(), &shared.mock_secret, binding);
    let mechanisms = exchange.mechanisms().iter().map(|m| m.to_string()).collect();
    backend::put_authentication(&mut wire.output, Authentication::SASL(mechanisms));
    wire.send(None).await?;

    let mut initial = Fields(password_message(wire, budget).await?);
    let mechanism = initial.string()?;
    let length = initial.i32()?;
    if length < 0 || length as usize != initial.0.len() {
        return Err(err!(PROTOCOL_VIOLATION, "malformed SCRAM message").detail("The message is empty."));
    }
    let (answer, challenge) = exchange.first(&mechanism, &initial.0)?;
    backend::put_authentication(&mut wire.output, Authentication::SASLContinue(answer.into()));
    wire.send(None).await?;

    let last = password_message(wire, budget).await?;
    let answer = challenge.finish(&last)?;
    backend::put_authentication(&mut wire.output, Authentication::SASLFinal(answer.into()));
    Ok(())
}

/// The body of the next `p` message.
async fn password_message(wire: &mut Wire, budget: &mut usize) -> Result<Bytes> {
    let closed = || err!(CONNECTION_FAILURE, "unexpected EOF during authentication");
    if !want(wire, 5, budget).await? {
        return Err(closed());
    }
    if wire.input[0] != b'p' {
        return Err(err!(PROTOCOL_VIOLATION, "expected SASL response, got message type {}", wire.input[0]));
    }
    let length = wire.input[1..].first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes)) as usize;
    if !(4..=UNAUTHENTICATED_BYTES_MAX).contains(&length) {
        return Err(err!(PROTOCOL_VIOLATION, "invalid message length"));
    }
    if !want(wire, 1 + length, budget).await? {
        return Err(closed());
    }
    wire.input.advance(5);
    Ok(wire.input.split_to(length - 4).freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(fields: &[&str]) -> Bytes {
        Bytes::from(fields.iter().flat_map(|f| f.bytes().chain([0])).collect::<Vec<u8>>())
    }

    #[test]
    fn parameters_are_sorted_out() {
        let fields = ["user", "u", "options", "-c a=b --c-d=e", "_pq_.x", "1", "client_encoding", "UTF8", ""];
        let startup = startup_packet(3 << 16, packet(&fields)).unwrap();
        let setting = |name: &str, value: &str| (name.to_string(), value.to_string());
        assert_eq!(startup.settings, [setting("a", "b"), setting("c_d", "e"), setting("client_encoding", "UTF8")]);
        assert_eq!((startup.database.as_str(), startup.unknown_options), ("u", vec!["_pq_.x".to_string()]));
    }

    #[test]
    fn options_are_split_like_a_command_line() {
        let options = parse_options(r"-c a=1\ 2  -cb=\\ ").unwrap();
        assert_eq!(options, [("a".to_string(), "1 2".to_string()), ("b".to_string(), "\\".to_string())]);
        for bad in ["-d 5", "-c", "-c a", "x"] {
            assert!(parse_options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_packets_are_refused() {
        let code = |version: u32, fields: &[&str]| startup_packet(version, packet(fields)).unwrap_err().code();
        assert_eq!(code(2 << 16, &["user", "u", ""]), SqlState::FEATURE_NOT_SUPPORTED);
        assert_eq!(code(3 << 16, &["database", "u", ""]), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        assert_eq!(code(3 << 16, &["user", "u"]), SqlState::PROTOCOL_VIOLATION);
        assert_eq!(code(3 << 16, &["user", "u", "", "x"]), SqlState::PROTOCOL_VIOLATION);
        assert_eq!(code(3 << 16, &["user", "u", "replication", "true", ""]), SqlState::FEATURE_NOT_SUPPORTED);
        assert!(startup_packet(3 << 16, Bytes::from_static(b"user\0u")).is_err());
        assert!(startup_packet(3 << 16, Bytes::from_static(b"user\0\xff\0\0")).is_err());
    }
}
