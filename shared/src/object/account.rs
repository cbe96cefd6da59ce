//! An investor's account.
//!
//! The person is left out: names, addresses, tax ids and account numbers stay in the raw data,
//! where a `{:?}` in somebody's log does not reach them.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::id::InvestorId;
use crate::money::Decimal;
use crate::open_enum::open_enum;

open_enum! {
    /// Where an account stands.
    AccountStatus {
        /// Being opened.
        Onboarding = "onboarding" | "submitted",
        /// Being looked at.
        UnderReview = "under_review" | "pending_approval",
        /// Waits for the investor's papers.
        AwaitingDocuments = "awaiting_documents",
        /// Open.
        Active = "active",
        /// Halted.
        Suspended = "suspended",
        /// Closed.
        Closed = "closed",
        /// Refused.
        Declined = "declined",
        /// Opening it broke.
        SetupFailed = "setup_failed",
    }
}

/// An account as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The investor, whose account it is.
    pub id: InvestorId,
    /// `investor`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<Metadata>,
    /// Where it stands.
    pub status: AccountStatus,
    /// `individual`, `joint` or `corporate`.
    pub account_type: Option<String>,
    /// `self_directed` or `advised`.
    pub management_type: Option<String>,
    /// `cash` or `margin`.
    pub trading_type: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Cash, held or not.
    pub balance: Option<Decimal>,
    /// What orders may cost.
    pub buying_power: Option<Decimal>,
    /// What may be withdrawn.
    pub cash_withdrawable: Option<Decimal>,
    /// Worth of cash and positions at the last close.
    pub last_equity: Option<Decimal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_does_not_show() {
        let account: Account = serde_json::from_str(
            r#"{"id":"inv_1","status":"ACTIVE","first_name":"Ada","tax_id":"078-05-1120",
                "account_number":"938471","address":{"street":["1 Main St"]}}"#,
        )
        .unwrap();
        assert_eq!(account.status, AccountStatus::Active);
        let shown = format!("{account:?}");
        for private in ["Ada", "078-05-1120", "938471", "Main"] {
            assert!(!shown.contains(private), "{shown}");
        }
    }
}
