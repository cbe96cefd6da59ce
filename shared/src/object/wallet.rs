//! A wallet, with the hold or the transaction that changed it.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::id::{InvestorId, OrderId, TransactionId, WalletId};
use crate::money::Decimal;
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Whether a wallet can be used.
    WalletStatus {
        /// It can.
        Active = "active",
        /// Not for now.
        Suspended = "suspended",
        /// Never again.
        Closed = "closed",
    }
}

open_enum! {
    /// What became of money reserved for an order. Written in capitals, as documented.
    HoldStatus {
        /// Reserved, the order is in progress.
        Active = "ACTIVE",
        /// The order was cancelled, the money is available again.
        Released = "RELEASED",
        /// The order was filled, the money is spent.
        Captured = "CAPTURED",
        /// The order timed out.
        Expired = "EXPIRED",
    }
}

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
        /// Something else: a dividend, an adjustment.
        Activity = "activity",
    }
}

/// A wallet as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wallet {
    /// The wallet; the same in all of its events.
    pub id: WalletId,
    /// `wallet`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<Metadata>,
    /// Whose money it is.
    pub investor_id: Option<InvestorId>,
    /// Whether it can be used.
    pub status: WalletStatus,
    /// ISO 4217.
    pub currency: Option<String>,
    /// All of it: available and reserved.
    pub balance: Option<Decimal>,
    /// What new orders and withdrawals may use.
    pub available_balance: Option<Decimal>,
    /// What active holds keep.
    pub reserved_balance: Option<Decimal>,
    /// What may be withdrawn.
    pub cash_withdrawable: Option<Decimal>,
    /// What orders may cost.
    pub buying_power: Option<Decimal>,
    /// Worth of cash and positions.
    pub equity: Option<Decimal>,
    /// The hold that changed it, if one did.
    pub hold: Option<Hold>,
    /// The transaction that changed it, if one did.
    pub transaction: Option<Transaction>,
}

impl Wallet {
    /// Whether `balance = available_balance + reserved_balance`; `None` unless all three are known.
    pub fn is_balanced(&self) -> Option<bool> {
        let parts = self.available_balance?.checked_add(self.reserved_balance?)?;
        Some(parts == self.balance?)
    }
}

/// Money reserved while an order is in progress. The platform gives holds no id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    /// What became of it.
    pub status: HoldStatus,
    /// The order it is for.
    pub order_id: Option<OrderId>,
    /// How much.
    pub amount: Option<Decimal>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// One line of a wallet's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// The transaction.
    pub id: TransactionId,
    /// What it is for.
    #[serde(rename = "type")]
    pub transaction_type: Option<TransactionType>,
    /// Where it stands.
    pub status: Option<String>,
    /// How much.
    pub amount: Option<Decimal>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The wallet before.
    pub balance_before: Option<Decimal>,
    /// The wallet after.
    pub balance_after: Option<Decimal>,
    /// When it was booked.
    pub completed_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(balance: &str, available: &str, reserved: &str) -> Wallet {
        let json = format!(
            r#"{{"id":"wlt_1","status":"active","balance":"{balance}",
                "available_balance":"{available}","reserved_balance":"{reserved}"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_parts_make_the_whole() {
        assert_eq!(wallet("5000.00", "3215.00", "1785").is_balanced(), Some(true));
        assert_eq!(wallet("5000.00", "3215.01", "1785").is_balanced(), Some(false));
        let bare: Wallet = serde_json::from_str(r#"{"id":"wlt_1","status":"active"}"#).unwrap();
        assert_eq!(bare.is_balanced(), None);
    }
}
