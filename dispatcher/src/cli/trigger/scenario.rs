//! Scenarios: stories of events, read from JSON. What is built in is written like anybody's own.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bluum_hooks_shared::catalogue::{self, CATALOGUE};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::edit::quoted;
use super::fault::Fault;
use super::near::did_you_mean;
use crate::cli::failure::{Failure, Status};
use crate::duration;
use crate::fields::{Entries, Fields};

/// The files that come along.
const BUILT_IN: [&str; 9] = [
    include_str!("scenarios/journey.json"),
    include_str!("scenarios/market-buy.json"),
    include_str!("scenarios/limit-partial.json"),
    include_str!("scenarios/order-rejected.json"),
    include_str!("scenarios/ach-deposit.json"),
    include_str!("scenarios/deposit-failed.json"),
    include_str!("scenarios/withdrawal.json"),
    include_str!("scenarios/kyc-approved.json"),
    include_str!("scenarios/kyc-declined.json"),
];

#[derive(Debug, Clone)]
pub(in crate::cli) struct Scenario {
    pub(super) name: String,
    pub(super) title: String,
    /// Name and JSON of each, in the order in which they are worked out.
    pub(super) variables: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Wait(Duration),
    Event(Box<EventStep>),
}

/// One event, and what is to be done with it.
#[derive(Debug, Clone)]
pub(super) struct EventStep {
    /// The type; that of the event it begins with, if there is none.
    pub(super) name: Option<String>,
    pub(super) base: Base,
    pub(super) set: Vec<Setting>,
    pub(super) unset: Vec<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) expect: Option<Expect>,
}

/// The data that an event begins with.
#[derive(Debug, Clone)]
pub(super) enum Base {
    /// The catalogue's example of its type.
    Example,
    /// That of the event so many events before.
    Earlier(usize),
    Data {
        json: String,
        investor_id: Option<String>,
    },
}

/// A value for a path, or for a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Setting {
    pub(super) path: String,
    pub(super) json: String,
    /// Whether the path may be new.
    pub(super) add: bool,
}

impl Setting {
    pub(super) fn new(path: &str, json: &str) -> Self {
        let add = path.starts_with('+');
        Self { path: path.trim_start_matches('+').to_owned(), json: json.to_owned(), add }
    }
}

/// `PATH=VALUE`, the value JSON if it can be.
impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) =
            text.split_once('=').ok_or_else(|| format!("'{text}' has no '='; write PATH=VALUE"))?;
        match serde_json::from_str::<&RawValue>(value) {
            Ok(json) => Ok(Self::new(path, json.get())),
            Err(_) => Ok(Self::new(path, &quoted(value))),
        }
    }
}

/// Which answers are right: `2xx`, or `204`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expect {
    least: u16,
    most: u16,
}

impl Expect {
    pub(super) const SUCCESS: Self = Self { least: 200, most: 299 };

    pub(super) fn is_met(self, status: u16) -> bool {
        (self.least..=self.most).contains(&status)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.least),
            false => write!(f, "{}xx", self.least / 100),
        }
    }
}

impl FromStr for Expect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'expect' is '{text}'; write '2xx', or a status such as '204'");
        let class = text.strip_suffix("xx");
        let number: u16 = class.unwrap_or(text).parse().map_err(|_| wrong())?;
        match class {
            Some(_) if (1..=9).contains(&number) => {
                Ok(Self { least: number * 100, most: number * 100 + 99 })
            }
            None if (100..=999).contains(&number) => Ok(Self { least: number, most: number }),
            _ => Err(wrong()),
        }
    }
}

impl Scenario {
    pub(super) fn built_in() -> impl Iterator<Item = Self> {
        // A test reads them all.
        BUILT_IN.iter().filter_map(|text| Self::parse("a built-in scenario", text).ok())
    }

    /// The built-in one of this name.
    pub(in crate::cli) fn find(name: &str) -> Option<Self> {
        Self::built_in().find(|scenario| scenario.name == name)
    }

    /// One event, without a story.
    pub(super) fn of(step: EventStep) -> Self {
        let name = step.name.clone().unwrap_or_default();
        let steps = vec![Step::Event(Box::new(step))];
        Self { name, title: String::new(), variables: Vec::new(), steps }
    }

    /// Reads a file; `from` is its name.
    pub(super) fn parse(from: &str, text: &str) -> Result<Self, Failure> {
        read(from, text).map_err(|message| unusable(&format!("{from}: {message}")))
    }

