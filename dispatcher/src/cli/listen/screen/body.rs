//! Bodies: as they came, for reading, and for a shell.

use serde::de::IgnoredAny;

use super::super::record::{Delivery, Message};
use crate::cli::spacing::pretty;

/// So much of a body is kept for the views.
pub(super) const MOST_KEPT: usize = 64 * 1024;

/// As text for reading: JSON has a line for each field.
pub(super) fn readable(message: &Message) -> String {
    let text = message.text();
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => pretty(&text),
        Err(_) => text.into_owned(),
    }
}

pub(super) fn is_long(message: &Message) -> bool {
    [&message.body, &message.body_b64].iter().any(|body| length(body) > MOST_KEPT)
}

fn length(body: &Option<String>) -> usize {
    body.as_ref().map_or(0, String::len)
}

/// The message with as much of its body as is kept.
pub(super) fn kept(message: &Message) -> Message {
    let cut = |body: &Option<String>| {
        // Whole groups of four, so that what is left of base64 is base64.
        body.as_ref().map(|body| body[..body.floor_char_boundary(MOST_KEPT)].to_owned())
    };
    Message {
        headers: message.headers.clone(),
        body: cut(&message.body),
        body_b64: cut(&message.body_b64),
        truncated: message.truncated || is_long(message),
    }
}

/// The request as a command. Nothing if it went nowhere, or cannot be written on a command line.
pub(super) fn curl(delivery: &Delivery) -> Option<String> {
    let target = delivery.target.as_ref()?;
    let body = delivery.request.body.as_ref().filter(|body| !body.contains('\0'))?;
    let mut words = vec!["curl".to_owned(), quoted(target)];
    for (name, value) in &delivery.request.headers {
        words.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
    }
    // `--data-raw` reads no file, even where the body begins with '@'.
    words.push(format!("--data-raw {}", quoted(body)));
    Some(words.join(" \\\n  "))
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
