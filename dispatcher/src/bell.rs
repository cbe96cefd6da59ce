//! "There may be work": a wake-up that carries no data and coalesces.

use std::sync::Arc;

use tokio::sync::Notify;

/// Rung by whoever makes work, heard by the one loop that looks for it.
///
/// A ring with nobody listening is kept, so that the next [`Bell::heard`] returns at once: what was
/// made between looking and listening is never slept over.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Wakes the listener, now or when it next listens.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Resolves at the next ring, or at once if there was one since the last time.
    pub async fn heard(&self) {
        self.0.notified().await;
    }
}
