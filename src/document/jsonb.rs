//! [`Jsonb`]: the binary document.

/// An owned document.
#[derive(Clone, Debug)]
pub struct Jsonb(Box<[u8]>);

impl Jsonb {
    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
