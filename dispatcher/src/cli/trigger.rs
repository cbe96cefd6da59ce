//! `trigger`: sample events and whole stories, to the daemon or straight to a server.

mod edit;
mod fault;
mod fixtures;
mod local;
mod near;
mod outcome;
mod play;
mod scenario;
mod story;
mod template;
#[cfg(test)]
mod tests;

use bluum_hooks_shared::api::ApiKey;
use bluum_hooks_shared::catalogue::{self, CATALOGUE};
use serde_json::json;
use serde_json::value::RawValue;

pub(super) use self::fault::Fault;
use self::fixtures::Fixtures;
use self::local::Local;
use self::near::did_you_mean;
use self::play::{Player, Way};
use self::scenario::{Base, EventStep, Expect};
pub(super) use self::scenario::{Scenario, Setting};
pub(super) use self::story::{Draft, Story};
use super::args::{Global, TriggerArgs};
use super::failure::{Failure, Status};
use super::print::Printer;
use super::profile::Project;
use super::spacing::{Spacing, pretty, spaced};
use super::{editor, events, query, signed};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::random::SystemRandom;

pub(super) async fn run(
    args: &TriggerArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let project = Project::here()?;
    let fixtures = Fixtures::of(project.as_ref())?;
    let mut scenario = match (&args.what, &args.like) {
        (None, None) => {
            list(&fixtures, printer);
            return Ok(());
        }
        (Some(what), _) if what.starts_with('@') => {
            let text = String::from_utf8(signed::read(what)?)
                .map_err(|_| unusable(&format!("{what} is not text")))?;
            told(Scenario::parse(&what[1..], &text)?, args)?
        }
        (Some(what), like) => match fixtures.scenario(what)?.or_else(|| Scenario::find(what)) {
            Some(scenario) => told(scenario, args)?,
            None => single(Some(what), like.as_deref(), &fixtures, args, global).await?,
        },
        (None, like) => single(None, like.as_deref(), &fixtures, args, global).await?,
    };
    fixtures.fill(&mut scenario)?;
    // What is wrong with any step is told before the first event is sent.
    let story = Story::all(&scenario, SystemClock::new().now(), &SystemRandom)?;
    let width = story.iter().map(|draft| draft.name.len()).max().unwrap_or(0);
    check(&scenario, args)?;
    let way = if args.dry_run {
        Way::Nowhere
    } else if let Some(target) = &args.to {
        Way::Local(Box::new(Local::new(target, args.secret.as_deref(), project.as_ref(), printer)?))
    } else {
        Way::Daemon { client: Box::new(sandbox(global).await?), tenant: args.tenant.clone() }
    };
    let mut player = Player::new(&way, width, printer);
    player.faults.clone_from(&args.fault);
    player.spacing = args.rate.unwrap_or_default();
    player.wait = args.wait;
    player.play(&scenario, args.count).await
}

/// The types and the scenarios, a line each.
fn list(fixtures: &Fixtures, printer: Printer) {
    let mut category = "";
    for known in CATALOGUE {
        let heading = if known.category == category { "" } else { known.category };
        category = known.category;
        let (name, description) = (known.name, known.description);
        printer.line(
            &format!("{heading:<10}{name:<31}{description}"),
            &json!({"type": "event_type", "name": name, "category": category,
                "description": description}),
        );
    }
    let own = fixtures.scenarios(printer);
    let is_own = |name: &String| own.iter().any(|scenario| scenario.name == *name);
    let built_in = Scenario::built_in().filter(|scenario| !is_own(&scenario.name));
    let all: Vec<_> = own.iter().cloned().chain(built_in).collect();
    for (place, Scenario { name, title, variables, .. }) in all.iter().enumerate() {
        let heading = if place == 0 { "scenario" } else { "" };
        let variables: Vec<_> = variables.iter().map(|(name, _)| name).collect();
        printer.line(
            &format!("{heading:<10}{name:<31}{title}."),
            &json!({"type": "scenario", "name": name, "title": title, "variables": variables}),
        );
    }
}

/// A scenario with its variables set.
fn told(mut scenario: Scenario, args: &TriggerArgs) -> Result<Scenario, Failure> {
    for (given, option) in [
        (!args.unset.is_empty(), "--unset"),
        (args.like.is_some(), "--like"),
        (args.edit, "--edit"),
    ] {
        if given {
            let message = format!("{option} is for one event, and {} is a scenario", scenario.name);
            return Err(unusable(&message).then("set its variables with --set, or copy its file"));
        }
    }
    scenario.give(&args.set)?;
    Ok(scenario)
}

