//! Why a signature does not match: tries what commonly goes wrong, the likeliest first, and says
//! what it would match.
//!
//! Every guess is put to the receiver's own verifier, so what is called right here is right there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use bluum_hooks_receiver::{Key, Leniency, Secret, Timestamp, Verifier, VerifyError};
use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::variants::{self, Variant};
use crate::cli::signed::{NamedKey, Received};

/// What was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) valid: bool,
    /// For programs: `valid`, `too_old`, `body`, `secret`, ….
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

/// Why nothing is known of why.
pub(super) const NO_MATCH: &str = "no_match";

impl Finding {
    fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self { valid: false, reason, message: message.into(), advice: None }
    }

    fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// What is verified, with what, and when.
pub(super) struct Case<'a> {
    pub(super) keys: &'a [NamedKey],
    pub(super) received: &'a Received,
    pub(super) tolerance: Duration,
    pub(super) now: Timestamp,
}

/// Whether it is signed, and if not, why.
pub(super) fn diagnose(case: &Case<'_>) -> Finding {
    let refused = match case.as_given() {
        Ok(finding) => return finding,
        Err(refused) => refused,
    };
    other_scheme(case.received)
        .or_else(|| case.late(&refused))
        .or_else(|| case.body())
        .or_else(|| case.secret())
        .or_else(|| case.encoding())
        .or_else(|| case.headers())
        .unwrap_or_else(|| case.no_match(&refused))
}

impl Case<'_> {
    fn verifier(&self) -> Verifier {
        Verifier::new(self.keys.iter().filter_map(|key| Key::parse(&key.text).ok()))
            .max_body_bytes(usize::MAX)
    }

    /// By every rule, as a receiver would.
    fn as_given(&self) -> Result<Finding, VerifyError> {
        let verifier = self.verifier().tolerance(self.tolerance, self.tolerance);
        let Received { headers, body } = self.received;
        let verified = verifier.verify(headers, body, self.now)?;
        let ago = ago(self.now.as_unix_seconds() - verified.timestamp().as_unix_seconds());
        let message = format!("valid (key {}, signed {ago})", verified.fingerprint());
        Ok(Finding { valid: true, reason: "valid", message, advice: None })
    }

    /// Whether it is signed with these keys, whenever that was.
    fn fits(verifier: Verifier, received: &Received) -> bool {
        let always = verifier.tolerance(Duration::MAX, Duration::MAX);
        always.verify(&received.headers, &received.body, Timestamp::from_micros(0)).is_ok()
    }

    /// Whether this is the key, whatever was said to be.
    pub(super) fn is_signed_with(&self, key: &NamedKey) -> bool {
        let key = Key::parse(&key.text).ok();
        Self::fits(Verifier::new(key).max_body_bytes(usize::MAX), self.received)
    }

    /// It is signed with a key that is known here by this name.
    pub(super) fn of_another(&self, name: &str) -> Finding {
        let ours: Vec<_> = self.keys.iter().map(|key| &*key.from).collect();
        let message = format!("signed with the secret of {name}, not with {}", ours.join(" or "));
        Finding::refused("other_secret", message)
            .advising("give the app that one: `bluum-hooks listen --write-env FILE`")
    }

    fn late(&self, refused: &VerifyError) -> Option<Finding> {
        let (reason, said) = match refused {
            VerifyError::TooOld { seconds, .. } => ("too_old", format!("{} old", span(*seconds))),
            VerifyError::TooNew { seconds, .. } => {
                ("too_new", format!("{} ahead of this clock", span(*seconds)))
            }
            _ => return None,
        };
        let tolerance = span(self.tolerance.as_secs());
        Self::fits(self.verifier(), self.received).then(|| {
            let message = format!("the signature is right but {said} (tolerance {tolerance})");
            Finding::refused(reason, message)
                .advising("a clock is off, it has waited in a queue, or it is a replay")
        })
    }

    /// Something has changed the body.
    fn body(&self) -> Option<Finding> {
        let matching = |variants: Vec<Variant>| {
            let mut variants = variants.into_iter();
            variants.find(|variant| {
                let received = Received { body: variant.body.clone(), ..self.received.clone() };
                Self::fits(self.verifier(), &received)
            })
        };
        if let Some(Variant { what, .. }) = matching(variants::of_file(&self.received.body)) {
            return Some(Finding::refused("body", format!("matches {what}")).advising(
                "an editor, echo or a transfer as text has changed it: verify the bytes as they \
                 were received",
            ));
        }
        let Variant { what, .. } = matching(variants::of_json(&self.received.body))?;
        Some(Finding::refused("json", format!("matches {what}")).advising(
            "the body was parsed and written again: verify the raw bytes, before anything parses \
             them",
        ))
    }

    /// The secret is read in another way than the sender means it.
    fn secret(&self) -> Option<Finding> {
        self.keys.iter().find_map(|key| {
            let from = &key.from;
            readings(&key.text).into_iter().find_map(|(how, secret)| {
                Self::fits(Verifier::new([secret]), self.received).then(|| {
                    Finding::refused("secret", format!("matches when the secret of {from} {how}"))
                        .advising(
                            "ask the sender which bytes are the key; ours are what follows \
                                   'whsec_', base64-decoded",
                        )
                })
            })
        })
    }

    /// The right signature, written in another way.
    fn encoding(&self) -> Option<Finding> {
        let header = self.received.header(WEBHOOK_SIGNATURE)?;
        let loose = self.verifier().allow(Leniency::LooseSignatures);
        if Self::fits(loose, self.received) {
            let message = "matches, but is not in canonical base64, with its padding";
            return Some(Finding::refused("encoding", message));
        }
        let entries = header.split([' ', ',']).filter_map(|entry| {
            let text = entry.trim_start_matches("v1=").trim_start_matches("sha256=");
            let bytes = hex::decode(text).or_else(|_| URL_SAFE.decode(text));
            let bytes = bytes.or_else(|_| STANDARD.decode(text)).ok()?;
            Some(format!("v1,{}", STANDARD.encode(bytes)))
        });
        let rewritten = entries.collect::<Vec<_>>().join(" ");
        let received = self.received.with(WEBHOOK_SIGNATURE, rewritten);
        Self::fits(self.verifier(), &received).then(|| {
            Finding::refused("encoding", "matches, but is not written 'v1,<base64>'")
                .advising("hexadecimal, 'sha256=' and base64 for URLs are other schemes' ways")
        })
    }

    /// Headers that were mixed up.
    fn headers(&self) -> Option<Finding> {
        let received = self.received;
        let (id, timestamp) = (received.header(WEBHOOK_ID)?, received.header(WEBHOOK_TIMESTAMP)?);
        let swapped = received.with(WEBHOOK_ID, timestamp).with(WEBHOOK_TIMESTAMP, id);
        if Self::fits(self.verifier(), &swapped) {
            let message = "matches with 'webhook-id' and 'webhook-timestamp' swapped";
            return Some(Finding::refused("headers", message));
        }
        let seconds = timestamp.len().checked_sub(3).and_then(|length| timestamp.get(..length))?;
        Self::fits(self.verifier(), &received.with(WEBHOOK_TIMESTAMP, seconds)).then(|| {
            Finding::refused("headers", "matches with the timestamp in seconds")
                .advising("'webhook-timestamp' is in milliseconds here")
        })
    }

    fn no_match(&self, refused: &VerifyError) -> Finding {
        let unusable = self.keys.iter().find_map(|key| Some((key, Key::parse(&key.text).err()?)));
        if let Some((key, error)) = unusable {
            return Finding::refused("key", format!("{}: {error}", key.from))
                .advising("copy it again, whole, from where the webhook was created or rotated");
        }
        // When it was signed is not why: it matches at no time.
        let Received { headers, body } = self.received;
        let always = self.verifier().tolerance(Duration::MAX, Duration::MAX);
        let whenever = always.verify(headers, body, self.now).err();
        match whenever.as_ref().unwrap_or(refused) {
            VerifyError::NoMatch { fingerprints, .. } => {
                let sha256 = hex::encode(Sha256::digest(body));
                let message = format!(
                    "no match with the key {}: id {}, timestamp {}, body of {} bytes, sha256 {}…",
                    fingerprints.join(" or "),
                    self.received.header(WEBHOOK_ID).unwrap_or("-"),
                    self.received.header(WEBHOOK_TIMESTAMP).unwrap_or("-"),
                    body.len(),
                    &sha256[..12],
                );
                Finding::refused(NO_MATCH, message).advising(
                    "the key is another webhook's, or the body is not the one that was sent",
                )
            }
            other => Finding::refused("refused", other.to_string()),
        }
    }
}

