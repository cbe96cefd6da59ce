//! An order: an instruction to buy or sell.

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::id::{InvestorId, OrderId};
use crate::money::Decimal;
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where an order stands.
    OrderStatus {
        /// Taken, nothing bought or sold yet.
        Pending = "pending" | "accepted",
        /// Working at the venue.
        Open = "open",
        /// Filled in part, the rest still working.
        Partial = "partial" | "partially_filled",
        /// Filled whole.
        Filled = "filled",
        /// Given up before it was filled whole.
        Cancelled = "cancelled" | "canceled",
        /// Refused; `failure_reason` says why.
        Failed = "failed" | "rejected",
    }
}

open_enum! {
    /// Which way an order goes.
    OrderSide {
        /// Cash becomes a position.
        Buy = "buy",
        /// A position becomes cash.
        Sell = "sell",
    }
}

open_enum! {
    /// At what price an order may execute.
    OrderType {
        /// At once, at the price there is.
        Market = "market",
        /// At `limit_price` or better.
        Limit = "limit",
        /// A market order once `stop_price` is reached.
        Stop = "stop",
        /// A limit order once `stop_price` is reached.
        StopLimit = "stop_limit",
        /// A stop that follows the price by `trail_price` or `trail_percent`.
        TrailingStop = "trailing_stop",
    }
}

open_enum! {
    /// How long an order stands.
    TimeInForce {
        /// Until the close of the day.
        Day = "day",
        /// Until cancelled.
        Gtc = "gtc",
        /// In the opening auction alone.
        Opg = "opg",
        /// In the closing auction alone.
        Cls = "cls",
        /// What fills at once; the rest is cancelled.
        Ioc = "ioc",
        /// Whole and at once, or not at all.
        Fok = "fok",
    }
}

open_enum! {
    /// How a commission is worked out.
    CommissionType {
        /// From the money that the order moves.
        Notional = "notional",
        /// From the units that it moves.
        PerShare = "per_share" | "qty",
        /// In hundredths of a percent.
        Bps = "bps",
    }
}

/// What an order of a bond has besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bond {
    /// The price without accrued interest.
    pub clean_price: Option<Decimal>,
    /// The price with it.
    pub dirty_price: Option<Decimal>,
    /// The interest since the last coupon.
    pub accrued_interest: Option<Decimal>,
    /// What is paid back at the end.
    pub face_value: Option<Decimal>,
    /// The yield at the price paid.
    pub yield_at_execution: Option<Decimal>,
}

/// An order as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// The order; the same in all of its events.
    pub id: OrderId,
    /// `order`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// Whose order it is.
    #[serde(alias = "account_id")]
    pub investor_id: Option<InvestorId>,
    /// The instrument: `AAPL`.
    pub symbol: Option<String>,
    /// `equity`, `bond`, ….
    pub class: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Buy or sell.
    pub side: Option<OrderSide>,
    /// Market, limit, ….
    #[serde(rename = "type")]
    pub order_type: Option<OrderType>,
    /// How long it stands.
    pub time_in_force: Option<TimeInForce>,
    /// How much was ordered, in units of the instrument.
    #[serde(alias = "qty")]
    pub quantity: Option<Decimal>,
    /// How much was ordered, in money; market buys alone.
    pub notional: Option<Decimal>,
    /// The worst price accepted.
    pub limit_price: Option<Decimal>,
    /// The price that starts the order.
    pub stop_price: Option<Decimal>,
    /// How far a trailing stop follows, in percent.
    pub trail_percent: Option<Decimal>,
    /// How far a trailing stop follows, in money.
    pub trail_price: Option<Decimal>,
    /// Whether it may execute outside regular hours.
    pub extended_hours: Option<bool>,
    /// The partner's own id of the order.
    pub client_order_id: Option<String>,
    /// Where it stands.
    pub status: OrderStatus,
    /// How much is filled.
    #[serde(alias = "filled_qty")]
    pub filled_quantity: Option<Decimal>,
    /// How much is not.
    #[serde(alias = "remaining_qty")]
    pub remaining_quantity: Option<Decimal>,
    /// The average price of what is filled.
    pub average_price: Option<Decimal>,
    /// What the order cost beyond the price.
    pub commission: Option<Decimal>,
    /// How that is worked out.
    pub commission_type: Option<CommissionType>,
    /// When it was sent to the venue.
    pub submitted_at: Option<Timestamp>,
    /// When the last of it was filled.
    pub filled_at: Option<Timestamp>,
    /// When it was cancelled.
    #[serde(alias = "canceled_at")]
    pub cancelled_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(alias = "reject_reason")]
    pub failure_reason: Option<String>,
    /// When money and units change hands, as it was sent.
    pub settlement_date: Option<String>,
    /// What an order of a bond has besides.
    pub bond: Option<Bond>,
}

impl Order {
    /// What the filled part cost or brought, commission apart: quantity times average price.
    pub fn filled_value(&self) -> Option<Decimal> {
        self.filled_quantity?.checked_mul(self.average_price?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_subset_is_enough() {
        let order: Order = serde_json::from_str(
            r#"{"id":"ord_1","investor_id":"inv_1","symbol":"AAPL","side":"buy",
                "status":"filled","filled_quantity":"10","average_price":"178.50"}"#,
        )
        .unwrap();
        assert_eq!(order.status, OrderStatus::Filled);
        assert_eq!(order.filled_value().unwrap().to_string(), "1785.00");
        assert_eq!(order.quantity, None);
    }

    #[test]
    fn the_older_vocabulary_reads_the_same() {
        let old: Order = serde_json::from_str(
            r#"{"id":"ord_1","status":"canceled","qty":"10","filled_qty":"4",
                "remaining_qty":"6","canceled_at":"2026-06-15T14:30:15Z","reject_reason":null}"#,
        )
        .unwrap();
        let new: Order = serde_json::from_str(
            r#"{"id":"ord_1","status":"cancelled","quantity":"10","filled_quantity":"4",
                "remaining_quantity":"6","cancelled_at":"2026-06-15T14:30:15Z"}"#,
        )
        .unwrap();
        assert_eq!(old, new);
        for (older, now) in [
            ("accepted", OrderStatus::Pending),
            ("partially_filled", OrderStatus::Partial),
            ("rejected", OrderStatus::Failed),
        ] {
            assert_eq!(OrderStatus::from(older), now);
        }
    }
}