/// One event: the example of a type, or the data of a real one, changed as was asked for.
async fn single(
    what: Option<&str>,
    like: Option<&str>,
    fixtures: &Fixtures,
    args: &TriggerArgs,
    global: &Global,
) -> Result<Scenario, Failure> {
    if let Some(what) = what.filter(|what| catalogue::find(what).is_none()) {
        let scenarios: Vec<_> = Scenario::built_in().map(|scenario| scenario.name).collect();
        let types = CATALOGUE.iter().map(|known| known.name).chain(fixtures.names());
        let advice = did_you_mean(what, types.chain(scenarios.iter().map(String::as_str)));
        let advice = advice.unwrap_or_else(|| "`bluum-hooks trigger` lists them".to_owned());
        let message = format!("there is no event type or scenario '{what}'");
        return Err(Failure::new(Status::NotFound, message).then(advice));
    }
    let (name, base) = match like {
        None => (what.unwrap_or_default().to_owned(), Base::Example),
        Some(id) => {
            let answer = global.client()?.get(&query::item("/v1/events", id)).await?;
            let event = events::read(&answer)?;
            let json = event.raw_data().to_owned();
            let name = what.map_or(event.name, str::to_owned);
            (name, Base::Data { json, investor_id: event.investor_id })
        }
    };
    let mut step = EventStep {
        name: Some(name),
        base,
        set: args.set.clone(),
        unset: args.unset.clone(),
        faults: Vec::new(),
        expect: None,
    };
    if args.edit {
        let mut scenario = Scenario::of(step.clone());
        fixtures.fill(&mut scenario)?;
        let drafts = Story::all(&scenario, SystemClock::new().now(), &SystemRandom)?;
        let Some(Draft { data, investor_id, .. }) = drafts.into_iter().next() else {
            return Ok(scenario);
        };
        let json = edited(data.get()).await?;
        step.base = Base::Data { json, investor_id };
        (step.set, step.unset) = Default::default();
    }
    Ok(Scenario::of(step))
}

/// The data as it is left in the editor.
async fn edited(json: &str) -> Result<String, Failure> {
    let refused = |message: String| unusable(&message).then("nothing was sent");
    let text = editor::edited(format!("{}\n", pretty(json)).as_bytes()).await;
    let text = text.map_err(|error| refused(error.to_string()))?;
    let json: &RawValue = serde_json::from_slice(&text)
        .map_err(|error| refused(format!("what was edited is not JSON: {error}")))?;
    Ok(spaced(json.get(), Spacing::Compact))
}

/// What cannot be done is said before anything is.
fn check(scenario: &Scenario, args: &TriggerArgs) -> Result<(), Failure> {
    let several = scenario.events().count() > 1 || args.count > 1;
    if args.fault.contains(&Fault::Reorder) && !several {
        return Err(unusable("one event has no order").then("send two: --count 2"));
    }
    let cut_off = |fault: &Fault| *fault == Fault::DropMidBody;
    let mut faults = args.fault.iter().chain(scenario.events().flat_map(|step| &step.faults));
    if let Some(target) = &args.to {
        return match target.https && faults.any(cut_off) {
            true => Err(unusable("drop-mid-body cannot be done over TLS")
                .then("send to http://, or leave the fault out")),
            false => Ok(()),
        };
    }
    if args.dry_run {
        return Ok(());
    }
    if let Some(fault) = faults.find(|fault| fault.needs_target()) {
        let next = match fault {
            Fault::Duplicate => {
                "send to a server with --to, or repeat a delivery with `deliveries replay`"
            }
            _ => "the daemon signs and sends by itself: send to a server with --to",
        };
        return Err(unusable(&format!("publishing cannot do '{fault}'")).then(next));
    }
    let not_success = |step: &&EventStep| step.expect.is_some_and(|it| it != Expect::SUCCESS);
    if scenario.events().any(|step| not_success(&step)) {
        return Err(unusable("the daemon takes a delivery for done at any 2xx")
            .then("write \"expect\": \"2xx\", or send to a server with --to"));
    }
    Ok(())
}

/// A client for the sandbox: in production an example would look as if money had moved.
async fn sandbox(global: &Global) -> Result<Client, Failure> {
    let client = global.client()?;
    let own = query::item("/v1/keys", &global.sources()?.login()?.key.value);
    let key: ApiKey = client.read(&client.get(&own).await?)?;
    if key.livemode {
        let message = "this key is for production, where an example would look real";
        return Err(unusable(message).then("use a sandbox key, or --to"));
    }
    Ok(client)
}

fn unusable(message: &str) -> Failure {
    Failure::new(Status::Usage, message)
}
