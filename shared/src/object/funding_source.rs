//! A funding source: a bank account that an investor linked.
//!
//! Its numbers (account, routing, SWIFT, IBAN) are left out: they stay in the bytes that were
//! read, where a `{:?}` in somebody's log does not reach them. `mask` is what may be shown.

use serde::{Deserialize, Serialize};

use super::{RawJson, Redacted};
use crate::id::{FundingSourceId, InvestorId};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// How a bank account was linked.
    FundingSourceType {
        /// By signing in at the bank, through Plaid.
        Plaid = "plaid",
        /// By its numbers.
        Manual = "manual",
    }
}

open_enum! {
    /// Whether a linked bank account can be used.
    FundingSourceStatus {
        /// It can.
        Active = "active",
        /// The link was taken off.
        Disconnected = "disconnected",
        /// The link is broken; the investor has to link it again.
        Error = "error",
    }
}

/// A funding source as it stood when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FundingSource {
    /// The funding source.
    pub id: FundingSourceId,
    /// `funding_source`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// Whose bank account it is.
    pub investor_id: Option<InvestorId>,
    /// How it was linked.
    #[serde(rename = "type")]
    pub funding_source_type: Option<FundingSourceType>,
    /// Whether it can be used.
    pub status: FundingSourceStatus,
    /// The bank's name.
    pub bank_name: Option<String>,
    /// The last digits of the account's number.
    pub mask: Option<String>,
    /// The id that the provider of the link gave it.
    pub provider_id: Option<String>,
    /// The account's name at the bank, which may be its owner's.
    pub account_name: Option<Redacted>,
    /// `depository`, ….
    pub account_type: Option<String>,
    /// `checking`, `savings`, ….
    pub account_subtype: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Where the bank is, ISO 3166.
    pub country: Option<String>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

impl FundingSource {
    /// A realistic one, as JSON, for tests.
    pub const EXAMPLE: &str =
        include_str!("../../examples/objects/funding_source.json").trim_ascii_end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_does_not_show() {
        let source: FundingSource = serde_json::from_str(
            r#"{"id":"fs_1","status":"active","type":"manual","account_name":"Ada Lovelace",
                "mask":"6789","account_number":"000123456789","routing_number":"110000000",
                "iban":"DE89370400440532013000","swift":"COBADEFF"}"#,
        )
        .unwrap();
        assert_eq!(source.funding_source_type, Some(FundingSourceType::Manual));
        assert_eq!(source.mask.as_deref(), Some("6789"));
        let shown = format!("{source:?}");
        for private in ["Ada", "0001234", "110000000", "DE89", "COBA"] {
            assert!(!shown.contains(private), "{shown}");
        }
    }
}
