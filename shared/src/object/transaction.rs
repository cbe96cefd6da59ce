//! A transaction: one line of a wallet's history.

use serde::{Deserialize, Serialize};

use super::RawJson;
use super::deposit::TransferMethod;
use crate::id::{InvestorId, TransactionId, WalletId};
use crate::money::{Decimal, Money};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// What a transaction is for.
    TransactionType {
        /// From the investor's bank.
        Deposit = "deposit",
        /// To the investor's bank.
        Withdrawal = "withdrawal",
        /// Paid for an order.
        Buy = "buy",
        /// Brought by an order.
        Sell = "sell",
        /// A commission or a platform fee.
        Fee = "fee",
        /// Something else; `activity_type` says what.
        Activity = "activity",
    }
}

open_enum! {
    /// Where a transaction stands. The documentation lists no words; these are the transfers'.
    TransactionStatus {
        /// Asked for.
        Pending = "pending",
        /// On its way.
        Processing = "processing",
        /// Booked.
        Completed = "completed",
        /// Called off.
        Cancelled = "cancelled" | "canceled",
        /// Not booked; `failure_reason` says why.
        Failed = "failed",
    }
}

/// A transaction as it stood when it was read, or with the wallet that it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// The transaction.
    pub id: TransactionId,
    /// `transaction`.
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
    /// In which wallet.
    pub wallet_id: Option<WalletId>,
    /// What it is for.
    #[serde(rename = "type")]
    pub transaction_type: Option<TransactionType>,
    /// What kind of activity: `CDIV` for a cash dividend, ….
    pub activity_type: Option<String>,
    /// Where it stands.
    pub status: Option<TransactionStatus>,
    /// How much. Whether what goes out has a minus sign is not documented: see [`Self::change`].
    pub amount: Option<Decimal>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// How the money moved, if it came from or went to a bank.
    pub method: Option<TransferMethod>,
    /// Free text.
    pub description: Option<String>,
    /// The wallet before.
    pub balance_before: Option<Decimal>,
    /// The wallet after.
    pub balance_after: Option<Decimal>,
    /// When it was booked.
    pub completed_at: Option<Timestamp>,
    /// When it failed.
    pub failed_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

impl Transaction {
    /// A realistic one, as JSON, for tests.
    pub const EXAMPLE: &str =
        include_str!("../../examples/objects/transaction.json").trim_ascii_end();

    /// Amount and currency, where both are known.
    pub fn money(&self) -> Option<Money> {
        Some(Money { amount: self.amount?, currency: self.currency.clone()? })
    }

    /// What it did to the wallet, less than zero for what went out, where both balances are known.
    pub fn change(&self) -> Option<Decimal> {
        self.balance_after?.checked_sub(self.balance_before?)
    }

    /// Whether the wallet changed by the amount, whatever the signs; `None` unless both balances
    /// and the amount are known.
    pub fn is_balanced(&self) -> Option<bool> {
        Some(self.change()?.abs() == self.amount?.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(amount: &str, before: &str, after: &str) -> Transaction {
        let json = format!(
            r#"{{"id":"txn_1","amount":{amount},"balance_before":{before},
                "balance_after":{after}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_balances_differ_by_the_amount() {
        let bought = transaction("\"1785.00\"", "\"5000.00\"", "\"3215\"");
        assert_eq!(bought.change().unwrap().to_string(), "-1785.00");
        for (amount, before, after, balanced) in [
            ("1785.00", "5000", "3215.0", Some(true)),
            ("-1785", "5000", "3215", Some(true)),
            ("0.1", "-0.3", "-0.2", Some(true)),
            ("1785.01", "5000", "3215", Some(false)),
            ("0", "1", "1.00", Some(true)),
            ("null", "5000", "3215", None),
            ("1785", "null", "3215", None),
            ("1785", "5000", "null", None),
        ] {
            let read = transaction(amount, before, after);
            assert_eq!(read.is_balanced(), balanced, "{amount} {before} {after}");
        }
    }
}
