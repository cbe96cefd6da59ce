//! What the parts of a running dispatcher share.

use std::sync::Arc;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::random::Random;
use crate::shutdown::Shutdown;
use crate::slots::Slots;
use crate::store::Store;

/// One dispatcher's store, clock, randomness, slots, bell and end. Clones are the same dispatcher.
#[derive(Debug, Clone)]
pub struct Context {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub slots: Slots,
    pub bell: Bell,
    pub shutdown: Shutdown,
}
