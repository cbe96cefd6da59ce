//! A document that an investor handed in.

use serde::{Deserialize, Serialize};

use super::Metadata;
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
    pub metadata: Option<Metadata>,
    /// Whose document it is, where that is an investor.
    pub investor_id: Option<InvestorId>,
    /// Whose document it is: an investor, a tenant or a user.
    pub owner_id: Option<String>,
    /// `passport`, `drivers_license`, ….
    pub document_type: Option<String>,
    /// `KYC`, `TAX`, `AGREEMENT`, ….
    pub purpose: Option<String>,
    /// Where it stands.
    #[serde(alias = "upload_status")]
    pub status: DocumentStatus,
    /// Why it was rejected.
    pub rejection_reason: Option<String>,
    /// As the investor named it.
    pub file_name: Option<String>,
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