    /// Gives variables other values, as a file would.
    pub(super) fn give(&mut self, given: &[Setting]) -> Result<(), Failure> {
        for Setting { path: name, json, .. } in given {
            let known = self.variables.iter().map(|(name, _)| name.as_str());
            let advice = did_you_mean(name, known.clone())
                .unwrap_or_else(|| format!("there are {}", known.collect::<Vec<_>>().join(", ")));
            let found = self.variables.iter_mut().find(|(known, _)| known == name);
            let Some((_, value)) = found else {
                let message = format!("scenario {} has no variable '{name}'", self.name);
                return Err(unusable(&message).then(advice));
            };
            // As a number in the place of a text would become one.
            *value = if value.starts_with('"') && !json.starts_with('"') {
                quoted(json)
            } else {
                json.clone()
            };
        }
        Ok(())
    }

    /// The steps that are events.
    pub(super) fn events(&self) -> impl Iterator<Item = &EventStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Event(step) => Some(&**step),
            Step::Wait(_) => None,
        })
    }
}

fn unusable(message: &str) -> Failure {
    Failure::new(Status::Usage, message)
}

fn read(from: &str, text: &str) -> Result<Scenario, String> {
    let mut fields = object(text)?;
    let stem = from.rsplit(['/', '\\']).next().unwrap_or(from).trim_end_matches(".json");
    let name = field(&mut fields, "name", "a text")?.unwrap_or_else(|| stem.to_owned());
    let title = field(&mut fields, "title", "a text")?.unwrap_or_default();
    let variables = entries(&mut fields, "vars")?;
    let steps: Option<Vec<Box<RawValue>>> = field(&mut fields, "steps", "a list of steps")?;
    fields.finish(&["name", "title", "vars", "steps"]).map_err(|error| error.message)?;
    let steps = steps.ok_or(r#"it has no 'steps'; write "steps": [{"type": "order.filled"}]"#)?;
    let mut events = 0;
    let steps = steps.iter().enumerate().map(|(place, json)| {
        let step = step(json.get(), events);
        events += usize::from(matches!(step, Ok(Step::Event(_))));
        step.map_err(|message| format!("step {}: {message}", place + 1))
    });
    Ok(Scenario { name, title, variables, steps: steps.collect::<Result<_, _>>()? })
}

fn object(json: &str) -> Result<Fields<'_>, String> {
    let raw: &RawValue =
        serde_json::from_str(json).map_err(|error| format!("this is not JSON: {error}"))?;
    if !raw.get().starts_with('{') {
        return Err(format!("'{raw}' is no object; write {{…}}"));
    }
    Fields::parse(json.as_bytes()).map_err(|error| error.message)
}

fn field<T: DeserializeOwned>(
    fields: &mut Fields<'_>,
    name: &str,
    kind: &str,
) -> Result<Option<T>, String> {
    fields.optional(name, kind).map_err(|error| error.message)
}

