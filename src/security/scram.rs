//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL does it: the server's side of the exchange, and [`Verifier`], what
//! is kept instead of a password.
//!
//! ```text
//! C: n,,n=,r=<client nonce>                      first:  gs2 header, user (ignored: the startup packet names it), nonce
//! S: r=<client nonce + ours>,s=<salt>,i=<n>
//! C: c=<gs2 header + binding>,r=<nonce>,p=<proof> final
//! S: v=<server signature>
//! ```
//!
//! A user who does not exist, or has no password, goes through the same exchange with a verifier made up from the
//! name and a server secret: what a stranger sees does not tell whether the name exists. `SCRAM-SHA-256-PLUS` binds
//! the exchange to the TLS certificate (`tls-server-end-point`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::err;
use crate::error::Result;

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// Rounds of the key derivation for new verifiers (PostgreSQL's default).
pub const DEFAULT_ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;
/// Verifiers with more rounds are refused: a client would be kept busy for minutes.
const ITERATIONS_MAX: u32 = 10_000_000;

/// A hash or key of SHA-256.
type Key = [u8; 32];

/// What is kept of a password: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, PostgreSQL's format.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// A verifier of a password with a fresh random salt.
    pub fn generate(password: &str) -> Self {
        Self::with_salt(password, &rand::random::<[u8; SALT_BYTES]>(), DEFAULT_ITERATIONS)
    }

    /// A verifier with a given salt and number of rounds.
    pub fn with_salt(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&hmac(&salted, &[b"Client Key"])),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Reads PostgreSQL's text form; `None` if it is not one (then it is a plain password).
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let iterations = iterations.parse().ok().filter(|n| (1..=ITERATIONS_MAX).contains(n))?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
        Some(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// The verifier for what `CREATE ROLE ... PASSWORD` was given: a password, or a ready verifier taken as it is.
    pub fn from_password_or_verifier(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self::generate(text))
    }

    /// Whether a plain password is the right one.
    pub fn matches(&self, password: &str) -> bool {
        let salted = salted_password(password, &self.salt, self.iterations);
        constant_time_eq(&hmac(&salted, &[b"Server Key"]), &self.server_key)
    }

    /// A verifier that no password fits, the same for the same name as long as the secret is.
    fn mock(user: &str, secret: &[u8]) -> Self {
        let salt = hmac(secret, &[b"salt", user.as_bytes()]);
        Self {
            iterations: DEFAULT_ITERATIONS,
            salt: salt[..SALT_BYTES].to_vec(),
            stored_key: [0; 32],
            server_key: hmac(secret, &[b"key", user.as_bytes()]),
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, stored, server) =
            (STANDARD.encode(&self.salt), STANDARD.encode(self.stored_key), STANDARD.encode(self.server_key));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} iterations, ...)", self.iterations)
    }
}

/// One authentication exchange, waiting for the client's first message.
pub struct Exchange {
    user: String,
    verifier: Verifier,
    /// No password can succeed: the user does not exist or has none.
    is_doomed: bool,
    /// The binding data of the TLS connection (`tls-server-end-point`), if there is one.
    binding: Option<Vec<u8>>,
    nonce: String,
}

/// The exchange after the first round, waiting for the client's final message.
pub struct Challenge {
    user: String,
    verifier: Verifier,
    is_doomed: bool,
    /// What `c=` must say, base64.
    expected_binding: String,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

impl Exchange {
    /// Starts an exchange for `user`. `verifier` is the stored text, if the user exists and has a password.
    pub fn new(user: &str, verifier: Option<&str>, mock_secret: &[u8], binding: Option<Vec<u8>>) -> Self {
        let verifier = verifier.and_then(Verifier::parse);
        Self {
            user: user.to_string(),
            is_doomed: verifier.is_none(),
            verifier: verifier.unwrap_or_else(|| Verifier::mock(user, mock_secret)),
            binding,
            nonce: STANDARD.encode(rand::random::<[u8; NONCE_BYTES]>()),
        }
    }

