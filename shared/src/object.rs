//! The platform's resources, one file a noun: those that events carry in `data`, and for those who
//! read its API [`Transaction`], [`Position`] and [`FundingSource`], which no event is about.
//!
//! Typed, but never strict about what is new: everything beyond `id` and `status` may be missing
//! or null, fields that are not named here are skipped, and statuses are open enums. The older
//! names of fields and words are read as well as the current ones, and written as the current ones.
//!
//! Who a person is and where their bank account is does not show in `{:?}`: such fields are left
//! out, [`Redacted`], or [`RawJson`].
//!
//! For tests, each has an example: in the [catalogue](crate::catalogue::EventType::example_data),
//! or as `EXAMPLE`.

pub mod account;
pub mod delivery;
pub mod deposit;
pub mod document;
pub mod funding_source;
pub mod hold;
pub mod kyc;
pub mod order;
pub mod position;
mod read;
pub mod redacted;
pub mod transaction;
pub mod wallet;
pub mod webhook;
pub mod withdrawal;

pub use account::Account;
pub use delivery::Delivery;
pub use deposit::Deposit;
pub use document::Document;
pub use funding_source::FundingSource;
pub use hold::Hold;
pub use kyc::KycDecision;
pub use order::Order;
pub use position::Position;
pub use read::read;
pub use redacted::{RawJson, Redacted};
pub use transaction::Transaction;
pub use wallet::Wallet;
pub use webhook::Webhook;
pub use withdrawal::Withdrawal;

#[cfg(test)]
mod tests;
