//! Bodies that are nearly what was signed, and such as are too large.

use super::Cases;
use crate::header::MAX_DELIVERY_BYTES;

pub(super) fn add(cases: &mut Cases<'_>) {
    let body = cases.event.body();
    let shorter = &body[..body.len() - 1];
    for (name, other) in [
        ("is empty", String::new()),
        ("is an empty object", "{}".to_owned()),
        ("is null", "null".to_owned()),
        ("is cut by a byte", shorter.to_owned()),
        ("has a byte more", format!("{body}}}")),
        ("has a line break more", format!("{body}\n")),
        ("has a blank before it", format!(" {body}")),
        ("has a byte order mark before it", format!("\u{feff}{body}")),
        ("has a zero byte behind it", format!("{body}\0")),
        ("is there twice", body.repeat(2)),
        ("says the other mode", body.replacen("\"livemode\":false", "\"livemode\":true ", 1)),
        ("is in capitals", body.to_uppercase()),
        ("has blanks behind its colons", body.replace("\":", "\": ")),
        ("was parsed and written again", rewritten(&body)),
        ("has escapes for its slashes", body.replace('"', "\\u0022")),
    ] {
        // The other mode: where it is already, nothing was replaced.
        let other = if other == body { format!("{body} ") } else { other };
        let request = cases.good.clone().with_body(other);
        cases.refused(401, format!("the body {name}"), request);
    }
    for (name, place) in [("first", 0), ("middle", body.len() / 2), ("last", body.len() - 1)] {
        let mut flipped = body.clone().into_bytes();
        flipped[place] ^= 1;
        let request = cases.good.clone().with_body(flipped);
        cases.refused(401, format!("one bit of the body's {name} byte is another"), request);
    }
    add_sizes(cases, &body);
}

/// Blanks behind JSON are JSON.
fn add_sizes(cases: &mut Cases<'_>, body: &str) {
    let padded = |bytes: usize| body.to_owned() + &" ".repeat(bytes - body.len().min(bytes));
    let id = cases.event.event_id().to_string();
    let largest = cases.sender.sign_bytes(&id, padded(MAX_DELIVERY_BYTES));
    cases.accepted("the body is as large as it may be", largest);
    let larger = cases.sender.sign_bytes(&id, padded(MAX_DELIVERY_BYTES + 1));
    cases.refused(413, "the body is a byte too large, and signed", larger);
    for (name, bytes) in [("a byte", MAX_DELIVERY_BYTES + 1), ("far", 3 << 20)] {
        let request = cases.good.clone().with_body(padded(bytes));
        cases.refused(413, format!("the body is {name} too large"), request);
    }
}

/// What many frameworks make of a body before a handler sees it: the same JSON, in other bytes.
fn rewritten(body: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => value.to_string(),
        Err(_) => format!("{body} "),
    }
}
