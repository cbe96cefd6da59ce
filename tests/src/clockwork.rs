//! The real engine in the process of the test: on a memory store, with a transport of the test's
//! choice, and a clock that stands until the test moves it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::acceptor::Acceptor;
use bluum_hooks_dispatcher::clock::Clock;
use bluum_hooks_dispatcher::context::Context;
use bluum_hooks_dispatcher::engine::Engine;
use bluum_hooks_dispatcher::policy::retry::{DISABLE_AFTER, RetrySchedule};
use bluum_hooks_dispatcher::random::SystemRandom;
use bluum_hooks_dispatcher::store::memory::MemoryStore;
use bluum_hooks_dispatcher::store::{
    Change, DeliveryFilter, StoredAttempt, StoredDelivery, Tenant, Webhook, Work,
};
use bluum_hooks_dispatcher::transport::Transport;
use bluum_hooks_shared::id::{TenantId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::conformance::make;
use crate::conformance::world::{ALL, START};
use crate::wait;

/// Stands still until it is moved.
#[derive(Debug)]
struct ManualClock {
    now: watch::Sender<Timestamp>,
    /// Until when the last one who lay down wants to sleep.
    asleep_until: watch::Sender<Timestamp>,
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn monotonic(&self) -> Duration {
        self.now().since(START)
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.asleep_until.send_replace(at);
        Box::pin(async move {
            let _ = self.now.subscribe().wait_for(|now| *now >= at).await;
        })
    }
}

/// An engine with one tenant and one webhook. Ends when dropped.
#[derive(Debug)]
pub struct Clockwork {
    context: Context,
    clock: Arc<ManualClock>,
    tenant: TenantId,
    webhook: WebhookId,
    work: mpsc::UnboundedSender<Vec<Work>>,
    engine: JoinHandle<()>,
}

impl Drop for Clockwork {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

impl Clockwork {
    /// Delivers to `url` with this transport, and tries again on the documented schedule.
    pub async fn start(transport: impl Transport, url: &str) -> Self {
        let clock = Arc::new(ManualClock {
            now: watch::Sender::new(START),
            asleep_until: watch::Sender::new(START),
        });
        let store = Arc::new(MemoryStore::default());
        let context = Context::new(store, clock.clone(), Arc::new(SystemRandom), 100);
        let tenant = TenantId::new(START, 1);
        let stored =
            Tenant { id: tenant, name: "one".into(), metadata: [].into(), created_at: START };
        let add_tenant = Change::AddTenant(stored, Vec::new());
        context.store.change(add_tenant, None, START).await.unwrap();
        let mut draft = make::webhook(tenant, 2, START);
        draft.url = url.to_owned();
        let webhook = draft.id;
        let add_webhook = Change::AddWebhook(draft, 1);
        context.store.change(add_webhook, None, START).await.unwrap();

        let (work, handed_over) = mpsc::unbounded_channel();
        let schedule = RetrySchedule::default();
        let engine = Engine {
            context: context.clone(),
            transport: Arc::new(transport),
            schedule,
            disable_after: DISABLE_AFTER,
            attempts_on: Handle::current(),
        };
        let (_nobody, requests) = Acceptor::new();
        let engine = tokio::spawn(engine.run(handed_over, requests));
        Self { context, clock, tenant, webhook, work, engine }
    }

    /// Accepts one event, which the engine attempts at once.
    pub async fn publish(&self) {
        let event = make::event(self.tenant, self.context.random.bits(), self.clock.now());
        let Context { store, slots, .. } = &self.context;
        let accepted = store.accept(&[event], &[], slots, self.clock.now()).await.unwrap();
        self.work.send(accepted.work).unwrap();
    }

    /// Moves the clock, and waits until the engine has looked for what is due then.
    pub async fn pass(&self, duration: Duration) {
        let now = self.clock.now().plus(duration);
        self.clock.now.send_replace(now);
        let mut asleep = self.clock.asleep_until.subscribe();
        let looked = asleep.wait_for(|until| *until > now);
        wait::within(wait::DEADLINE, looked)
            .await
            .expect("the claimer looks and lies down")
            .unwrap();
    }

    /// The newest delivery, with its attempts.
    pub async fn delivery(&self) -> (StoredDelivery, Vec<StoredAttempt>) {
        let filter = DeliveryFilter { webhook: Some(self.webhook), ..DeliveryFilter::default() };
        let deliveries = self.context.store.deliveries(&filter, ALL).await.unwrap();
        self.context.store.delivery(deliveries[0].id).await.unwrap().unwrap()
    }

    /// Waits until this many attempts of the newest delivery are recorded.
    pub async fn until_attempts(&self, count: usize) -> (StoredDelivery, Vec<StoredAttempt>) {
        wait::until(&format!("{count} attempts"), async || {
            let (delivery, attempts) = self.delivery().await;
            if attempts.len() == count {
                Ok((delivery, attempts))
            } else {
                Err(format!("{delivery:?} with {attempts:?}"))
            }
        })
        .await
    }

    /// The webhook as it is now.
    pub fn webhook(&self) -> Arc<Webhook> {
        let registry = self.context.store.registry();
        Arc::clone(registry.webhook(self.webhook).expect("the webhook exists"))
    }

    /// How long from now the newest delivery waits for its next attempt; `None` if it does not.
    pub async fn wait_ahead(&self) -> Option<Duration> {
        let due_at = self.delivery().await.0.progress.state.due_at()?;
        Some(due_at.since(self.clock.now()))
    }
}
