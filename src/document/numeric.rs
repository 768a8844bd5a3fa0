//! [`Numeric`]: PostgreSQL's `numeric`.

/// An exact decimal with display scale, NaN or an infinity.
#[derive(Clone, Debug)]
pub struct Numeric(Box<[u8]>);

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