/// Ways in which the text of a secret becomes a key elsewhere.
fn readings(text: &str) -> Vec<(&'static str, Secret)> {
    let trimmed = text.trim();
    let bare = trimmed.strip_prefix("whsec_").unwrap_or(trimmed);
    let plain = bare.trim_end_matches('=');
    let readings = [
        ("is used as text, not base64-decoded", Some(trimmed.as_bytes().to_vec())),
        ("is used as text without 'whsec_'", Some(bare.as_bytes().to_vec())),
        ("is used as text, with the white space around it", Some(text.as_bytes().to_vec())),
        ("is read as base64 for URLs", URL_SAFE_NO_PAD.decode(plain).ok()),
        ("is read as hexadecimal", hex::decode(bare).ok()),
    ];
    let secret = |(how, bytes): (&'static str, Option<Vec<u8>>)| {
        Some((how, Secret::from_short_bytes(&bytes?).ok()?))
    };
    readings.into_iter().filter_map(secret).collect()
}

/// A header of another scheme, where ours is missing.
fn other_scheme(received: &Received) -> Option<Finding> {
    const OTHERS: [(&str, &str); 6] = [
        ("stripe-signature", "Stripe's"),
        ("x-hub-signature-256", "GitHub's"),
        ("x-hub-signature", "GitHub's old one"),
        ("x-shopify-hmac-sha256", "Shopify's"),
        ("x-slack-signature", "Slack's"),
        ("svix-signature", "Svix's; its headers are ours with another name"),
    ];
    if received.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(WEBHOOK_SIGNATURE)) {
        return None;
    }
    let (name, whose) = OTHERS.iter().find(|(name, _)| received.header(name).is_some())?;
    Some(
        Finding::refused(
            "other_scheme",
            format!("'{name}' is a signature of another scheme, {whose}"),
        )
        .advising(format!(
            "ours come as {WEBHOOK_ID}, {WEBHOOK_TIMESTAMP} and {WEBHOOK_SIGNATURE}"
        )),
    )
}

fn ago(seconds: i64) -> String {
    match seconds {
        ..0 => format!("{} from now", span(seconds.unsigned_abs())),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
