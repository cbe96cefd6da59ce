//! Publishers that live through the daemon's deaths, and keep books of what they were told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bluum_hooks_dispatcher::outbox::{self, OutboxEvent};
use bluum_hooks_shared::id::TenantId;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::watch;

use super::Door;
use crate::client::{Call, Client, Credentials, text};
use crate::daemon::Daemon;
use crate::partner::Partner;
use crate::seed::Chance;
use crate::wait;

/// Events are numbered; those of one publisher are so far apart.
const STEP: i64 = 10;
/// Objects that the events of one publisher are about.
const OBJECTS: i64 = 5;
const NAMES: [&str; 3] = ["order.accepted", "order.partially_filled", "order.filled"];

/// What publishers know of their events, by number.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Accepted for certain, with the id, if it was told.
    pub(super) accepted: HashMap<i64, Option<String>>,
    /// No answer came: all of a group, or none.
    pub(super) in_doubt: Vec<Vec<i64>>,
}

impl Ledger {
    /// How many events are accepted for certain.
    pub fn accepted(&self) -> usize {
        self.with(|entries| entries.accepted.len())
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Entries) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

/// One publisher. The events of an object come from one, with rising numbers.
#[derive(Debug)]
pub struct Publisher {
    next: i64,
    number: u64,
    tenant: String,
    key: Credentials,
    ledger: Ledger,
}

/// A request, which is made again until it is answered, if it has a key.
struct Publication {
    call: Call,
    numbers: Vec<i64>,
    has_key: bool,
}

impl Publisher {
    pub(super) fn new(number: u64, daemon: &Daemon, partner: &Partner, ledger: &Ledger) -> Self {
        Self {
            next: i64::try_from(number).unwrap(),
            number,
            tenant: partner.tenant.clone(),
            key: daemon.operator_key().clone(),
            ledger: ledger.clone(),
        }
    }

    /// The next event: its number, its name and its data.
    fn event(&mut self, chance: &mut Chance) -> (i64, &'static str, Value) {
        let n = self.next;
        self.next += STEP;
        let object = format!("ord_{}_{}", self.number, n / STEP % OBJECTS);
        let name = NAMES[usize::try_from(chance.number(0..3)).unwrap()];
        (n, name, json!({"id": object, "n": n}))
    }

    fn publication(&mut self, chance: &mut Chance) -> Publication {
        let batch = chance.number(0..4) == 0;
        let size = if batch { chance.number(1..6) } else { 1 };
        let events: Vec<_> = (0..size).map(|_| self.event(chance)).collect();
        let numbers = events.iter().map(|event| event.0).collect();
        let mut bodies: Vec<Value> = events
            .into_iter()
            .map(|(_, name, data)| json!({"event": name, "tenant": self.tenant, "data": data}))
            .collect();
        let call = if batch {
            Call::post("/v1/events/batch", Value::from(bodies).to_string())
        } else {
            Call::post("/v1/events", bodies.remove(0).to_string())
        };
        let has_key = chance.number(0..2) == 0;
        let key = chance.bits().to_string();
        let call = if has_key { call.header("idempotency-key", &key) } else { call };
        Publication { call, numbers, has_key }
    }

    /// Publishes over HTTP until the door says `Ended`, one request after the other.
    pub async fn over_http(mut self, mut door: watch::Receiver<Door>, mut chance: Chance) {
        let mut unanswered: Option<Publication> = None;
        loop {
            let open = door.wait_for(|door| *door != Door::Shut).await.unwrap().clone();
            let Door::Open(base) = &open else { break };
            let client = Client::new(base, Some(&self.key));
            while *door.borrow() == open {
                let one = unanswered.take().unwrap_or_else(|| self.publication(&mut chance));
                match client.try_send(one.call.clone()).await {
                    Ok(answer) => {
                        self.note(&one, &answer.must_be(202));
                        // Some ask again although they were answered.
                        let again = one.has_key && chance.number(0..4) == 0;
                        unanswered = again.then_some(one);
                    }
                    Err(_) if one.has_key => unanswered = Some(one),
                    Err(_) => self.doubt(one),
                }
                wait::pause(chance.millis(2..20)).await;
            }
        }
        unanswered.into_iter().for_each(|one| self.doubt(one));
    }

    fn doubt(&self, one: Publication) {
        self.ledger.with(|entries| entries.in_doubt.push(one.numbers));
    }

    /// What was answered once is answered always.
    fn note(&self, one: &Publication, answer: &Value) {
        let events = answer["data"].as_array();
        let events = events.filter(|_| answer["object"] == "list");
        let events: Vec<&Value> = events.map_or(vec![answer], |events| events.iter().collect());
        assert_eq!(events.len(), one.numbers.len(), "{answer}");
        self.ledger.with(|entries| {
            for (n, event) in one.numbers.iter().zip(events) {
                assert_eq!(event["data"]["n"], *n, "{answer}");
                let id = text(event, "id").to_owned();
                let before = entries.accepted.insert(*n, Some(id.clone()));
                assert!(before.is_none_or(|before| before == Some(id)), "two answers: {answer}");
            }
        });
    }

    /// Publishes in transactions of its own, whether the daemon lives or not, until the door says
    /// `Ended`.
    pub async fn through_the_outbox(
        mut self,
        database: PathBuf,
        door: watch::Receiver<Door>,
        mut chance: Chance,
    ) {
        let options = SqliteConnectOptions::new().filename(database);
        let options = options.busy_timeout(wait::DEADLINE);
        let mut connection = options.connect().await.unwrap();
        while *door.borrow() != Door::Ended {
            self.transact(&mut connection, &mut chance).await;
            wait::pause(chance.millis(5..40)).await;
        }
    }

    async fn transact(&mut self, connection: &mut SqliteConnection, chance: &mut Chance) {
        let tenant: TenantId = self.tenant.parse().unwrap();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let mut numbers = Vec::new();
        for _ in 0..chance.number(1..4) {
            let (n, event, data) = self.event(chance);
            let (data, key) = (data.to_string(), n.to_string());
            let known = chance.number(0..8) != 0;
            // A key may come twice, and a row that nobody can accept is rejected.
            let times = chance.number(1..3);
            let row = OutboxEvent {
                tenant,
                livemode: false,
                event: if known { event } else { "order.unheard_of" },
                data: &data,
                investor_id: None,
                ordering_key: None,
                idempotency_key: (times > 1 || n % 2 == 0).then_some(&key),
            };
            for _ in 0..times {
                outbox::publish(&mut transaction, &row).await.unwrap();
            }
            numbers.extend(known.then_some(n));
        }
        if chance.number(0..4) == 0 {
            transaction.rollback().await.unwrap();
            return;
        }
        transaction.commit().await.unwrap();
        self.ledger.with(|entries| entries.accepted.extend(numbers.iter().map(|n| (*n, None))));
    }
}
