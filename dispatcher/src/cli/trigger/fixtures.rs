//! The project's own: a folder with `TYPE.json`, the data of an event of that type in the place of
//! the catalogue's example, and `NAME.json`, scenarios.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bluum_hooks_shared::catalogue;
use serde_json::value::RawValue;

use super::scenario::{Base, Scenario, Step};
use crate::cli::failure::{Failure, Status};
use crate::cli::print::Printer;
use crate::cli::profile::Project;
use crate::cli::signed;
use crate::cli::spacing::{Spacing, spaced};

/// What is there, by name; read when it is wanted.
#[derive(Debug, Default)]
pub(super) struct Fixtures {
    folder: PathBuf,
    samples: BTreeSet<String>,
    scenarios: BTreeSet<String>,
}

impl Fixtures {
    pub(super) fn of(project: Option<&Project>) -> Result<Self, Failure> {
        let folder = |project: &Project| project.trigger.fixtures.clone();
        let Some((project, folder)) = project.and_then(|one| Some((one, folder(one)?))) else {
            return Ok(Self::default());
        };
        let entries = fs::read_dir(&folder).map_err(|error| {
            let message = format!("cannot read {}: {error}", folder.display());
            let next = format!("correct trigger.fixtures in {}", project.path.display());
            Failure::new(Status::Usage, message).then(next)
        })?;
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".json")?.to_owned())
        });
        let (samples, scenarios) = names.partition(|name| catalogue::find(name).is_some());
        Ok(Self { folder, samples, scenarios })
    }

    /// Of the scenarios.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.scenarios.iter().map(String::as_str)
    }

    /// All that can be read; of the others, it is said why not.
    pub(super) fn scenarios(&self, printer: Printer) -> Vec<Scenario> {
        let readable = |name: &String| match self.scenario(name) {
            Ok(scenario) => scenario,
            Err(failure) => {
                printer.talk(&format!("! {failure}"));
                None
            }
        };
        self.scenarios.iter().filter_map(readable).collect()
    }

    /// The scenario of this name. It is called as its file is, whatever it says.
    pub(super) fn scenario(&self, name: &str) -> Result<Option<Scenario>, Failure> {
        if !self.scenarios.contains(name) {
            return Ok(None);
        }
        let (path, text) = self.read(name)?;
        let scenario = Scenario::parse(&path.display().to_string(), &text)?;
        Ok(Some(Scenario { name: name.to_owned(), ..scenario }))
    }

    /// Puts samples where the scenario has the catalogue's examples.
    pub(super) fn fill(&self, scenario: &mut Scenario) -> Result<(), Failure> {
        for step in &mut scenario.steps {
            if let Step::Event(step) = step
                && let (Base::Example, Some(name)) = (&step.base, &step.name)
                && self.samples.contains(name)
            {
                let (path, text) = self.read(name)?;
                step.base = Base::Data { json: object(&path, &text)?, investor_id: None };
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<(PathBuf, String), Failure> {
        let path = self.folder.join(format!("{name}.json"));
        let text = String::from_utf8(signed::read(&format!("@{}", path.display()))?)
            .map_err(|_| unusable(&path, "this is not text"))?;
        Ok((path, text))
    }
}

/// The JSON of an event's data, on one line as the catalogue's.
fn object(path: &Path, text: &str) -> Result<String, Failure> {
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| unusable(path, &format!("this is not JSON: {error}")))?;
    match raw.get().starts_with('{') {
        true => Ok(spaced(raw.get(), Spacing::Compact)),
        false => Err(unusable(path, "this is no object").then("write the event's data, {…}")),
    }
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::new(Status::Usage, format!("{}: {why}", path.display()))
}
