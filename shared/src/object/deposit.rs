//! A deposit: money that comes into a wallet.

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::id::{DepositId, FundingSourceId, InvestorId, WalletId};
use crate::money::{Decimal, Money};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where a deposit stands.
    DepositStatus {
        /// Announced; can still be cancelled.
        Pending = "pending",
        /// On its way.
        Processing = "processing",
        /// At the bank, not yet in the wallet.
        Received = "received",
        /// In the wallet.
        Completed = "completed",
        /// Called off.
        Cancelled = "cancelled" | "canceled",
        /// Did not arrive; `failure_reason` says why.
        Failed = "failed",
        /// Announced and never sent.
        Expired = "expired",
    }
}

open_enum! {
    /// How money moves, in or out.
    TransferMethod {
        /// From or to a linked account in the United States.
        Ach = "ach" | "ach_plaid",
        /// By the end user's own bank, with a reference code.
        ManualBankTransfer = "manual_bank_transfer",
        /// A wire within the country.
        Wire = "wire",
        /// A wire across a border.
        InternationalWire = "international_wire",
        /// By card; deposits alone.
        Card = "card",
    }
}

/// A deposit as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deposit {
    /// The deposit; the same in all of its events.
    pub id: DepositId,
    /// `deposit`.
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
    /// Where it goes.
    pub wallet_id: Option<WalletId>,
    /// The linked bank account it comes from.
    pub funding_source_id: Option<FundingSourceId>,
    /// How it moves.
    pub method: Option<TransferMethod>,
    /// Where it stands.
    pub status: DepositStatus,
    /// How much.
    pub amount: Option<Decimal>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What the method adds, bank details among it; its shape depends on the method, and the
    /// spelling of its keys on the version: `reference_code`, `referenceCode`.
    pub method_details: Option<RawJson>,
    /// Free text.
    pub description: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub initiated_at: Option<Timestamp>,
    /// When the bank had it.
    pub received_at: Option<Timestamp>,
    /// When it was in the wallet.
    pub completed_at: Option<Timestamp>,
    /// When waiting for it ends.
    pub expires_at: Option<Timestamp>,
}

impl Deposit {
    /// Amount and currency, where both are known.
    pub fn money(&self) -> Option<Money> {
        Some(Money { amount: self.amount?, currency: self.currency.clone()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_enough_and_both_spellings_are_read() {
        for spelling in ["cancelled", "canceled"] {
            let json = format!(r#"{{"id":"dep_1","status":"{spelling}","method":"ach_plaid"}}"#);
            let deposit: Deposit = serde_json::from_str(&json).unwrap();
            assert_eq!(deposit.status, DepositStatus::Cancelled);
            assert_eq!(deposit.method, Some(TransferMethod::Ach));
            assert_eq!(deposit.money(), None);
        }
        assert!(serde_json::from_str::<Deposit>(r#"{"id":"dep_1"}"#).is_err());
    }
}
