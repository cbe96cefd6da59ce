//! The wire contract of Bluum Hooks: what both ends of the wire must agree on.
//!
//! Pure: no I/O, no clock, no randomness. Times and random bits are handed in.
//!
//! What a signature needs is always there, and needs no more than `core` and `alloc`: [`header`],
//! [`secret`], [`signature`], [`time`]. Features add the rest: `v1a` key pairs, `events` what is
//! signed and the API around it.
#![cfg_attr(not(any(feature = "events", test)), no_std)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "events")]
pub mod api;
#[cfg(feature = "v1a")]
pub mod asymmetric;
#[cfg(feature = "events")]
pub mod catalogue;
#[cfg(feature = "events")]
pub mod error;
#[cfg(feature = "events")]
pub mod event;
pub mod header;
#[cfg(feature = "events")]
pub mod id;
#[cfg(feature = "events")]
pub mod money;
#[cfg(feature = "events")]
pub mod object;
#[cfg(feature = "events")]
mod open_enum;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod secret;
pub mod signature;
pub mod time;
