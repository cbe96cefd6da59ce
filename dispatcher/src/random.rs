//! The only place that makes random bits.

use std::cell::RefCell;
use std::fmt::Debug;

/// Where ids, secrets and jitter come from.
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// Bits for an id.
    fn bits(&self) -> u128 {
        let mut buffer = [0; 16];
        self.fill(&mut buffer);
        u128::from_le_bytes(buffer)
    }

    /// A number in `[0, 1)`.
    fn unit(&self) -> f64 {
        let mut buffer = [0; 4];
        self.fill(&mut buffer);
        fraction(u32::from_le_bytes(buffer))
    }
}

/// As a part of the whole range.
fn fraction(bits: u32) -> f64 {
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// Bits asked of the system at once: asking costs more than the id they are for.
const AHEAD: usize = 32;

thread_local! {
    /// Bits for ids that nobody has had yet.
    static BITS: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// The operating system's generator: fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the module that makes random bits")]
    #[expect(clippy::expect_used, reason = "without random bits no secret is safe: stop")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system has no random bits");
    }

    fn bits(&self) -> u128 {
        BITS.with_borrow_mut(|bits| {
            bits.pop().unwrap_or_else(|| {
                let mut buffer = [0; AHEAD * size_of::<u128>()];
                self.fill(&mut buffer);
                let (all, _) = buffer.as_chunks();
                let mut all = all.iter().map(|bytes| u128::from_le_bytes(*bytes));
                let first = all.next().unwrap_or_default();
                bits.extend(all);
                first
            })
        })
    }

    fn unit(&self) -> f64 {
        fraction(u32::try_from(self.bits() >> 96).unwrap_or_default())
    }
}
