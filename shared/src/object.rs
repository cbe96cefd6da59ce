//! The resources that events carry in `data`, one file a noun.
//!
//! Typed, but never strict about what is new: everything beyond `id` and `status` may be missing
//! or null, fields that are not named here are skipped, and statuses are open enums that read the
//! older words as well as the current ones.

pub mod account;
pub mod delivery;
pub mod deposit;
pub mod document;
pub mod kyc;
pub mod order;
pub mod wallet;
pub mod webhook;
pub mod withdrawal;

pub use account::Account;
pub use delivery::Delivery;
pub use deposit::Deposit;
pub use document::Document;
pub use kyc::KycDecision;
pub use order::Order;
pub use wallet::Wallet;
pub use webhook::Webhook;
pub use withdrawal::Withdrawal;

/// What a partner attached to an object of the platform: any JSON, untouched.
pub type Metadata = serde_json::Map<String, serde_json::Value>;
