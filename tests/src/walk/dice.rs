//! Chance, as a walk asks for it.

use std::ops::Range;
use std::time::Duration;

use crate::seed::Chance;

/// Throws the same for the same seed.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) Chance);

impl Dice {
    /// A number of the range, which must not be empty.
    pub(crate) fn size(&mut self, range: Range<usize>) -> usize {
        let place = self.0.number(0..(range.end - range.start) as u64);
        range.start + usize::try_from(place).unwrap_or_default()
    }

    /// A number of the range, which must not be empty.
    pub(crate) fn count(&mut self, range: Range<u32>) -> u32 {
        u32::try_from(self.0.number(range.start.into()..range.end.into())).unwrap_or(range.start)
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.0.number(0..times) == 0
    }

    /// One of these, of which there is at least one.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.size(0..from.len())]
    }

    /// A duration of the range, in microseconds.
    pub(crate) fn micros(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.0.number(range))
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.count(0..1_000)) / 1_000.0
    }
}
