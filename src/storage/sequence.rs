//! Sequences: values are handed out from memory, and a command that runs ahead of them is logged every 32 values.
//!
//! `nextval` does not wait for that command: it is queued before any transaction that uses the values can be, so the
//! log has it first. As in PostgreSQL, a crash may skip values but never gives out one that a commit has used.

use super::catalog::Sequence;
use crate::err;
use crate::error::Result;

/// How many values are logged ahead (PostgreSQL's SEQ_LOG_VALS).
pub(crate) const LOG_VALUES: i64 = 32;

/// The state of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// The last value handed out, or the value to start with.
    pub last_value: i64,
    /// Whether `last_value` was handed out.
    pub is_called: bool,
}

impl SequenceState {
    /// The state of a new sequence.
    pub fn start(sequence: &Sequence) -> Self {
        Self { last_value: sequence.start, is_called: false }
    }

    pub(crate) fn encode(self) -> [u8; 9] {
        let mut out = [0; 9];
        out[..8].copy_from_slice(&self.last_value.to_be_bytes());
        out[8] = self.is_called.into();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        match (bytes.first_chunk(), bytes.get(8..)) {
            (Some(value), Some([called])) => {
                Ok(Self { last_value: i64::from_be_bytes(*value), is_called: *called != 0 })
            }
            _ => Err(err!(DATA_CORRUPTED, "a stored sequence has {} bytes", bytes.len())),
        }
    }

    /// The next value: 2200H at the end of a sequence that does not cycle.
    pub fn next(&mut self, sequence: &Sequence) -> Result<i64> {
        let value = match self.is_called {
            false => self.last_value,
            true => self.following(sequence)?,
        };
        *self = Self { last_value: value, is_called: true };
        Ok(value)
    }

    fn following(&self, sequence: &Sequence) -> Result<i64> {
        let next = self.last_value.checked_add(sequence.increment);
        match next.filter(|value| (sequence.min..=sequence.max).contains(value)) {
            Some(value) => Ok(value),
            None if sequence.cycle && sequence.increment > 0 => Ok(sequence.min),
            None if sequence.cycle => Ok(sequence.max),
            None => {
                let (end, limit) = match sequence.increment > 0 {
                    true => ("maximum", sequence.max),
                    false => ("minimum", sequence.min),
                };
                let name = &sequence.name;
                Err(err!(
                    SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
                    "nextval: reached {end} value of sequence \"{name}\" ({limit})"
                ))
            }
        }
    }
}

/// A sequence in use: its state, and how many more values the log already covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) state: SequenceState,
    pub(crate) covered: i64,
}

impl Live {
    pub(crate) fn new(state: SequenceState) -> Self {
        Self { state, covered: 0 }
    }

    /// The next value, and the state to log when the log does not cover it yet.
    pub(crate) fn next(&mut self, sequence: &Sequence) -> Result<(i64, Option<SequenceState>)> {
        let value = self.state.next(sequence)?;
        if self.covered > 0 {
            self.covered -= 1;
            return Ok((value, None));
        }
        let mut ahead = self.state;
        let mut count = 0;
        // A sequence that is about to end or to wrap is logged as far as it goes.
        while count < LOG_VALUES {
            let mut further = ahead;
            match further.next(sequence) {
                Ok(next) if (next > ahead.last_value) == (sequence.increment > 0) => ahead = further,
                _ => break,
            }
            count += 1;
        }
        self.covered = count;
        Ok((value, Some(ahead)))
    }
}

/// Refuses a value outside of the sequence's range, as setval does.
pub fn check_range(sequence: &Sequence, value: i64) -> Result<()> {
    if (sequence.min..=sequence.max).contains(&value) {
        return Ok(());
    }
    let Sequence { name, min, max, .. } = sequence;
    Err(err!(
        NUMERIC_VALUE_OUT_OF_RANGE,
        "setval: value {value} is out of bounds for sequence \"{name}\" ({min}..{max})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Type;

    fn sequence(increment: i64, min: i64, max: i64, cycle: bool) -> Sequence {
        let start = if increment > 0 { min } else { max };
        let (oid, schema, owner, cache, owned_by) = (1, 2, 10, 1, None);
        Sequence {
            oid,
            schema,
            name: "s".into(),
            owner,
            typ: Type::INT8,
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            owned_by,
        }
    }

    fn take(sequence: &Sequence, count: usize) -> Vec<Result<i64>> {
        let mut live = Live::new(SequenceState::start(sequence));
        (0..count).map(|_| live.next(sequence).map(|(value, _)| value)).collect()
    }

    #[test]
    fn a_sequence_ends_or_cycles() {
        assert_eq!(take(&sequence(2, 1, 4, true), 4), [Ok(1), Ok(3), Ok(1), Ok(3)]);
        assert_eq!(take(&sequence(-1, 1, 2, true), 4), [Ok(2), Ok(1), Ok(2), Ok(1)]);
        let end = take(&sequence(1, 1, 2, false), 3).pop().unwrap().unwrap_err();
        assert_eq!(end.message(), "nextval: reached maximum value of sequence \"s\" (2)");
        assert!(take(&sequence(1, 1, i64::MAX, false), 3).iter().all(Result::is_ok));
    }

    #[test]
    fn what_is_logged_covers_every_value_handed_out() {
        for sequence in [sequence(1, 1, 1000, false), sequence(-3, -50, 100, true), sequence(7, 1, 100, true)] {
            let mut live = Live::new(SequenceState::start(&sequence));
            let mut logged = SequenceState::start(&sequence);
            for _ in 0..500 {
                let Ok((value, log)) = live.next(&sequence) else { break };
                logged = log.unwrap_or(logged);
                let covered = match sequence.increment > 0 {
                    true => value <= logged.last_value,
                    false => value >= logged.last_value,
                };
                assert!(logged.is_called && covered, "{value} {logged:?}");
            }
        }
    }
}
