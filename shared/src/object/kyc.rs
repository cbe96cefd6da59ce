//! A KYC decision: how a compliance workflow ended.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::id::{ComplianceWorkflowId, InvestorId};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// What was decided, or how far the workflow is.
    KycStatus {
        /// Checks are under way.
        Running = "running" | "in_progress",
        /// A person has to look.
        AwaitingReview = "awaiting_review" | "pending_review",
        /// The investor may trade.
        Approved = "approved",
        /// The investor may not.
        Declined = "declined" | "rejected",
        /// Halted.
        Suspended = "suspended",
        /// Not finished in time.
        Expired = "expired",
    }
}

open_enum! {
    /// How risky the investor was found.
    RiskLevel {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Not to be served.
        Prohibited = "prohibited",
    }
}

open_enum! {
    /// How one check ended.
    CheckStatus {
        /// Under way.
        Pending = "pending",
        /// Nothing found.
        Clear = "clear",
        /// Something found.
        Failed = "failed",
        /// A person has to look.
        ReviewRequired = "review_required",
        /// The check itself broke.
        Error = "error",
    }
}

/// One of the checks behind a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// `identity_verification`, `screening`, ….
    #[serde(rename = "type")]
    pub check_type: Option<String>,
    /// How it ended.
    pub status: Option<CheckStatus>,
    /// Who made it.
    pub provider: Option<String>,
}

/// A compliance workflow as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KycDecision {
    /// The workflow; the same in all of its events.
    pub id: ComplianceWorkflowId,
    /// `compliance_workflow`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<Metadata>,
    /// Who was looked at.
    pub investor_id: Option<InvestorId>,
    /// `kyc`, `kyb` or `periodic_review`.
    pub workflow_type: Option<String>,
    /// The decision.
    pub status: KycStatus,
    /// How risky the investor was found.
    pub risk_level: Option<RiskLevel>,
    /// The checks behind it.
    pub checks: Option<Vec<Check>>,
    /// When the workflow began.
    pub created_at: Option<Timestamp>,
    /// When it last changed: for a decision, when it was made.
    pub updated_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_words_mean_the_external_ones() {
        for (word, status) in [
            ("IN_PROGRESS", KycStatus::Running),
            ("PENDING_REVIEW", KycStatus::AwaitingReview),
            ("APPROVED", KycStatus::Approved),
            ("REJECTED", KycStatus::Declined),
        ] {
            let json = format!(r#"{{"id":"cw_1","status":"{word}","checks":null}}"#);
            assert_eq!(serde_json::from_str::<KycDecision>(&json).unwrap().status, status);
        }
    }
}