/// An object's names and the JSON of each, in the order of the file.
fn entries(fields: &mut Fields<'_>, name: &str) -> Result<Vec<(String, String)>, String> {
    let Some(raw) = fields.raw(name) else { return Ok(Vec::new()) };
    let Entries(entries) = serde_json::from_str(raw.get())
        .map_err(|_| format!("'{name}' must be an object: names, with a value each"))?;
    Ok(entries.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}

const STEP: [&str; 7] = ["type", "wait", "set", "unset", "same_as", "fault", "expect"];

/// One step; `before` it stand so many events.
fn step(json: &str, before: usize) -> Result<Step, String> {
    let mut fields = object(json)?;
    if let Some(pause) = field::<String>(&mut fields, "wait", "a duration such as '2s'")? {
        fields
            .finish(&["wait"])
            .map_err(|error| format!("a step that waits is nothing else: {}", error.message))?;
        return duration::parse(&pause).map(Step::Wait);
    }
    let name: Option<String> = field(&mut fields, "type", "an event type")?;
    if let Some(name) = &name
        && catalogue::find(name).is_none()
    {
        let advice = did_you_mean(name, CATALOGUE.iter().map(|known| known.name))
            .unwrap_or_else(|| "`bluum-hooks trigger` lists them".to_owned());
        return Err(format!("there is no event type '{name}'; {advice}"));
    }
    let same_as: Option<i64> = field(&mut fields, "same_as", "a number below zero: -1")?;
    let base = match same_as {
        None if name.is_none() => {
            let next = r#"write {"type": "order.filled"} or {"wait": "2s"}"#;
            fields.finish(&STEP).map_err(|error| error.message)?;
            return Err(format!("it has neither 'type' nor 'wait'; {next}"));
        }
        None => Base::Example,
        Some(back) => earlier(back, before)?,
    };
    let set = entries(&mut fields, "set")?;
    let set: Vec<_> = set.iter().map(|(path, json)| Setting::new(path, json)).collect();
    let unset = field(&mut fields, "unset", "a list of paths")?.unwrap_or_default();
    let faults: Option<String> = field(&mut fields, "fault", "the name of a fault")?;
    let expect: Option<String> = field(&mut fields, "expect", "'2xx' or a status")?;
    fields.finish(&STEP).map_err(|error| error.message)?;
    let faults =
        faults.iter().flat_map(|faults| faults.split(',')).map(|fault| fault.trim().parse());
    let faults: Vec<Fault> = faults.collect::<Result<_, _>>()?;
    if faults.contains(&Fault::Reorder) {
        return Err("one event has no order; use `--fault reorder` for all".to_owned());
    }
    let expect = expect.map(|expect| expect.parse()).transpose()?;
    Ok(Step::Event(Box::new(EventStep { name, base, set, unset, faults, expect })))
}

fn earlier(back: i64, before: usize) -> Result<Base, String> {
    let events = usize::try_from(back.unsigned_abs()).unwrap_or(usize::MAX);
    if back >= 0 || events > before {
        return Err(match before {
            0 => "'same_as' needs an event before it; move the step, or leave it out".to_owned(),
            _ => format!("'same_as' is {back}; write -1 for the event before, to -{before}"),
        });
    }
    Ok(Base::Earlier(events))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, words: &str) {
        let failure = Scenario::parse("x.json", text).unwrap_err();
        assert_eq!(failure.status, Status::Usage);
        let failure = failure.to_string();
        assert!(failure.starts_with("x.json: ") && failure.contains(words), "{text}: {failure}");
    }

    #[test]
    fn a_file_that_is_no_scenario_is_told_what_to_write() {
        for (text, words) in [
            ("[]", "'[]' is no object"),
            ("{", "this is not JSON: EOF"),
            ("{}", "it has no 'steps'; write"),
            (r#"{"stpes":[]}"#, "Unknown field 'stpes'; did you mean 'steps'?"),
            (r#"{"steps":[],"steps":[]}"#, "'steps' stands twice"),
            (r#"{"steps":{}}"#, "'steps' must be a list of steps"),
            (r#"{"steps":[],"vars":[]}"#, "'vars' must be an object"),
            (r#"{"steps":[{"same_as":-1}]}"#, "step 1: 'same_as' needs an event before it; "),
        ] {
            check_refused(text, words);
        }
    }

    #[test]
    fn a_step_that_is_none_is_told_with_its_number_and_what_to_write() {
        for (step, words) in [
            ("7", "'7' is no object"),
            ("{}", "it has neither 'type' nor 'wait'; write"),
            (r#"{"tpye":"order.filled"}"#, "Unknown field 'tpye'; did you mean 'type'?"),
            (
                r#"{"type":"order.fileld"}"#,
                "there is no event type 'order.fileld'; did you mean 'order.filled'?",
            ),
            (r#"{"wait":"2"}"#, "'2' is not a duration"),
            (r#"{"wait":2}"#, "'wait' must be a duration such as '2s'"),
            (r#"{"wait":"2s","type":"x"}"#, "a step that waits is nothing else"),
            (
                r#"{"type":"order.filled","same_as":1}"#,
                "'same_as' is 1; write -1 for the event before",
            ),
            (
                r#"{"type":"order.filled","same_as":-2}"#,
                "'same_as' is -2; write -1 for the event before, to -1",
            ),
            (r#"{"type":"order.filled","set":[]}"#, "'set' must be an object"),
            (r#"{"type":"order.filled","unset":"x"}"#, "'unset' must be a list of paths"),
            (r#"{"type":"order.filled","fault":"stale"}"#, "there is no fault 'stale'"),
            (r#"{"type":"order.filled","fault":"reorder"}"#, "one event has no order"),
            (r#"{"type":"order.filled","expect":"ok"}"#, "'expect' is 'ok'; write '2xx'"),
        ] {
            let text = format!(r#"{{"steps":[{{"type":"order.filled"}},{step}]}}"#);
            check_refused(&text, &format!("step 2: {words}"));
        }
    }

    #[test]
    fn what_is_typed_is_json_if_it_can_be() {
        for (text, path, json, add) in [
            ("data.a=1.50", "data.a", "1.50", false),
            ("+data.a=null", "data.a", "null", true),
            ("data.a=x=y", "data.a", r#""x=y""#, false),
            ("data.a=", "data.a", r#""""#, false),
            (r#"data.a={"b":[1]}"#, "data.a", r#"{"b":[1]}"#, false),
        ] {
            let setting = Setting { path: path.into(), json: json.into(), add };
            assert_eq!(text.parse(), Ok(setting));
        }
        assert!("data.a".parse::<Setting>().unwrap_err().contains("write PATH=VALUE"));
    }

    #[test]
    fn every_built_in_scenario_is_there_under_its_name() {
        assert_eq!(Scenario::built_in().count(), BUILT_IN.len());
        let mut journey = Scenario::find("journey").unwrap();
        let failure = journey.give(&["quantiti=1".parse().unwrap()]).unwrap_err().to_string();
        assert!(failure.contains("no variable 'quantiti'; did you mean 'quantity'?"), "{failure}");
    }
}
