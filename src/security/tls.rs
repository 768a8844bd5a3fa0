//! The server's TLS: a rustls configuration from PEM files, and the certificate's hash for SCRAM's channel binding.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::Digest;

use crate::config::setting_error;
use crate::error::Result;

/// The protocol name that PostgreSQL clients offer in ALPN.
pub const ALPN_POSTGRESQL: &[u8] = b"postgresql";

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub struct ServerTls {
    /// The rustls configuration, with ALPN `postgresql`.
    pub config: Arc<rustls::ServerConfig>,
    /// Binding data of type `tls-server-end-point` (RFC 5929); `None` if the certificate's signature defines none.
    pub end_point: Option<Vec<u8>>,
}

impl ServerTls {
    /// Reads certificate chain and private key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self> {
        let certificates = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
            .map_err(|e| setting_error("pg", "tls_certificate", certificate, e))?;
        let first = certificates
            .first()
            .ok_or_else(|| setting_error("pg", "tls_certificate", certificate, "there is no certificate in it"))?;
        let end_point = end_point(first);
        let private_key = PrivateKeyDer::from_pem_file(key).map_err(|e| setting_error("pg", "tls_key", key, e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private_key))
            .map_err(|e| setting_error("pg", "tls_key", key, e))?;
        config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec()];
        Ok(Self { config: Arc::new(config), end_point })
    }
}

/// The hash of a certificate by the hash function of its own signature; MD5 and SHA-1 are replaced by SHA-256.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha256 => sha2::Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => sha2::Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => sha2::Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The hash of the signature algorithm: `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, ... }`.
/// Ed25519 and RSA-PSS name none: no binding, as in PostgreSQL.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (certificate, _) = der_element(certificate)?;
    let (_tbs, rest) = der_element(certificate)?;
    let (algorithm, _) = der_element(rest)?;
    let (oid, _) = der_element(algorithm)?;
    // pkcs-1 (1.2.840.113549.1.1.x) and ecdsa-with-SHA2 (1.2.840.10045.4.3.x).
    const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA_SHA2: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    const ECDSA_SHA1: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    if oid == ECDSA_SHA1 {
        return Some(Hash::Sha256);
    }
    let (last, prefix) = oid.split_last()?;
    match (prefix == PKCS1, prefix == ECDSA_SHA2, last) {
        (true, _, 4 | 5 | 11) | (_, true, 2) => Some(Hash::Sha256),
        (true, _, 12) | (_, true, 3) => Some(Hash::Sha384),
        (true, _, 13) | (_, true, 4) => Some(Hash::Sha512),
        _ => None,
    }
}

/// The content of the first DER element, and what follows it.
fn der_element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (first as usize, rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked((first & 0x7f) as usize)?;
            (bytes.iter().fold(0usize, |n, b| n << 8 | *b as usize), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_point_of_generated_certificates() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(Hash::Sha256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(Hash::Sha384)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(signature_hash(certificate.der()), hash);
        }
        for length in 0..20 {
            assert_eq!(signature_hash(&[0x30; 20][..length]), None);
        }
    }

    #[test]
    fn files_are_loaded_and_errors_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let tls = ServerTls::load(&certificate, &key).unwrap();
        assert_eq!(tls.end_point.unwrap().len(), 32);
        std::fs::write(&key, "nonsense").unwrap();
        let error = ServerTls::load(&certificate, &key).err().unwrap();
        assert!(error.message().contains("k.pem"), "{error}");
    }
}
