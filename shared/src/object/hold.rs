//! A hold: money of a wallet that is reserved while an order is in progress.

use serde::{Deserialize, Serialize};

use crate::id::OrderId;
use crate::money::{Decimal, Money};
use crate::open_enum::open_enum;

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

/// A hold, as it stands with the wallet that it changed. The platform gives holds no id.
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

impl Hold {
    /// A realistic one, as JSON, for tests.
    pub const EXAMPLE: &str = include_str!("../../examples/objects/hold.json").trim_ascii_end();

    /// Amount and currency, where both are known.
    pub fn money(&self) -> Option<Money> {
        Some(Money { amount: self.amount?, currency: self.currency.clone()? })
    }
}
