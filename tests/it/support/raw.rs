//! A client that sends exactly the bytes it is told to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type byte.
    pub kind: u8,
    /// The body.
    pub body: Vec<u8>,
}

/// Any byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection without a mind of its own.
pub struct Raw {
    /// The stream.
    pub stream: Box<dyn Stream>,
}

impl Raw {
    /// Connects; nothing is sent.
    pub async fn connect(port: u16) -> Self {
        Self { stream: Box::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()) }
    }

    /// Sends bytes.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends a start-up packet.
    pub async fn startup(&mut self, version: u32, parameters: &[(&str, &str)]) {
        let mut body = version.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
        packet.extend(body);
        self.bytes(&packet).await;
    }

    /// Sends a message.
    pub async fn send(&mut self, kind: u8, body: &[u8]) {
        self.bytes(&message(kind, body)).await;
    }

    /// The next message; `None` when the server has closed.
    pub async fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        let limit = std::time::Duration::from_secs(100);
        match tokio::time::timeout(limit, self.stream.read_exact(&mut head)).await.expect("an answer in time") {
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut body = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
        self.stream.read_exact(&mut body).await.unwrap();
        Some(Message { kind: head[0], body })
    }

    /// The next message, which must have this type.
    pub async fn expect(&mut self, kind: u8) -> Message {
        let message = self.next().await.unwrap_or_else(|| panic!("closed instead of {}", kind as char));
        assert_eq!(message.kind as char, kind as char, "{message:?}");
        message
    }

    /// All messages up to and with the next ReadyForQuery (or the end).
    pub async fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            let is_ready = message.kind == b'Z';
            messages.push(message);
            if is_ready {
                break;
            }
        }
        messages
    }

    /// The types of all messages up to ReadyForQuery, as text; errors are followed by their SQLSTATE.
    pub async fn kinds(&mut self) -> String {
        kinds(&self.until_ready().await)
    }

    /// Logs in and waits for ReadyForQuery; gives what came after authentication.
    pub async fn log_in(&mut self, user: &str, password: &str, database: &str) -> Vec<Message> {
        self.startup(3 << 16, &[("user", user), ("database", database)]).await;
        self.scram(password).await
    }

    /// The SCRAM exchange, from the server's offer on; gives what came after it.
    pub async fn scram(&mut self, password: &str) -> Vec<Message> {
        self.scram_with("SCRAM-SHA-256", "n,,", b"", password).await
    }

    /// The same with channel binding: `certificate` is the server's, as the client saw it.
    pub async fn scram_plus(&mut self, password: &str, certificate: &[u8]) -> Vec<Message> {
        let hash = Sha256::digest(certificate);
        self.scram_with("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", &hash, password).await
    }

    /// The SCRAM exchange with a mechanism, a GS2 header and channel binding data.
    pub async fn scram_with(&mut self, mechanism: &str, header: &str, binding: &[u8], password: &str) -> Vec<Message> {
        let offer = self.expect(b'R').await;
        assert_eq!(offer.body[..4], [0, 0, 0, 10]);
        let offered: Vec<&[u8]> = offer.body[4..].split(|byte| *byte == 0).collect();
        assert!(offered.contains(&mechanism.as_bytes()), "{mechanism} is offered");
        let first = "n=,r=nonce";
        let mut initial = format!("{mechanism}\0").into_bytes();
        initial.extend_from_slice(&((header.len() + first.len()) as u32).to_be_bytes());
        initial.extend_from_slice(format!("{header}{first}").as_bytes());
        self.send(b'p', &initial).await;
        let challenge = match self.next().await {
            // Refused at once.
            Some(error) if error.kind == b'E' => return vec![error],
            challenge => challenge.expect("an answer"),
        };
        let server_first = String::from_utf8(challenge.body[4..].to_vec()).unwrap();
        let bound = STANDARD.encode([header.as_bytes(), binding].concat());
        self.send(b'p', client_final(password, first, &server_first, &bound).as_bytes()).await;
        self.until_ready().await
    }
}

/// A message as bytes.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Parse, Bind, Describe, Execute, Sync of the unnamed statement without parameters.
pub fn extended(query: &str, max_rows: u32) -> Vec<u8> {
    [parse("", query), bind("", ""), message(b'D', b"P\0"), execute("", max_rows), message(b'S', b"")].concat()
}

/// Parse without types.
pub fn parse(name: &str, query: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{query}\0\0\0").as_bytes())
}

/// Bind without parameters.
pub fn bind(portal: &str, statement: &str) -> Vec<u8> {
    message(b'B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

/// Execute.
pub fn execute(portal: &str, max_rows: u32) -> Vec<u8> {
    let mut body = format!("{portal}\0").into_bytes();
    body.extend_from_slice(&max_rows.to_be_bytes());
    message(b'E', &body)
}

/// The types of messages as text; errors are followed by their SQLSTATE.
pub fn kinds(messages: &[Message]) -> String {
    let one = |message: &Message| match message.kind {
        b'E' => format!("E({})", message.field(b'C').unwrap_or_default()),
        kind => char::from(kind).to_string(),
    };
    messages.iter().map(one).collect()
}

impl Message {
    /// A field of an ErrorResponse.
    pub fn field(&self, code: u8) -> Option<String> {
        let mut fields = self.body.split(|byte| *byte == 0);
        fields.find(|f| f.first() == Some(&code)).map(|f| String::from_utf8_lossy(&f[1..]).into_owned())
    }

    /// The values of a DataRow, as text.
    pub fn values(&self) -> Vec<Option<String>> {
        let count = u16::from_be_bytes(self.body[..2].try_into().unwrap());
        let mut rest = &self.body[2..];
        (0..count)
            .map(|_| {
                let (length, tail) = rest.split_at(4);
                let length = i32::from_be_bytes(length.try_into().unwrap());
                let (value, tail) = tail.split_at(length.max(0) as usize);
                rest = tail;
                (length >= 0).then(|| String::from_utf8_lossy(value).into_owned())
            })
            .collect()
    }
}

fn client_final(password: &str, bare: &str, server_first: &str, bound: &str) -> String {
    let field = |name: &str| server_first.split(',').find_map(|f| f.strip_prefix(name)).unwrap();
    let hmac = |key: &[u8], data: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(data);
        mac.finalize().into_bytes().into()
    };
    let mut salted_input = STANDARD.decode(field("s=")).unwrap();
    salted_input.extend_from_slice(&1u32.to_be_bytes());
    let mut last = hmac(password.as_bytes(), &salted_input);
    let mut salted = last;
    for _ in 1..field("i=").parse::<u32>().unwrap() {
        last = hmac(password.as_bytes(), &last);
        salted.iter_mut().zip(last).for_each(|(s, l)| *s ^= l);
    }
    let without_proof = format!("c={bound},r={}", field("r="));
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: [u8; 32] = Sha256::digest(client_key).into();
    let mut proof = hmac(&stored_key, format!("{bare},{server_first},{without_proof}").as_bytes());
    proof.iter_mut().zip(client_key).for_each(|(p, k)| *p ^= k);
    format!("{without_proof},p={}", STANDARD.encode(proof))
}
