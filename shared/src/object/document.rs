//! A document that an investor handed in.

use serde::{Deserialize, Serialize};

use super::{RawJson, Redacted};
use crate::id::{DocumentId, InvestorId};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where a document stands. Written in capitals, as the current documentation has it.
    DocumentStatus {
        /// Handed in.
        Uploaded = "UPLOADED",
        /// Being looked at.
        Processing = "PROCESSING",
        /// Good; the event calls it approved.
        Accepted = "ACCEPTED" | "APPROVED",
        /// Not good; `rejection_reason` says why.
        Rejected = "REJECTED",
        /// Was good, and is out of date.
        Expired = "EXPIRED",
    }
}

open_enum! {
    /// What a document is for. Written in capitals, as documented.
    DocumentPurpose {
        /// To know the investor.
        Kyc = "KYC",
        /// To know the investor that is a company.
        Kyb = "KYB",
        /// To know more, where the risk is higher.
        Edd = "EDD",
        /// For the tax office.
        Tax = "TAX",
        /// To show whose bank account it is.
        FundingVerification = "FUNDING_VERIFICATION",
        /// What was agreed.
        Agreement = "AGREEMENT",
        /// What is in the account.
        AccountStatement = "ACCOUNT_STATEMENT",
        /// What was bought or sold.
        TradeConfirmation = "TRADE_CONFIRMATION",
        /// Something else, as the platform says.
        Unnamed = "OTHER",
    }
}

/// A document as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// The document; the documentation also calls this field `document_id`.
    #[serde(alias = "document_id")]
    pub id: DocumentId,
    /// `document`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// Whose document it is, where that is an investor.
    #[serde(alias = "account_id")]
    pub investor_id: Option<InvestorId>,
    /// Whose document it is: an investor, a tenant or a user.
    pub owner_id: Option<String>,
    /// `passport`, `drivers_license`, ….
    pub document_type: Option<String>,
    /// What it is for.
    pub purpose: Option<DocumentPurpose>,
    /// Where it stands.
    #[serde(alias = "upload_status")]
    pub status: DocumentStatus,
    /// Why it was rejected.
    pub rejection_reason: Option<String>,
    /// As the investor named it.
    pub file_name: Option<Redacted>,
    /// `image/jpeg`, `application/pdf`, ….
    pub mime_type: Option<String>,
    /// In bytes.
    pub file_size: Option<u64>,
    /// When it was handed in.
    pub uploaded_at: Option<Timestamp>,
    /// When it goes out of date.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read() {
        for json in [
            r#"{"document_id":"doc_1","status":"ACCEPTED"}"#,
            r#"{"id":"doc_1","upload_status":"approved"}"#,
        ] {
            let document: Document = serde_json::from_str(json).unwrap();
            assert_eq!(document.id.as_str(), "doc_1");
            assert_eq!(document.status, DocumentStatus::Accepted);
        }
    }
}
