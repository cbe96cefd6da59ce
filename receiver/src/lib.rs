#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Receive Bluum webhooks: verified, typed events.")]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "std")]
mod clock;
mod error;
mod headers;
mod key;
mod leniency;
#[cfg(feature = "testing")]
pub mod testing;
mod verify;

#[cfg(feature = "v1a")]
pub use bluum_hooks_shared::asymmetric::{PublicKey, PublicKeyError};
#[cfg(feature = "events")]
pub use bluum_hooks_shared::event::{Data, Event, EventError};
pub use bluum_hooks_shared::header;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::money::{Decimal, DecimalError, Money};
pub use bluum_hooks_shared::secret::{Secret, SecretError};
pub use bluum_hooks_shared::signature::SigningKey;
pub use bluum_hooks_shared::time::Timestamp;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::time::TimestampError;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::{id, object};

#[cfg(feature = "std")]
pub use clock::now;
pub use error::VerifyError;
pub use headers::Headers;
pub use key::{Key, KeyError};
pub use leniency::Leniency;
pub use verify::{DEFAULT_TOLERANCE, Verified, Verifier};
