//! An investor's account.
//!
//! The person is left out: names, addresses, tax ids and account numbers stay in the raw data,
//! where a `{:?}` in somebody's log does not reach them.

use serde::{Deserialize, Serialize};

use super::RawJson;
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
        /// Cannot be used; the older documentation alone has this, and does not say why.
        Inactive = "inactive",
        /// Closed.
        Closed = "closed",
        /// Refused.
        Declined = "declined",
        /// Opening it broke.
        SetupFailed = "setup_failed",
    }
}

open_enum! {
    /// Whose an account is.
    AccountType {
        /// One person's.
        Individual = "individual",
        /// Several persons'.
        Joint = "joint",
        /// A company's.
        Corporate = "corporate",
    }
}

open_enum! {
    /// Who decides what is bought and sold.
    ManagementType {
        /// The investor.
        SelfDirected = "self_directed",
        /// The platform, by a portfolio.
        Advised = "advised",
    }
}

open_enum! {
    /// With whose money is bought.
    TradingType {
        /// The investor's own.
        Cash = "cash",
        /// Also borrowed.
        Margin = "margin",
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
    pub metadata: Option<RawJson>,
    /// Where it stands.
    pub status: AccountStatus,
    /// Whose it is.
    pub account_type: Option<AccountType>,
    /// Who decides what is bought and sold.
    pub management_type: Option<ManagementType>,
    /// With whose money is bought.
    pub trading_type: Option<TradingType>,
    /// Whether the law spares it some taxes.
    pub tax_advantaged: Option<bool>,
    /// By which law.
    pub tax_designation: Option<String>,
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
