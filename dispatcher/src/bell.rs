//! Wake-ups that carry no data and coalesce: "there may be work", "events were accepted".

use std::sync::Arc;

use tokio::sync::{Notify, watch};

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

/// "Events were accepted": told to everybody who listens.
#[derive(Debug, Clone, Default)]
pub struct Arrivals(watch::Sender<()>);

impl Arrivals {
    /// Wakes all listeners.
    pub fn tell(&self) {
        self.0.send_replace(());
    }

    /// A listener, which hears what is told from now on.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
