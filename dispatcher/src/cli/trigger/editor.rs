//! JSON in the editor of whoever types.

use std::io::Write;
use std::process::Command;
use std::{env, fs};

use serde_json::value::RawValue;

use crate::cli::failure::{Failure, Status};
use crate::cli::spacing::{Spacing, pretty, spaced};

/// What is left of the JSON when the editor has ended.
pub(super) fn edited(json: &str) -> Result<String, Failure> {
    let set = |name: &&str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = ["VISUAL", "EDITOR"].iter().find_map(set).ok_or_else(|| {
        unusable("neither VISUAL nor EDITOR is set").then("set one to the editor's command")
    })?;
    let unexpected = |error: std::io::Error| Failure::unexpected(&error);
    let file =
        tempfile::Builder::new().suffix(".json").tempfile().map_err(unexpected)?.into_temp_path();
    fs::File::create(&file)
        .and_then(|mut file| writeln!(file, "{}", pretty(json)))
        .map_err(unexpected)?;
    let mut words = editor.split_whitespace();
    let ended = Command::new(words.next().unwrap_or_default()).args(words).arg(&file).status();
    match ended {
        Err(error) => Err(unusable(&format!("the editor '{editor}' cannot be run: {error}"))
            .then("set VISUAL or EDITOR to another")),
        Ok(status) if !status.success() => {
            Err(unusable(&format!("the editor '{editor}' failed: {status}"))
                .then("nothing was sent"))
        }
        Ok(_) => {
            let text = fs::read_to_string(&file).map_err(unexpected)?;
            let json: &RawValue = serde_json::from_str(&text).map_err(|error| {
                unusable(&format!("what was edited is not JSON: {error}")).then("nothing was sent")
            })?;
            Ok(spaced(json.get(), Spacing::Compact))
        }
    }
}

fn unusable(message: &str) -> Failure {
    Failure::new(Status::Usage, message)
}
