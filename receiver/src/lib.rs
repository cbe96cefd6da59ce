#![cfg_attr(all(feature = "axum", feature = "sqlite"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "sqlite")),
    doc = "Receive Bluum webhooks: verified, typed events that count once."
)]
#![cfg_attr(
    all(any(doc, doctest), feature = "axum", feature = "sqlite", feature = "testing"),
    doc = "The guides are here: [`guide::axum`], [`guide::tower`], [`guide::actix`], \
           [`guide::errors`], [`guide::polling`] and [`guide::other_languages`]; [`inbox`] and \
           [`testing`] begin with one each."
)]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "std")]
mod clock;
mod error;
#[cfg(all(any(doc, doctest), feature = "axum", feature = "sqlite", feature = "testing"))]
pub mod guide;
mod headers;
#[cfg(feature = "inbox")]
pub mod inbox;
mod key;
mod leniency;
#[cfg(feature = "tower")]
mod receive;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tower")]
pub mod tower;
mod verify;

#[cfg(feature = "v1a")]
pub use bluum_hooks_shared::asymmetric::{PublicKey, PublicKeyError};
#[cfg(feature = "events")]
pub use bluum_hooks_shared::event::{Data, DataError, Event, EventError};
pub use bluum_hooks_shared::header;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::money::{Decimal, DecimalError, Money};
pub use bluum_hooks_shared::secret::{Secret, SecretError};
pub use bluum_hooks_shared::signature::SigningKey;
pub use bluum_hooks_shared::time::Timestamp;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::time::TimestampError;
#[cfg(feature = "events")]
pub use bluum_hooks_shared::{catalogue, id, object};

#[cfg(feature = "std")]
pub use clock::now;
pub use error::VerifyError;
pub use headers::Headers;
pub use key::{Key, KeyError};
pub use leniency::Leniency;
pub use verify::{DEFAULT_TOLERANCE, Verified, Verifier};