    /// The mechanisms to offer, best first.
    pub fn mechanisms(&self) -> &'static [&'static str] {
        match self.binding {
            Some(_) => &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256],
            None => &[SCRAM_SHA_256],
        }
    }

    /// Takes the client's choice and first message; gives the answer and the next state.
    pub fn first(self, mechanism: &str, message: &[u8]) -> Result<(String, Challenge)> {
        if !self.mechanisms().contains(&mechanism) {
            return Err(err!(PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism"));
        }
        let message = text(message)?;
        let is_plus = mechanism == SCRAM_SHA_256_PLUS;
        // gs2 header: channel binding flag, "," authorization identity (none) ",".
        let (flag, rest) =
            message.split_once(',').ok_or_else(|| malformed("Comma expected, but found end of message."))?;
        match flag {
            "n" if is_plus => {
                return Err(malformed(
                    "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
                ));
            }
            "n" => {}
            // The client could bind but believes that we cannot, although we offered it: somebody took it away.
            "y" if is_plus => {
                return Err(malformed(
                    "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
                ));
            }
            "y" if self.binding.is_some() => {
                return Err(err!(INVALID_AUTHORIZATION_SPECIFICATION, "SCRAM channel binding negotiation error").detail(
                    "The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.",
                ));
            }
            "y" => {}
            "p=tls-server-end-point" if is_plus => {}
            _ if flag.starts_with("p=") && !is_plus => {
                return Err(malformed(
                    "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.",
                ));
            }
            _ if flag.starts_with("p=") => {
                return Err(err!(
                    INVALID_AUTHORIZATION_SPECIFICATION,
                    "unsupported SCRAM channel-binding type \"{}\"",
                    &flag[2..].escape_debug()
                ));
            }
            _ => return Err(malformed("Unexpected channel-binding flag.")),
        }
        let (identity, bare) =
            rest.split_once(',').ok_or_else(|| malformed("Comma expected, but found end of message."))?;
        if !identity.is_empty() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "client uses authorization identity, but it is not supported"));
        }
        if bare.starts_with("m=") {
            return Err(err!(FEATURE_NOT_SUPPORTED, "client requires an unsupported SCRAM extension"));
        }
        let mut attributes = bare.split(',');
        attribute(attributes.next(), 'n')?;
        let client_nonce = attribute(attributes.next(), 'r')?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
            return Err(err!(PROTOCOL_VIOLATION, "non-printable characters in SCRAM nonce"));
        }
        let nonce = format!("{client_nonce}{}", self.nonce);
        let salt = STANDARD.encode(&self.verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", self.verifier.iterations);
        let mut binding = format!("{flag},,").into_bytes();
        if is_plus {
            binding.extend_from_slice(self.binding.as_deref().expect("PLUS is offered only with a binding"));
        }
        let challenge = Challenge {
            user: self.user,
            verifier: self.verifier,
            is_doomed: self.is_doomed,
            expected_binding: STANDARD.encode(binding),
            nonce,
            client_first_bare: bare.to_string(),
            server_first: server_first.clone(),
        };
        Ok((server_first, challenge))
    }
}

impl Challenge {
    /// Takes the client's final message; gives our last one, or the reason for refusal.
    pub fn finish(self, message: &[u8]) -> Result<String> {
        let message = text(message)?;
        let (without_proof, proof) =
            message.rsplit_once(",p=").ok_or_else(|| malformed("Proof attribute expected in client-final-message."))?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), 'c')?;
        let nonce = attribute(attributes.next(), 'r')?;
        if binding != self.expected_binding {
            return Err(err!(INVALID_AUTHORIZATION_SPECIFICATION, "SCRAM channel binding check failed"));
        }
        if !constant_time_eq(nonce.as_bytes(), self.nonce.as_bytes()) {
            return Err(err!(PROTOCOL_VIOLATION, "invalid SCRAM response").detail("Nonce does not match."));
        }
        let proof: Key = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(|| malformed("Malformed proof in client-final-message."))?;

        let auth_message =
            [self.client_first_bare.as_bytes(), b",", self.server_first.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac(&self.verifier.stored_key, &auth_message);
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(k, s)| *k ^= s);
        let is_right = constant_time_eq(&sha256(&client_key), &self.verifier.stored_key);
        if !is_right || self.is_doomed {
            return Err(err!(INVALID_PASSWORD, "password authentication failed for user \"{}\"", self.user));
        }
        Ok(format!("v={}", STANDARD.encode(hmac(&self.verifier.server_key, &auth_message))))
    }
}

