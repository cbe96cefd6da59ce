//! The only place that makes random bits.

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
        f64::from(u32::from_le_bytes(buffer)) / (f64::from(u32::MAX) + 1.0)
    }
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
}
