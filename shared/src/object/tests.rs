//! Every word that the documentation has for a status or a kind, in all of its versions: each is
//! known, and whatever else comes is kept as it came.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::account::{AccountStatus, AccountType, ManagementType, TradingType};
use super::deposit::{DepositStatus, TransferMethod};
use super::document::{DocumentPurpose, DocumentStatus};
use super::funding_source::{FundingSourceStatus, FundingSourceType};
use super::hold::HoldStatus;
use super::kyc::{CheckProvider, CheckStatus, CheckType, KycStatus, RiskLevel, WorkflowType};
use super::order::{CommissionType, OrderSide, OrderStatus, OrderType, TimeInForce};
use super::position::{PriceConfidence, PriceSource};
use super::transaction::{TransactionStatus, TransactionType};
use super::wallet::WalletStatus;
use super::webhook::WebhookStatus;
use super::withdrawal::WithdrawalStatus;

/// Each pair: a word, and the one that is written for it. Ends with the words that are their own.
fn known<T>(older: &[(&str, &str)], current: &[&str])
where
    T: DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let own = current.iter().map(|word| (*word, *word));
    for (word, written) in older.iter().copied().chain(own) {
        for spelling in [word.to_owned(), word.to_lowercase(), word.to_uppercase()] {
            let read: T = serde_json::from_value(Value::from(spelling.as_str())).unwrap();
            assert!(!format!("{read:?}").starts_with("Other("), "{spelling} is not known");
            assert_eq!(serde_json::to_value(&read).unwrap(), written, "{spelling}");
        }
    }
    for word in ["", " ", "a_word_to_come", "A_Word_To_Come", "ünbekannt", "x\u{0}\"\\", "null"] {
        let read: T = serde_json::from_value(Value::from(word)).unwrap();
        assert_eq!(format!("{read:?}"), format!("Other({word:?})"));
        assert_eq!(serde_json::to_value(&read).unwrap(), word);
    }
    for not_a_word in [Value::Null, Value::from(1), Value::from(true), Value::from(["filled"])] {
        assert!(serde_json::from_value::<T>(not_a_word).is_err());
    }
}

#[test]
fn of_orders() {
    known::<OrderStatus>(
        &[
            ("accepted", "pending"),
            ("partially_filled", "partial"),
            ("canceled", "cancelled"),
            ("rejected", "failed"),
        ],
        &["pending", "open", "partial", "filled", "cancelled", "failed"],
    );
    known::<OrderSide>(&[], &["buy", "sell"]);
    known::<OrderType>(&[], &["market", "limit", "stop", "stop_limit", "trailing_stop"]);
    known::<TimeInForce>(&[], &["day", "gtc", "opg", "cls", "ioc", "fok"]);
    known::<CommissionType>(&[("qty", "per_share")], &["notional", "per_share", "bps"]);
}

#[test]
fn of_transfers() {
    let older = &[("canceled", "cancelled")];
    known::<DepositStatus>(
        older,
        &["pending", "processing", "received", "completed", "cancelled", "failed", "expired"],
    );
    known::<WithdrawalStatus>(
        older,
        &["pending", "processing", "submitted", "completed", "cancelled", "failed"],
    );
    known::<TransferMethod>(
        &[("ach_plaid", "ach")],
        &["ach", "manual_bank_transfer", "wire", "international_wire", "card"],
    );
}

#[test]
fn of_wallets() {
    known::<WalletStatus>(&[], &["active", "suspended", "closed"]);
    known::<HoldStatus>(&[], &["ACTIVE", "RELEASED", "CAPTURED", "EXPIRED"]);
    known::<TransactionType>(&[], &["deposit", "withdrawal", "buy", "sell", "fee", "activity"]);
    known::<TransactionStatus>(
        &[("canceled", "cancelled")],
        &["pending", "processing", "completed", "cancelled", "failed"],
    );
}

#[test]
fn of_investors() {
    known::<AccountStatus>(
        &[("SUBMITTED", "onboarding"), ("PENDING_APPROVAL", "under_review")],
        &[
            "onboarding",
            "under_review",
            "awaiting_documents",
            "active",
            "suspended",
            "inactive",
            "closed",
            "declined",
            "setup_failed",
        ],
    );
    known::<AccountType>(&[], &["individual", "joint", "corporate"]);
    known::<ManagementType>(&[], &["self_directed", "advised"]);
    known::<TradingType>(&[], &["cash", "margin"]);
}

#[test]
fn of_compliance() {
    known::<KycStatus>(
        &[
            ("IN_PROGRESS", "running"),
            ("PENDING_REVIEW", "awaiting_review"),
            ("REJECTED", "declined"),
        ],
        &["running", "awaiting_review", "approved", "declined", "suspended", "expired"],
    );
    known::<WorkflowType>(&[], &["kyc", "kyb", "periodic_review"]);
    known::<RiskLevel>(&[], &["low", "medium", "high", "prohibited"]);
    known::<CheckType>(
        &[],
        &[
            "identity_verification",
            "tax_id_verification",
            "screening",
            "risk_assessment",
            "business_verification",
        ],
    );
    known::<CheckStatus>(&[], &["pending", "clear", "failed", "review_required", "error"]);
    known::<CheckProvider>(&[], &["persona-identity", "persona-taxid", "dojah"]);
}

#[test]
fn of_documents() {
    known::<DocumentStatus>(
        &[("approved", "ACCEPTED")],
        &["UPLOADED", "PROCESSING", "ACCEPTED", "REJECTED", "EXPIRED"],
    );
    known::<DocumentPurpose>(
        &[],
        &[
            "KYC",
            "KYB",
            "EDD",
            "TAX",
            "FUNDING_VERIFICATION",
            "AGREEMENT",
            "ACCOUNT_STATEMENT",
            "TRADE_CONFIRMATION",
            "OTHER",
        ],
    );
}

#[test]
fn of_positions_funding_sources_and_webhooks() {
    known::<PriceSource>(&[], &["ALPACA", "NAYA", "DATABASE", "UNAVAILABLE"]);
    known::<PriceConfidence>(&[], &["REAL_TIME", "DELAYED", "END_OF_DAY", "STALE", "UNAVAILABLE"]);
    known::<FundingSourceStatus>(&[], &["active", "disconnected", "error"]);
    known::<FundingSourceType>(&[], &["plaid", "manual"]);
    known::<WebhookStatus>(&[], &["active", "inactive", "disabled"]);
}
