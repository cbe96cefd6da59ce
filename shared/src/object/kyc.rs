//! A KYC decision: how a compliance workflow ended.

use serde::{Deserialize, Serialize};

use super::RawJson;
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
    /// Why an investor is looked at.
    WorkflowType {
        /// A person opens an account.
        Kyc = "kyc",
        /// A company does.
        Kyb = "kyb",
        /// It was opened long ago.
        PeriodicReview = "periodic_review",
    }
}

open_enum! {
    /// What is checked.
    CheckType {
        /// Whether the person is who they say.
        IdentityVerification = "identity_verification",
        /// Whether the tax id is theirs.
        TaxIdVerification = "tax_id_verification",
        /// Whether they stand on lists of sanctions or of politicians.
        Screening = "screening",
        /// How risky they are.
        RiskAssessment = "risk_assessment",
        /// Whether the company is what it says.
        BusinessVerification = "business_verification",
    }
}

open_enum! {
    /// Who makes a check.
    CheckProvider {
        /// Persona, of identities.
        PersonaIdentity = "persona-identity",
        /// Persona, of tax ids.
        PersonaTaxId = "persona-taxid",
        /// Dojah.
        Dojah = "dojah",
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
    /// What was checked.
    #[serde(rename = "type")]
    pub check_type: Option<CheckType>,
    /// How it ended.
    pub status: Option<CheckStatus>,
    /// Who made it.
    pub provider: Option<CheckProvider>,
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
    pub metadata: Option<RawJson>,
    /// Who was looked at.
    #[serde(alias = "account_id")]
    pub investor_id: Option<InvestorId>,
    /// Why.
    pub workflow_type: Option<WorkflowType>,
    /// The decision, or how far the workflow is.
    pub status: KycStatus,
    /// The same in the words that the platform has for it inside: `PENDING_REVIEW`.
    pub workflow_status: Option<KycStatus>,
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
