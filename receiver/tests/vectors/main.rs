//! What the suites of others test: their known answers, and everything that they refuse.
//!
//! One module a suite. Where a suite accepts more than we do, the rule that it gives up is given
//! up by name.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod delivery;
mod official;
mod rivals;
