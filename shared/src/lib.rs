//! The wire contract of Bluum Hooks: what both ends of the wire must agree on.
//!
//! Pure: no I/O, no clock, no randomness. Times and random bits are handed in.
#![warn(missing_docs)]

pub mod api;
pub mod asymmetric;
pub mod catalogue;
pub mod error;
pub mod event;
pub mod header;
pub mod id;
pub mod money;
pub mod object;
mod open_enum;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod secret;
pub mod signature;
pub mod time;
