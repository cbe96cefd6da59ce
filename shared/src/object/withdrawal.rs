//! A withdrawal: money that leaves a wallet.

use serde::{Deserialize, Serialize};

use super::RawJson;
use super::deposit::TransferMethod;
use crate::id::{FundingSourceId, InvestorId, WalletId, WithdrawalId};
use crate::money::{Decimal, Money};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where a withdrawal stands.
    WithdrawalStatus {
        /// Asked for; can still be cancelled.
        Pending = "pending",
        /// Being prepared.
        Processing = "processing",
        /// Handed to the bank.
        Submitted = "submitted",
        /// Paid out.
        Completed = "completed",
        /// Called off.
        Cancelled = "cancelled" | "canceled",
        /// Not paid out; `failure_reason` says why.
        Failed = "failed",
    }
}

/// A withdrawal as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Withdrawal {
    /// The withdrawal; the same in all of its events.
    pub id: WithdrawalId,
    /// `withdrawal`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// Whose money it is.
    #[serde(alias = "account_id")]
    pub investor_id: Option<InvestorId>,
    /// Where it comes from.
    pub wallet_id: Option<WalletId>,
    /// The linked bank account it goes to.
    pub funding_source_id: Option<FundingSourceId>,
    /// How it moves.
    pub method: Option<TransferMethod>,
    /// Where it stands.
    pub status: WithdrawalStatus,
    /// How much.
    pub amount: Option<Decimal>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What the method adds, bank details among it; its shape depends on the method, and the
    /// spelling of its keys on the version: `reference_code`, `referenceCode`.
    pub method_details: Option<RawJson>,
    /// Where it goes, for methods without a linked account.
    pub destination_details: Option<RawJson>,
    /// Free text.
    pub description: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub initiated_at: Option<Timestamp>,
    /// When it was handed to the bank.
    pub submitted_at: Option<Timestamp>,
    /// When it was paid out.
    pub completed_at: Option<Timestamp>,
}

impl Withdrawal {
    /// Amount and currency, where both are known.
    pub fn money(&self) -> Option<Money> {
        Some(Money { amount: self.amount?, currency: self.currency.clone()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_it_goes_to_does_not_show() {
        let details = r#"{ "bankDetails": {"accountNumber":"000123456789"}, "fee": 0.10 }"#;
        let json = format!(
            r#"{{"id":"wd_1","status":"pending","method_details":{details},
                "destination_details":{details},"metadata":{details}}}"#
        );
        let withdrawal: Withdrawal = serde_json::from_str(&json).unwrap();
        assert!(!format!("{withdrawal:?}").contains("123456789"));
        for kept in
            [&withdrawal.method_details, &withdrawal.destination_details, &withdrawal.metadata]
        {
            assert_eq!(kept.as_ref().unwrap().get(), details);
        }
        assert!(serde_json::to_string(&withdrawal).unwrap().contains(details));
    }

    #[test]
    fn an_amount_without_a_currency_is_not_money() {
        let read = |json| serde_json::from_str::<Withdrawal>(json).unwrap();
        let bare = read(r#"{"id":"wd_1","status":"submitted","amount":"1200.00"}"#);
        assert_eq!(bare.money(), None);
        let whole = read(r#"{"id":"wd_1","status":"x","amount":"1200.00","currency":"USD"}"#);
        assert_eq!(whole.money().unwrap().to_string(), "1200.00 USD");
        assert_eq!(whole.status, WithdrawalStatus::Other("x".to_owned()));
    }
}
