//! How many replicas make a decision, for any cluster size.
//!
//! With n replicas at most `f = ⌊(n−1)/3⌋` may be faulty. A *quorum* is `q = ⌈(n+f+1)/2⌉`: any two quorums share more
//! than f replicas, hence a correct one, and n−f ≥ q, so the correct replicas alone can always form one. A *weak quorum*
//! of f+1 contains a correct replica. For n = 3f+1 this is the paper's 2f+1; for n = 5 or 6 the paper's 2f+1 = 3 would be
//! unsafe (two groups of three out of six need not meet), q is 4. n = 1 gives f = 0, q = 1: one voice decides.

/// The sizes that matter in a cluster of `n` voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Voters.
    pub n: usize,
    /// Faulty voters tolerated.
    pub f: usize,
    /// Voters that make a decision.
    pub q: usize,
}

impl Quorum {
    /// The sizes for `n` voters; a cluster has at least one.
    pub fn of(n: usize) -> Self {
        assert!(n >= 1, "a cluster has at least one voter");
        let f = (n - 1) / 3;
        Self { n, f, q: (n + f + 1).div_ceil(2) }
    }

    /// Enough voters that one of them is correct.
    pub fn weak(&self) -> usize {
        self.f + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorums_meet_in_a_correct_replica_and_are_reachable() {
        for n in 1..200 {
            let Quorum { f, q, .. } = Quorum::of(n);
            assert!(2 * q > n + f, "two quorums of {n} meet in more than f");
            assert!(q <= n - f, "the correct ones of {n} reach a quorum");
            assert!(2 * (q - 1) <= n + f, "and no smaller number would do for {n}");
        }
        let sizes: Vec<_> = (1..=10).map(|n| Quorum::of(n).q).collect();
        assert_eq!(sizes, [1, 2, 2, 3, 4, 4, 5, 6, 6, 7]);
    }
}