fn text(message: &[u8]) -> Result<&str> {
    std::str::from_utf8(message).map_err(|_| malformed("The message is not valid UTF-8."))
}

fn malformed(detail: &str) -> crate::error::Error {
    err!(PROTOCOL_VIOLATION, "malformed SCRAM message").detail(detail)
}

/// The value of the attribute `name=`, which must be what comes next.
fn attribute(found: Option<&str>, name: char) -> Result<&str> {
    found
        .and_then(|text| text.strip_prefix(name)?.strip_prefix('='))
        .ok_or_else(|| malformed(&format!("Expected attribute \"{name}\" but found something else.")))
}

/// Hi(): PBKDF2 with HMAC-SHA-256, one block, over the password as SASLprep leaves it (as it is if that refuses it).
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
    let prepared = stringprep::saslprep(password).unwrap_or(std::borrow::Cow::Borrowed(password));
    let keyed = Hmac::<Sha256>::new_from_slice(prepared.as_bytes()).expect("HMAC takes keys of any length");
    let round = |data: &[&[u8]]| -> Key {
        let mut mac = keyed.clone();
        data.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut last = round(&[salt, &1u32.to_be_bytes()]);
    let mut result = last;
    for _ in 1..iterations {
        last = round(&[&last]);
        result.iter_mut().zip(last).for_each(|(r, l)| *r ^= l);
    }
    result
}

