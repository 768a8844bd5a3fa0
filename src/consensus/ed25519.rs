//! The one Ed25519 rule, for one signature or many at once.
//!
//! A signature (R, s) of M by A is good if s < ℓ, R and A are points, and `8·(s·B − k·A − R) = 0` with
//! k = SHA-512(R ‖ A ‖ M) mod ℓ: ZIP 215's equation with the factor 8. That factor is what lets many signatures be
//! checked as one sum: each term is zero or not in a group of prime order, so a random combination of terms is zero if
//! and only if all are (but for one chance in 2^128). Without the factor, as in `verify_strict`, a signer could make a
//! signature that passes alone and fails in company, or the other way round, and so split those who check alone from
//! those who check together. Keys of small order are refused where members are named ([`Key::new`]).
//!
//! The random factors are a hash of everything that is checked, so the same signatures are checked in the same way
//! everywhere; choosing signatures that cancel out would mean inverting that hash.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use sha2::{Digest as _, Sha512};

/// A public key ready to verify with.
#[derive(Clone)]
pub(super) struct Key {
    bytes: [u8; 32],
    /// −A.
    minus: EdwardsPoint,
}

impl Key {
    /// `None` if the bytes are not a point, or one of small order, for which anybody could sign.
    pub(super) fn new(bytes: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*bytes).decompress().filter(|point| !point.is_small_order())?;
        Some(Self { bytes: *bytes, minus: -point })
    }
}

/// A signature taken apart.
struct Term {
    /// Its key's place in the sum.
    key: usize,
    k: Scalar,
    s: Scalar,
    /// −R.
    minus_r: EdwardsPoint,
}

/// Signatures that are to be verified together.
#[derive(Default)]
pub(super) struct Sum {
    keys: Vec<Key>,
    terms: Vec<Term>,
}

