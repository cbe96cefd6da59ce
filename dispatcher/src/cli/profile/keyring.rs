//! The keyring of the desktop, through the program that comes with it: `secret-tool` of libsecret,
//! `security` of macOS. A secret goes in by standard input, never by an argument.
//!
//! Windows has no program that reads a credential back; there the file of the profile is used,
//! and so it is where nobody is logged in at a desktop.

use std::io::{self, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cli::failure::{Failure, Status};

/// What secrets are filed under, beside the id of their key.
const SERVICE: &str = "bluum-hooks";
/// A keyring may ask its user for a password.
const PATIENCE: Duration = Duration::from_mins(2);

/// What can be done with a keyring.
#[derive(Clone, Copy)]
enum Verb {
    Keep,
    Find,
    Forget,
}

/// Keeps a secret under its key's id; false if there is no keyring here.
pub(in crate::cli) fn keep(key: &str, secret: &str) -> bool {
    // One of these programs has a little language of its own.
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+/=.".contains(letter);
    let is_plain = key.chars().chain(secret.chars()).all(plain);
    let kept = is_plain && ask(Verb::Keep, key, secret).is_ok_and(|done| done.status.success());
    // Some take a secret and forget it: what counts is that it can be found.
    kept && find(key).is_ok_and(|found| found.as_deref() == Some(secret))
}

/// The secret of a key, if it is there.
pub(in crate::cli) fn find(key: &str) -> Result<Option<String>, Failure> {
    match ask(Verb::Find, key, "") {
        Ok(found) if found.status.success() => {
            let text = String::from_utf8_lossy(&found.stdout);
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()).filter(|text| !text.is_empty()))
        }
        Ok(_) => Ok(None),
        Err(error) => {
            let message = format!("the keyring cannot be asked: {error}");
            let next = "set BLUUM_API_KEY and BLUUM_API_SECRET, or log in again with --file";
            Err(Failure::new(Status::Credentials, message).then(next))
        }
    }
}

/// Forgets the secret of a key; whether there was one.
pub(in crate::cli) fn forget(key: &str) -> bool {
    ask(Verb::Forget, key, "").is_ok_and(|done| done.status.success())
}

/// The program, its arguments, and what it reads.
fn call(verb: Verb, key: &str, secret: &str) -> io::Result<(Command, String)> {
    let macos = |words: &str| format!("{words} -s {SERVICE} -a {key}");
    let attributes = ["service", SERVICE, "key", key];
    let mut command;
    let input = if cfg!(target_os = "macos") {
        command = Command::new("/usr/bin/security");
        match verb {
            // Read from standard input by its own little shell.
            Verb::Keep => {
                command.arg("-i");
                format!("{} -w {secret}\n", macos("add-generic-password -U"))
            }
            Verb::Find => {
                command.args(macos("find-generic-password -w").split(' '));
                String::new()
            }
            Verb::Forget => {
                command.args(macos("delete-generic-password").split(' '));
                String::new()
            }
        }
    } else if cfg!(unix) {
        command = Command::new("secret-tool");
        match verb {
            Verb::Keep => {
                let label = format!("--label=Bluum Hooks, key {key}");
                command.args(["store", &label]).args(attributes);
                secret.to_owned()
            }
            Verb::Find => {
                command.arg("lookup").args(attributes);
                String::new()
            }
            Verb::Forget => {
                command.arg("clear").args(attributes);
                String::new()
            }
        }
    } else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is none on this system"));
    };
    Ok((command, input))
}

fn ask(verb: Verb, key: &str, secret: &str) -> io::Result<Output> {
    let (mut command, input) = call(verb, key, secret)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read says by its status what it thinks of that.
        let _ = stdin.write_all(input.as_bytes());
    }
    ended(child)
}

/// The end of a program that may wait for its user, and may wait for nobody.
fn ended(child: Child) -> io::Result<Output> {
    let (told, tell) = mpsc::channel();
    thread::spawn(move || told.send(child.wait_with_output()));
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "it says nothing");
    tell.recv_timeout(PATIENCE).map_err(silent)?
}
