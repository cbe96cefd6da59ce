//! A scenario as it is told: each step becomes an event, with the ids and times of this telling.

use std::time::Duration;

use bluum_hooks_shared::api::PublishEvent;
use bluum_hooks_shared::id::EventId;
use bluum_hooks_shared::time::Timestamp;
use bluum_hooks_shared::{catalogue, event};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::edit::{Change, change, paths, quoted};
use super::fault::Fault;
use super::near::did_you_mean;
use super::scenario::{Base, EventStep, Scenario, Setting, Step};
use super::template::Names;
use crate::cli::failure::{Failure, Status};
use crate::random::Random;

/// Two events of a story are at least so far apart: times rise.
const TICK: Duration = Duration::from_millis(1);

/// What of an event can be set; the dispatcher gives the rest.
const SETTABLE: [&str; 3] = ["data", "investor_id", "timestamp"];

/// An event before it is sent.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Draft {
    /// Its own, if it is not the dispatcher that gives it one.
    pub(super) id: EventId,
    pub(super) name: String,
    pub(super) timestamp: Timestamp,
    pub(super) investor_id: Option<String>,
    pub(super) data: Box<RawValue>,
    /// Whether the same event was told before.
    pub(super) again: bool,
}

impl Draft {
    /// As it is delivered.
    pub(in crate::cli) fn body(&self) -> String {
        let Self { id, name, timestamp, investor_id, data, .. } = self;
        let created = id.made_at();
        event::render(*id, false, name, *timestamp, created, investor_id.as_deref(), data.get())
    }

    /// As it is published.
    pub(in crate::cli) fn publication(&self, tenant: Option<String>) -> PublishEvent {
        PublishEvent {
            event: self.name.clone(),
            data: self.data.clone(),
            tenant,
            investor_id: self.investor_id.clone(),
            ordering_key: None,
            timestamp: Some(self.timestamp.to_string()),
        }
    }
}

/// One telling of a scenario.
#[derive(Debug)]
pub(in crate::cli) struct Story<'a> {
    random: &'a dyn Random,
    variables: Vec<(String, String)>,
    told: Vec<Draft>,
    last: Timestamp,
}

impl<'a> Story<'a> {
    /// Works out the variables, each with those before it.
    pub(super) fn begin(
        scenario: &Scenario,
        now: Timestamp,
        random: &'a dyn Random,
    ) -> Result<Self, Failure> {
        let mut variables = Vec::new();
        for (name, json) in &scenario.variables {
            let value = Names { variables: &variables, now, random }.fill(json);
            let value = value.map_err(|message| {
                unusable(format!("{}: variable '{name}': {message}", scenario.name))
            })?;
            variables.push((name.clone(), value));
        }
        Ok(Self { random, variables, told: Vec::new(), last: now.minus(TICK) })
    }

    /// All events of a scenario, as they would be told at once.
    pub(in crate::cli) fn all(
        scenario: &Scenario,
        now: Timestamp,
        random: &'a dyn Random,
    ) -> Result<Vec<Draft>, Failure> {
        let mut story = Self::begin(scenario, now, random)?;
        for (place, step) in scenario.steps.iter().enumerate() {
            if let Step::Event(step) = step {
                story.tell(step, now).map_err(|message| at(scenario, place, &message))?;
            }
        }
        Ok(story.told)
    }

    /// The event of the next step.
    pub(super) fn tell(&mut self, step: &EventStep, now: Timestamp) -> Result<Draft, String> {
        let draft = match &step.base {
            Base::Earlier(back) if step.faults.contains(&Fault::Duplicate) => {
                let first = self.earlier(*back);
                if !step.set.is_empty() || !step.unset.is_empty() {
                    return Err("a duplicate is the very event again; leave out 'set'".to_owned());
                }
                if let Some(name) = step.name.as_ref().filter(|name| **name != first.name) {
                    let first = &first.name;
                    return Err(format!("a duplicate of {first} is no {name}; write {first}"));
                }
                Draft { again: true, ..first.clone() }
            }
            _ => self.make(step, now.max(self.last.plus(TICK)))?,
        };
        self.told.push(draft.clone());
        Ok(draft)
    }