fn hmac(key: &[u8], data: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    data.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn sha256(data: &[u8]) -> Key {
    Sha256::digest(data).into()
}

/// Compares without a branch on the contents, so that the time taken tells nothing about them.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's side, for tests: answers the server's first message.
    fn client_final(password: &str, bare: &str, server_first: &str, binding: &[u8]) -> String {
        let field = |name: &str| server_first.split(',').find_map(|f| f.strip_prefix(name)).unwrap();
        let salted = salted_password(password, &STANDARD.decode(field("s=")).unwrap(), field("i=").parse().unwrap());
        let without_proof = format!("c={},r={}", STANDARD.encode(binding), field("r="));
        let client_key = hmac(&salted, &[b"Client Key"]);
        let auth = format!("{bare},{server_first},{without_proof}");
        let mut proof = hmac(&sha256(&client_key), &[auth.as_bytes()]);
        proof.iter_mut().zip(client_key).for_each(|(p, k)| *p ^= k);
        format!("{without_proof},p={}", STANDARD.encode(proof))
    }

    fn log_in(stored: Option<&str>, password: &str) -> Result<String> {
        let exchange = Exchange::new("u", stored, b"secret", None);
        let (first, challenge) = exchange.first(SCRAM_SHA_256, b"n,,n=,r=abc").unwrap();
        challenge.finish(client_final(password, "n=,r=abc", &first, b"n,,").as_bytes())
    }

    #[test]
    fn rfc_7677_example() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut exchange = Exchange::new("user", None, b"", None);
        exchange.verifier = Verifier::with_salt("pencil", &salt, 4096);
        exchange.is_doomed = false;
        exchange.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_string();
        let (first, challenge) = exchange.first(SCRAM_SHA_256, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(challenge.finish(last.as_bytes()).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn right_and_wrong_passwords() {
        let stored = Verifier::generate("pa\u{df}wörd ⅸ").to_string();
        assert!(log_in(Some(&stored), "pa\u{df}wörd ⅸ").unwrap().starts_with("v="));
        // SASLprep: the compatibility form of the same password.
        assert!(log_in(Some(&stored), "pa\u{df}wörd ix").is_ok());
        let error = log_in(Some(&stored), "other").unwrap_err();
        assert_eq!(
            (error.code().as_str(), error.message()),
            ("28P01", "password authentication failed for user \"u\"")
        );
        assert_eq!(log_in(None, "").unwrap_err().code().as_str(), "28P01");
        assert_eq!(log_in(Some("md5abc"), "x").unwrap_err().code().as_str(), "28P01");
    }

    #[test]
    fn verifier_text_round_trips() {
        let verifier = Verifier::generate("secret");
        assert_eq!(Verifier::parse(&verifier.to_string()), Some(verifier.clone()));
        assert_eq!(Verifier::from_password_or_verifier(&verifier.to_string()), verifier);
        assert!(verifier.matches("secret") && !verifier.matches("Secret"));
        for bad in ["", "secret", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:$a:b", "SCRAM-SHA-256$0:QQ==$QQ==:QQ=="] {
            assert_eq!(Verifier::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn unknown_users_look_alike_every_time() {
        let salt = |user: &str, secret: &[u8]| {
            let exchange = Exchange::new(user, None, secret, None);
            let (first, _) = exchange.first(SCRAM_SHA_256, b"n,,n=,r=abc").unwrap();
            first.split(",s=").nth(1).unwrap().to_string()
        };
        assert_eq!(salt("ghost", b"s"), salt("ghost", b"s"));
        assert_ne!(salt("ghost", b"s"), salt("ghost2", b"s"));
        assert_ne!(salt("ghost", b"s"), salt("ghost", b"t"));
    }

    #[test]
    fn channel_binding() {
        let stored = Verifier::with_salt("p", b"salt", 10).to_string();
        let start = || Exchange::new("u", Some(&stored), b"", Some(b"certificate hash".to_vec()));
        let bare = "n=,r=abc";
        let (first, challenge) = start().first(SCRAM_SHA_256_PLUS, b"p=tls-server-end-point,,n=,r=abc").unwrap();
        let right = client_final("p", bare, &first, b"p=tls-server-end-point,,certificate hash");
        assert!(challenge.finish(right.as_bytes()).is_ok());
        let (first, challenge) = start().first(SCRAM_SHA_256_PLUS, b"p=tls-server-end-point,,n=,r=abc").unwrap();
        let wrong = client_final("p", bare, &first, b"p=tls-server-end-point,,other certificate");
        assert_eq!(challenge.finish(wrong.as_bytes()).unwrap_err().message(), "SCRAM channel binding check failed");
        // A downgrade in the middle, a flag without its mechanism, a mechanism that was not offered.
        assert!(start().first(SCRAM_SHA_256, b"y,,n=,r=abc").is_err());
        assert!(start().first(SCRAM_SHA_256, b"p=tls-server-end-point,,n=,r=abc").is_err());
        assert!(start().first(SCRAM_SHA_256_PLUS, b"n,,n=,r=abc").is_err());
        assert!(start().first(SCRAM_SHA_256_PLUS, b"p=tls-unique,,n=,r=abc").is_err());
        assert!(Exchange::new("u", None, b"", None).first(SCRAM_SHA_256_PLUS, b"n,,n=,r=a").is_err());
        // A client that can bind, on a connection that cannot.
        assert!(Exchange::new("u", None, b"", None).first(SCRAM_SHA_256, b"y,,n=,r=a").is_ok());
    }

    #[test]
    fn malformed_messages_are_refused() {
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=",
            "n,,n=,",
            "n,,r=abc",
            "n,a=x,n=,r=abc",
            "n,,m=1,n=,r=a",
            "q,,n=,r=a",
            "n,,n=,r=\u{7f}",
        ] {
            let exchange = Exchange::new("u", None, b"", None);
            assert!(exchange.first(SCRAM_SHA_256, bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in ["", "c=biws", "c=biws,r=abc,p=", "c=biws,r=abc", "p=AA==", "c=x,r=y,p=!!", "c=biws,,p=AAAA"] {
            let exchange = Exchange::new("u", None, b"", None);
            let (_, challenge) = exchange.first(SCRAM_SHA_256, b"n,,n=,r=abc").unwrap();
            assert!(challenge.finish(bad.as_bytes()).is_err(), "{bad}");
        }
        let exchange = Exchange::new("u", None, b"", None);
        assert!(exchange.first(SCRAM_SHA_256, b"n,,n=\xff,r=abc").is_err());
    }
}
