//! A position: how much of one asset an investor holds, and what it is worth.
//!
//! No event is about a position: read it anew when an order was filled.

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::id::{InvestorId, PositionId};
use crate::money::Decimal;
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where the price is from. Written in capitals, as documented.
    PriceSource {
        /// The broker Alpaca.
        Alpaca = "ALPACA",
        /// The data provider Naya.
        Naya = "NAYA",
        /// The platform's own database.
        Database = "DATABASE",
        /// There is no price.
        Unavailable = "UNAVAILABLE",
    }
}

open_enum! {
    /// How fresh the price is. Written in capitals, as documented.
    PriceConfidence {
        /// Of now.
        RealTime = "REAL_TIME",
        /// Some minutes old.
        Delayed = "DELAYED",
        /// Of the last close.
        EndOfDay = "END_OF_DAY",
        /// Older than it should be.
        Stale = "STALE",
        /// There is no price.
        Unavailable = "UNAVAILABLE",
    }
}

/// A position as it stood when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Position {
    /// The position.
    pub id: PositionId,
    /// `position`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// Whose position it is.
    #[serde(alias = "account_id")]
    pub investor_id: Option<InvestorId>,
    /// The instrument: `AAPL`.
    pub symbol: Option<String>,
    /// The platform's id of the instrument.
    pub asset_id: Option<String>,
    /// `equity`, `bond`, ….
    pub class: Option<String>,
    /// Where the instrument is traded, ISO 3166.
    pub country: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// How much is held, in units of the instrument.
    #[serde(alias = "qty")]
    pub quantity: Option<Decimal>,
    /// What a unit cost, on average.
    pub average_cost_basis: Option<Decimal>,
    /// What all of it cost.
    pub total_cost_basis: Option<Decimal>,
    /// What a unit is worth.
    pub current_price: Option<Decimal>,
    /// What all of it is worth.
    pub market_value: Option<Decimal>,
    /// What would be won by selling: market value less cost.
    pub unrealized_pl: Option<Decimal>,
    /// The same as a part of the cost. The documentation has it as a fraction (`0.0213`) in one
    /// place and in percent (`2.56`) in another: go by `unrealized_pl`.
    pub unrealized_pl_percent: Option<Decimal>,
    /// Where the price is from.
    pub price_source: Option<PriceSource>,
    /// How fresh it is.
    pub price_confidence: Option<PriceConfidence>,
    /// Of when it is.
    pub price_timestamp: Option<Timestamp>,
    /// When something was last bought or sold.
    pub last_transaction_at: Option<Timestamp>,
    /// When the position last changed.
    pub updated_at: Option<Timestamp>,
}

impl Position {
    /// A realistic one, as JSON, for tests.
    pub const EXAMPLE: &str = include_str!("../../examples/objects/position.json").trim_ascii_end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_enough_and_the_older_name_is_read() {
        let position: Position = serde_json::from_str(r#"{"id":"pos_1","qty":"0.5"}"#).unwrap();
        assert_eq!(position.quantity.unwrap().to_string(), "0.5");
        assert_eq!(position.price_source, None);
        assert!(serde_json::from_str::<Position>("{}").is_err());
    }
}