impl Sum {
    /// Adds a signature; false if it is not even well formed.
    pub(super) fn add(&mut self, key: &Key, message: &[u8], signature: &[u8; 64]) -> bool {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&signature[..32]);
        s.copy_from_slice(&signature[32..]);
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else { return false };
        let Some(point) = CompressedEdwardsY(r).decompress() else { return false };
        let hash = Sha512::new().chain_update(r).chain_update(key.bytes).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let known = self.keys.iter().position(|known| known.bytes == key.bytes);
        let key = known.unwrap_or_else(|| {
            self.keys.push(key.clone());
            self.keys.len() - 1
        });
        self.terms.push(Term { key, k, s, minus_r: -point });
        true
    }

    /// Whether all that were added are good.
    pub(super) fn is_good(&self) -> bool {
        match self.terms.as_slice() {
            [] => true,
            [Term { key, k, s, minus_r }] => {
                let key = &self.keys[*key].minus;
                (EdwardsPoint::vartime_double_scalar_mul_basepoint(k, key, s) + minus_r).is_small_order()
            }
            terms => self.is_zero(terms),
        }
    }

    fn is_zero(&self, terms: &[Term]) -> bool {
        let factors = self.factors(terms);
        let (mut base, mut keys) = (Scalar::ZERO, vec![Scalar::ZERO; self.keys.len()]);
        for (term, z) in terms.iter().zip(&factors) {
            base += z * term.s;
            keys[term.key] += z * term.k;
        }
        let scalars = keys.into_iter().chain(factors).chain([base]);
        let points = self.keys.iter().map(|key| key.minus).chain(terms.iter().map(|term| term.minus_r));
        let points = points.chain([ED25519_BASEPOINT_POINT]);
        EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_small_order()
    }

    /// A factor of 128 bits for each term, bound to all of them: k is a hash of R, A and M.
    fn factors(&self, terms: &[Term]) -> Vec<Scalar> {
        let mut hash = Sha512::new().chain_update(b"aerolith/signatures/1\0");
        for term in terms {
            hash.update(self.keys[term.key].bytes);
            hash.update(term.k.as_bytes());
            hash.update(term.s.as_bytes());
        }
        let draw = |at: usize| {
            let bytes = hash.clone().chain_update((at as u64).to_be_bytes()).finalize();
            let low: [u8; 16] = std::array::from_fn(|at| bytes[at]);
            Scalar::from(u128::from_le_bytes(low))
        };
        (0..terms.len()).map(draw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    fn signer(id: u8) -> (SigningKey, Key) {
        let key = SigningKey::from_bytes(&[id + 1; 32]);
        let public = Key::new(key.verifying_key().as_bytes()).unwrap();
        (key, public)
    }

    fn sum(signed: &[(Key, Vec<u8>, [u8; 64])]) -> bool {
        let mut sum = Sum::default();
        signed.iter().all(|(key, message, signature)| sum.add(key, message, signature)) && sum.is_good()
    }

    #[test]
    fn many_are_good_only_if_each_is() {
        for count in 1..40 {
            let sign = |at: u8| {
                let (secret, key) = signer(at % 5);
                let message = vec![at; usize::from(at)];
                let signature = secret.sign(&message).to_bytes();
                (key, message, signature)
            };
            let good: Vec<_> = (0..count).map(sign).collect();
            assert!(sum(&good), "{count}");
            for (at, bit) in [(0, 3), (31, 0), (32, 5), (62, 1)] {
                let mut bad = good.clone();
                bad[usize::from(count) / 2].2[at] ^= 1 << bit;
                assert!(!sum(&bad), "{count}: byte {at}");
            }
            let mut bad = good.clone();
            bad[usize::from(count) - 1].1.push(7);
            assert!(!sum(&bad), "{count}: another message");
            let mut bad = good.clone();
            bad[0].0 = signer(9).1;
            assert!(!sum(&bad), "{count}: another key");
        }
    }

    #[test]
    fn alone_and_in_company_follow_one_rule() {
        // R moved by a point of small order, s to match: `verify_strict` refuses it, this rule accepts it, alone and
        // in company alike.
        let (secret, key) = signer(0);
        let expanded: [u8; 64] = Sha512::digest(secret.to_bytes()).into();
        let mut clamped = [0; 32];
        clamped.copy_from_slice(&expanded[..32]);
        clamped[0] &= 248;
        clamped[31] = (clamped[31] & 127) | 64;
        let a = Scalar::from_bytes_mod_order(clamped);
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let nonce = Scalar::from(77_u64);
        let r = (ED25519_BASEPOINT_POINT * nonce + torsion).compress();
        let hash = Sha512::new().chain_update(r.0).chain_update(key.bytes).chain_update(b"odd");
        let s = nonce + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * a;
        let mut odd = [0; 64];
        odd[..32].copy_from_slice(&r.0);
        odd[32..].copy_from_slice(s.as_bytes());
        assert!(secret.verifying_key().verify_strict(b"odd", &ed25519_dalek::Signature::from_bytes(&odd)).is_err());
        let odd = (key.clone(), b"odd".to_vec(), odd);
        let (other, other_key) = signer(1);
        let even = (other_key, b"even".to_vec(), other.sign(b"even").to_bytes());
        assert!(sum(std::slice::from_ref(&odd)));
        for company in 1..20 {
            let mut all = vec![even.clone(); company];
            all.insert(company / 2, odd.clone());
            assert!(sum(&all), "{company}");
        }
    }

    #[test]
    fn malformed_signatures_and_weak_keys_are_refused() {
        let (secret, key) = signer(0);
        let mut signature = secret.sign(b"m").to_bytes();
        assert!(sum(&[(key.clone(), b"m".to_vec(), signature)]));
        // s + ℓ is the same number, written down another way.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(!Sum::default().add(&key, b"m", &signature));
        assert!(Key::new(&[0; 32]).is_none());
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(Key::new(&identity).is_none());
    }
}
