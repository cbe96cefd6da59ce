#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Receive Bluum webhooks: verified, typed events.")]
#![warn(missing_docs)]

#[cfg(feature = "axum")]
pub mod axum;
mod clock;
mod error;
mod headers;
mod key;
mod verify;

pub use bluum_hooks_shared::asymmetric::{PublicKey, PublicKeyError};
pub use bluum_hooks_shared::event::{Data, Event, EventError};
pub use bluum_hooks_shared::money::{Decimal, DecimalError, Money};
pub use bluum_hooks_shared::secret::{Secret, SecretError};
pub use bluum_hooks_shared::signature::SigningKey;
pub use bluum_hooks_shared::time::{Timestamp, TimestampError};
pub use bluum_hooks_shared::{header, id, object};

pub use clock::now;
pub use error::VerifyError;
pub use headers::Headers;
pub use key::{Key, KeyError};
pub use verify::{DEFAULT_TOLERANCE, Verified, Verifier};
