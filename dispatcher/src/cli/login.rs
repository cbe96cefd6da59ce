//! `login` and `logout`: a key pair in a profile, so that no shell has to know it.

use std::io::{self, IsTerminal, Write};

use bluum_hooks_shared::api::ApiKey;
use serde_json::json;

use super::args::{Global, LoginArgs};
use super::failure::{Failure, Status};
use super::init::KeyPair;
use super::print::{Printer, or_dash};
use super::profile::{Sources, keyring};
use super::{keys, query};
use crate::client::Client;

pub(super) async fn run(args: LoginArgs, global: &Global, printer: Printer) -> Result<(), Failure> {
    let sources = global.sources_for_login()?;
    let LoginArgs { key, with_secret, file } = args;
    let asks = io::stdin().is_terminal() && !with_secret;
    if asks && global.no_input {
        let next = "pipe the pair into `bluum-hooks login`, key and secret on a line each, or \
                    set BLUUM_API_KEY and BLUUM_API_SECRET";
        return Err(Failure::new(Status::Usage, "login may not ask").then(next));
    }
    let key = key.map_or_else(|| line("API key (apk_…): ", asks, "the key"), Ok)?;
    let secret = match asks {
        true => rpassword::prompt_password("API secret (not shown): ").map_err(|error| {
            let message = format!("the secret cannot be asked for: {error}");
            Failure::new(Status::Usage, message).then("pipe it in, with --with-secret")
        })?,
        false => line("", false, "the secret")?,
    };
    let (key, secret, base) = (key.trim(), secret.trim(), sources.base());
    let client = connect(&base.value, key, secret)?;
    let answer = client.get(&query::item("/v1/keys", key)).await.map_err(|error| {
        let failure = Failure::from(error);
        match failure.status {
            Status::Credentials | Status::NotFound => {
                let message = format!("{} does not know this pair", base.value);
                Failure::new(Status::Credentials, message)
                    .then("nothing was kept; copy key and secret again, and check --base-url")
            }
            _ => failure,
        }
    })?;
    let known: ApiKey = client.read(&answer)?;

    let (profile, place) = (&sources.profile.value, &sources.place);
    let kept_in = keep(&sources, &base.value, (key, secret), file)?;
    if !file && kept_in == place.to_string() {
        printer.talk(&format!("no keyring here: the secret is in {place}, for its owner alone"));
    }
    let text = format!(
        "logged in as {key} ({}, {}, tenant {}) at {}; profile '{profile}', secret in {kept_in}",
        known.role.as_str(),
        keys::mode(&known),
        or_dash(known.tenant),
        base.value
    );
    let told = json!({"profile": profile, "base_url": base.value, "secret_in": kept_in,
        "key": known});
    printer.line(&text, &told);
    warn_if_shadowed(&sources.shadowed_by(), printer);
    Ok(())
}

/// Keeps a pair in the profile; says where its secret is.
fn keep(
    sources: &Sources,
    base: &str,
    (key, secret): (&str, &str),
    file: bool,
) -> Result<String, Failure> {
    let place = &sources.place;
    let in_keyring = !file && keyring::keep(key, secret);
    let kept = (!in_keyring).then_some(secret);
    let pair = [("base_url", Some(base)), ("api_key", Some(key)), ("api_secret", kept)];
    place.write(&sources.profile.value, &pair)?;
    if let Some(before) = sources.stored_key().filter(|before| *before != key) {
        keyring::forget(before);
    }
    Ok(if in_keyring { "the keyring".to_owned() } else { place.to_string() })
}

/// Keeps the pair that a new database's tenant begins with, in a profile that holds none yet; says
/// so.
pub(super) fn first(
    sources: &Sources,
    base: &str,
    tenant: &KeyPair,
    printer: Printer,
) -> Result<(), Failure> {
    is_free(sources)?;
    let KeyPair { api_key, api_secret } = tenant;
    let kept_in = keep(sources, base, (&api_key.to_string(), api_secret), false)?;
    let profile = &sources.profile.value;
    printer.talk(&format!("✓ logged in as {api_key}, the tenant's key for the sandbox"));
    printer.talk(&format!("  profile '{profile}', secret in {kept_in}"));
    warn_if_shadowed(&sources.shadowed_by(), printer);
    Ok(())
}

/// The same daemon again, maybe on another port: the pair that is there is its own.
pub(super) fn again(sources: &Sources, base: &str, printer: Printer) -> Result<(), Failure> {
    let profile = &sources.profile.value;
    sources.place.write(profile, &[("base_url", Some(base))])?;
    printer.talk(&format!("✓ logged in by profile '{profile}'"));
    warn_if_shadowed(&sources.shadowed_by(), printer);
    Ok(())
}

/// Nobody's pair is replaced by one that was made beside it.
pub(super) fn is_free(sources: &Sources) -> Result<(), Failure> {
    let (profile, stored) = (&sources.profile.value, sources.stored_key());
    stored.map_or(Ok(()), |key| {
        let message = format!("profile '{profile}' in {} holds {key} already", sources.place);
        Err(Failure::new(Status::Usage, message)
            .then("take another with -p NAME, or forget that key with `bluum-hooks logout`"))
    })
}

/// Forgets the pair of a profile; the rest of it stays.
pub(super) fn out(global: &Global, printer: Printer) -> Result<(), Failure> {
    let sources = global.sources_for_login()?;
    let profile = &sources.profile.value;
    let key = sources.stored_key();
    if let Some(key) = key {
        keyring::forget(key);
        sources.place.write(profile, &[("api_key", None), ("api_secret", None)])?;
    }
    let text = match key {
        Some(key) => format!("profile '{profile}' no longer holds {key}, which stays valid"),
        None => format!("profile '{profile}' holds no key"),
    };
    printer.line(&text, &json!({"profile": profile, "forgotten": key}));
    warn_if_shadowed(&sources.shadowed_by(), printer);
    Ok(())
}

fn warn_if_shadowed(variables: &[&str], printer: Printer) {
    if !variables.is_empty() {
        printer.talk(&format!("{} is set, and is asked first", variables.join(" and ")));
    }
}

/// A client with a pair that was typed or read.
pub(super) fn connect(base: &str, key: &str, secret: &str) -> Result<Client, Failure> {
    Client::new(base, key, secret).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::new(Status::Usage, error.to_string()),
        _ => Failure::unexpected(&error),
    })
}

/// A line that says something, from standard input.
fn line(prompt: &str, asks: bool, what: &str) -> Result<String, Failure> {
    if asks {
        // The prompt is talk; where nobody can read it, the answer is waited for all the same.
        let _ = write!(io::stderr(), "{prompt}").and_then(|()| io::stderr().flush());
    }
    let mut text = String::new();
    let read = io::stdin().read_line(&mut text);
    match read {
        Ok(_) if !text.trim().is_empty() => Ok(text),
        _ => {
            let message = format!("{what} is missing on standard input");
            let next = "pipe key and secret in, on a line each, or run `bluum-hooks login` at a \
                        terminal";
            Err(Failure::new(Status::Usage, message).then(next))
        }
    }
}
