//! Since when a webhook fails: every attempt, and none was delivered. Pure, and the same for every
//! store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bluum_hooks_shared::api::AttemptOutcome;
use bluum_hooks_shared::time::Timestamp;

use super::{Registry, Report, Webhook, WebhookDraft};

/// The webhooks that begin to fail with these reports, or fail no more.
pub(super) fn changed<'a>(
    reports: impl Iterator<Item = &'a Report>,
    registry: &Registry,
) -> Vec<Webhook> {
    let mut since: BTreeMap<i64, Option<Timestamp>> = BTreeMap::new();
    for report in reports {
        let (Some(attempt), asked) = (&report.attempt, &report.claimed.webhook) else { continue };
        let current = registry.webhook_numbered(asked.number);
        if current.is_none_or(|current| current.settings.url != asked.settings.url) {
            // It points elsewhere by now.
            continue;
        }
        let webhook = since.entry(asked.number);
        match attempt.outcome {
            AttemptOutcome::OurFault => {}
            AttemptOutcome::Delivered => *webhook.or_default() = None,
            _ => {
                webhook
                    .and_modify(|first| *first = first.map(|first| first.min(attempt.started_at)))
                    .or_insert(Some(attempt.started_at));
            }
        }
    }
    let changed = since.into_iter().filter_map(|(number, since)| {
        let webhook = registry.webhook_numbered(number)?;
        let settings = &webhook.settings;
        let changes = settings.failing_since.is_some() != since.is_some();
        let settings = || WebhookDraft { failing_since: since, ..settings.clone() };
        changes.then(|| Webhook::new(number, settings()))
    });
    changed.collect()
}

/// Takes them over.
pub(super) fn put(changed: Vec<Webhook>, registry: &mut Registry) {
    changed.into_iter().for_each(|webhook| registry.put_webhook(Arc::new(webhook)));
}
