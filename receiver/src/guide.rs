//! Guides: from nothing to a receiver, and what to do when something is refused.

#[doc = include_str!("../docs/axum.md")]
pub mod axum {}

#[doc = include_str!("../docs/tower.md")]
pub mod tower {}

#[doc = include_str!("../docs/actix.md")]
pub mod actix {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/polling.md")]
pub mod polling {}

#[doc = include_str!("../docs/other-languages.md")]
pub mod other_languages {}
