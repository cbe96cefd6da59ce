//! A wallet, with the hold or the transaction that changed it.

use serde::{Deserialize, Serialize};

use super::{Hold, RawJson, Transaction};
use crate::id::{InvestorId, WalletId};
use crate::money::Decimal;
use crate::open_enum::open_enum;

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
    pub metadata: Option<RawJson>,
    /// Whose money it is.
    #[serde(alias = "account_id")]
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
    /// Whether `balance = available_balance + reserved_balance`; `None` unless all three are known,
    /// and the sum is exact.
    pub fn is_balanced(&self) -> Option<bool> {
        let parts = self.available_balance?.checked_add(self.reserved_balance?)?;
        Some(parts == self.balance?)
    }
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
        for (balance, available, reserved, balanced) in [
            ("-5.00", "-10", "5.0", true),
            ("0", "0.00", "-0", true),
            ("0.3", "0.1", "0.2", true),
            ("0.30000000000000004", "0.1", "0.2", false),
            ("5", "5", "-5", false),
        ] {
            assert_eq!(wallet(balance, available, reserved).is_balanced(), Some(balanced));
        }
        let largest = "79228162514264337593543950335";
        assert_eq!(wallet(largest, largest, "0.00").is_balanced(), Some(true));
        assert_eq!(wallet(largest, largest, "0.01").is_balanced(), None);

        let bare: Wallet = serde_json::from_str(r#"{"id":"wlt_1","status":"active"}"#).unwrap();
        assert_eq!(bare.is_balanced(), None);
        let partly = r#"{"id":"wlt_1","status":"active","balance":"5","available_balance":"5",
            "reserved_balance":null}"#;
        assert_eq!(serde_json::from_str::<Wallet>(partly).unwrap().is_balanced(), None);
    }
}
