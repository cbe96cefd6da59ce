//! The loop that has the database write its log back.

use std::time::Duration;

use crate::context::Context;

/// How often to look. What comes in between, at most, should not fill the log.
const INTERVAL: Duration = Duration::from_millis(100);

/// Looks again and again, until intake stops.
pub async fn run(context: Context) {
    while !context.shutdown.is_intake_stopped() {
        if let Err(failure) = context.store.write_back().await {
            context.refused(&failure, "cannot write the log of the database back");
        }
        context.rest(INTERVAL).await;
    }
}