    /// The event so many events before; the scenario was read with no more than there are.
    fn earlier(&self, back: usize) -> &Draft {
        &self.told[self.told.len() - back]
    }

    fn make(&mut self, step: &EventStep, now: Timestamp) -> Result<Draft, String> {
        self.last = now;
        let (kind, data, investor_id) = match &step.base {
            Base::Example => {
                let known = step.name.as_deref().and_then(catalogue::find);
                (None, known.map(|known| known.compact_example()).unwrap_or_default(), None)
            }
            Base::Earlier(back) => {
                let Draft { name, data, .. } = self.earlier(*back);
                (Some(name.clone()), data.get().to_owned(), None)
            }
            Base::Data { json, investor_id } => (None, json.clone(), investor_id.clone()),
        };
        let name = step.name.clone().or(kind).unwrap_or_default();
        let names = Names { variables: &self.variables, now, random: self.random };
        let investor_id = investor_id.map_or_else(|| "null".to_owned(), |id| quoted(&id));
        let mut json = format!(r#"{{"timestamp":null,"investor_id":{investor_id},"data":{data}}}"#);
        for Setting { path, json: value, add } in &step.set {
            let value = names.fill(value).map_err(|message| format!("{path}: {message}"))?;
            let set = if *add { Change::Add(&value) } else { Change::Set(&value) };
            json = changed(&json, path, set, &name)?;
        }
        for path in &step.unset {
            json = changed(&json, path, Change::Remove, &name)?;
        }
        let Said { timestamp, investor_id, data } = said(&json)?;
        let id = EventId::new(now, self.random.bits());
        let timestamp = timestamp.unwrap_or(now);
        Ok(Draft { id, name, timestamp, investor_id, data, again: false })
    }
}

/// What can be said about an event.
#[derive(Deserialize)]
struct Said {
    timestamp: Option<Timestamp>,
    investor_id: Option<String>,
    data: Box<RawValue>,
}

fn said(json: &str) -> Result<Said, String> {
    /// Whom data is about, if it says so.
    #[derive(Deserialize)]
    struct Concerns {
        object: Option<String>,
        id: Option<String>,
        investor_id: Option<String>,
    }
    let mut said: Said = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let data: Option<Concerns> = serde_json::from_str(said.data.get()).ok();
    if !said.data.get().starts_with('{') {
        return Err("'data' must be an object".to_owned());
    }
    said.investor_id = said.investor_id.or_else(|| {
        let data = data?;
        let is_investor = data.object.as_deref() == Some("investor");
        if is_investor { data.id } else { data.investor_id }
    });
    Ok(said)
}

fn changed(json: &str, path: &str, made: Change<'_>, name: &str) -> Result<String, String> {
    let settable = SETTABLE.contains(&path.split('.').next().unwrap_or_default());
    let changed = settable.then(|| change(json, path, made)).flatten();
    changed.ok_or_else(|| {
        let paths = paths(json);
        let advice = did_you_mean(path, paths.iter().map(String::as_str));
        let advice = match advice {
            Some(advice) => advice,
            None if settable => format!("+{path} adds it"),
            None => "paths begin with 'data.', or are 'investor_id' or 'timestamp'".to_owned(),
        };
        format!("there is no '{path}' in {name}; {advice}")
    })
}

/// What is wrong with a step.
pub(super) fn at(scenario: &Scenario, place: usize, message: &str) -> Failure {
    match scenario.title.is_empty() && scenario.steps.len() == 1 {
        true => unusable(message.to_owned()),
        false => unusable(format!("{}: step {}: {message}", scenario.name, place + 1)),
    }
}

fn unusable(message: String) -> Failure {
    Failure::new(Status::Usage, message)
}
