//! Is the primary slow on purpose? A primary just faster than the request timer would otherwise halve nothing but the
//! throughput, for ever (Aardvark's lesson). Backups measure how long a body that could be proposed waits although the
//! pipeline has room, and compare with the best of recent views.

/// Delays of proposals, in microseconds.
#[derive(Default)]
pub(super) struct Pace {
    average: u64,
    samples: u32,
    /// Averages of the last views.
    history: Vec<u64>,
}

const SAMPLES_MIN: u32 = 8;
const VIEWS: usize = 5;

impl Pace {
    pub(super) fn observe(&mut self, delay: u64) {
        self.average = if self.samples == 0 { delay } else { (self.average * 7 + delay) / 8 };
        self.samples += 1;
    }

    /// A new view: the old one becomes history.
    pub(super) fn turn(&mut self) {
        if self.samples >= SAMPLES_MIN {
            self.history.push(self.average);
            if self.history.len() > VIEWS {
                self.history.remove(0);
            }
        }
        (self.average, self.samples) = (0, 0);
    }

    /// Whether this view's primary takes four times as long as the best recent one, and longer than `floor`. `patience`
    /// is the number of failed views: like the timers, the bound doubles, so that a slow network is not blamed for ever.
    pub(super) fn is_too_slow(&self, floor: u64, patience: u32) -> bool {
        let best = self.history.iter().min().copied().unwrap_or(floor / 4);
        let bound = floor.max(best.saturating_mul(4)) << patience.min(10);
        self.samples >= SAMPLES_MIN && self.average > bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowness_is_relative_to_recent_views_and_forgives_after_failures() {
        let mut pace = Pace::default();
        (0..8).for_each(|_| pace.observe(100_000));
        assert!(pace.is_too_slow(40_000, 0));
        assert!(!pace.is_too_slow(40_000, 2));
        pace.turn();
        // The last view was no better: perhaps it is the network.
        (0..8).for_each(|_| pace.observe(100_000));
        assert!(!pace.is_too_slow(40_000, 0));
    }
}
