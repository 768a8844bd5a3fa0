//! Consensus: PBFT as a value you step.
