//! What was here lately, to be sent again by a key.

use std::collections::VecDeque;
use std::sync::Arc;

use bluum_hooks_shared::header::{WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::signature::SigningKey;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::forward::Forwarder;
use super::frames::Arrival;
use super::held::{Held, Sent, Shared};
use super::record::{Happening, Record};
use super::remote::Remote;
use super::teller::Teller;
use crate::clock::{Clock, SystemClock};

/// As many as a screen shows.
const KEPT: usize = 1_000;

/// What came of a wish.
#[derive(Debug)]
pub(super) enum Redone {
    Sent { held: Shared, sent: Box<Sent>, target: String },
    Said(String),
}

#[derive(Debug)]
pub(super) struct Recent {
    /// Without a screen nobody can wish for anything.
    kept: Option<VecDeque<Shared>>,
    jobs: JoinSet<Redone>,
}

impl Recent {
    pub(super) fn new(wanted: bool) -> Self {
        Self { kept: wanted.then(VecDeque::new), jobs: JoinSet::new() }
    }

    pub(super) fn keep(&mut self, held: &Shared) {
        if let Some(kept) = &mut self.kept {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(held.clone());
        }
    }

    fn find(&self, delivery: &str) -> Option<Shared> {
        let mut kept = self.kept.iter().flatten().rev();
        kept.find(|held| &*held.arrival.delivery == delivery).cloned()
    }

    /// The same bytes with the same headers.
    pub(super) fn resend(
        &mut self,
        delivery: &str,
        forwarders: &[Arc<Forwarder>],
        clock: SystemClock,
    ) {
        match self.find(delivery) {
            Some(held) => self.send(held, forwarders, clock),
            None => self.say("this event is not here any more".into()),
        }
    }

    /// Another body, signed now.
    pub(super) fn send_edited(
        &mut self,
        delivery: &str,
        body: Vec<u8>,
        forwarders: &[Arc<Forwarder>],
        clock: SystemClock,
        key: &SigningKey,
    ) {
        let Some(held) = self.find(delivery) else {
            return self.say("this event is not here any more".into());
        };
        let Arrival { cursor, event, attempt, redelivered, .. } = &*held.arrival;
        let timestamp = clock.now().as_unix_seconds();
        let mut headers = held.arrival.headers.clone();
        for (name, value) in &mut headers {
            match name.as_str() {
                WEBHOOK_TIMESTAMP => *value = timestamp.to_string(),
                WEBHOOK_SIGNATURE => *value = key.sign(event, timestamp, &body),
                _ => {}
            }
        }
        let arrival = Arrival {
            cursor: *cursor,
            delivery: held.arrival.delivery.clone(),
            attempt: *attempt,
            event: event.clone(),
            redelivered: *redelivered,
            headers,
            body: Bytes::from(body),
        };
        let mut edited = Held::new(Box::new(arrival), held.came);
        edited.routes.clone_from(&held.routes);
        self.send(Arc::new(edited), forwarders, clock);
    }

    fn send(&mut self, held: Shared, forwarders: &[Arc<Forwarder>], clock: SystemClock) {
        if held.routes.is_empty() {
            self.say("there is no target to send it to".into());
        }
        for route in held.routes.clone() {
            let (held, forwarder) = (held.clone(), forwarders[route].clone());
            self.jobs.spawn(async move {
                let at = clock.now();
                let arrival = &held.arrival;
                let attempt = forwarder.send(&arrival.headers, &arrival.body, &clock).await;
                let sent = Box::new(Sent { route: Some(route), at, attempt });
                Redone::Sent { sent, target: forwarder.target.to_string(), held }
            });
        }
    }

    /// Asks the dispatcher for it.
    pub(super) fn replay(&mut self, delivery: String, remote: Remote) {
        self.jobs.spawn(async move {
            Redone::Said(match remote.replay(&delivery).await {
                Ok(()) => format!("{delivery} is delivered again"),
                Err(error) => format!("{delivery} is not delivered again: {error}"),
            })
        });
    }

    fn say(&mut self, words: String) {
        self.jobs.spawn(async { Redone::Said(words) });
    }

    /// Resolves with what came of the next wish.
    pub(super) async fn next(&mut self) -> Redone {
        loop {
            match self.jobs.join_next().await {
                Some(Ok(redone)) => return redone,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

impl Redone {
    pub(super) fn tell(self, teller: &Teller) {
        match self {
            Self::Sent { held, sent, target } => {
                let record = Record::Delivery(Box::new(held.record(&sent, Some(target))));
                teller.screen(|| Happening::Told(Arc::new(record)));
            }
            Self::Said(words) => teller.notice(words),
        }
    }
}
