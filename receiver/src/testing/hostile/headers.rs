//! Headers that are not there once, and ids that are none.

use super::Cases;
use crate::header::{MAX_ID_BYTES, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use crate::testing::Signed;

const REQUIRED: [&str; 3] = [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE];

pub(super) fn add(cases: &mut Cases<'_>) {
    for name in REQUIRED {
        let value = cases.value(name);
        let without = cases.good.clone().without(name);
        cases.refused(400, format!("{name} is missing"), without.clone());
        cases.refused(400, format!("{name} is empty"), cases.with(name, ""));
        cases.refused(400, format!("{name} is a blank"), cases.with(name, " "));
        cases.refused(400, format!("{name} is not ASCII"), cases.with(name, "é"));
        cases.refused(400, format!("{name} is not text"), cases.with(name, *b"\xff\xfe"));
        let broken = format!("{value}\r\nwebhook-id: evt_1");
        cases.refused(400, format!("{name} holds a line break"), cases.with(name, broken));
        let nul = format!("{value}\0");
        cases.refused(400, format!("{name} ends in a zero byte"), cases.with(name, nul));
        let twice = cases.good.clone().and(name, value.clone());
        cases.refused(400, format!("{name} is there twice, the same"), twice);
        let later = cases.good.clone().and(name, "1");
        cases.refused(400, format!("{name} is there twice, the second another"), later);
        let earlier = cases.with(name, "1").and(name, value.clone());
        cases.refused(400, format!("{name} is there twice, the first another"), earlier);
        let shouted = cases.good.clone().and(&name.to_uppercase(), value);
        cases.refused(400, format!("{name} is there twice, once in capitals"), shouted);
    }
    let none = REQUIRED.iter().fold(cases.good.clone(), |request, name| request.without(name));
    cases.refused(400, "no header is there", none);
    let capitals = renamed(&cases.good, str::to_uppercase);
    cases.accepted("the headers are in capitals", capitals);
    let branded = |name: &str| name.replace("webhook-", "svix-");
    let other_set = renamed(&cases.good, branded);
    cases.refused(400, "the headers are another library's", other_set);
    let both =
        REQUIRED.iter().fold(cases.good.clone(), |request, name| request.and(&branded(name), "1"));
    cases.accepted("another library's headers are there too, with other values", both);
    let unsigned = cases.with("webhook-sequence", "0").with("webhook-attempt", "-1");
    cases.accepted("what is not signed is another", unsigned);
}

/// With other names for its headers.
fn renamed(request: &Signed, rename: impl Fn(&str) -> String) -> Signed {
    let mut request = request.clone();
    request.headers.iter_mut().for_each(|(name, _)| *name = rename(name));
    request
}

pub(super) fn add_ids(cases: &mut Cases<'_>) {
    let (id, body) = (cases.value(WEBHOOK_ID), cases.event.body());
    for (name, other) in [
        ("another", "evt_01kv5v1cd09n7q5s3v1x0z2b4d".to_owned()),
        ("a longer one", format!("{id}0")),
        ("a shorter one", id.chars().take(id.len() - 1).collect()),
        ("in capitals", id.to_uppercase()),
    ] {
        cases.refused(
            401,
            format!("the id is {name} than was signed"),
            cases.with(WEBHOOK_ID, other),
        );
    }
    // Signed as they stand, so that it is the id alone which is wrong.
    for (name, other) in [
        ("with a dot", "evt.1".to_owned()),
        ("a dot", ".".to_owned()),
        ("with a blank", "evt 1".to_owned()),
        ("with a tab", "evt\t1".to_owned()),
        ("two, joined", format!("{id}, {id}")),
        ("not ASCII", "évt_1".to_owned()),
        ("with a DEL", "evt_1\u{7f}".to_owned()),
        ("one byte too long", "x".repeat(MAX_ID_BYTES + 1)),
        ("far too long", "x".repeat(64 << 10)),
    ] {
        let signed = cases.sender.sign_bytes(&other, body.clone());
        cases.refused(400, format!("the id is {name}, and signed"), signed);
    }
    let longest = cases.sender.sign_bytes(&"x".repeat(MAX_ID_BYTES), body.clone());
    cases.accepted("the id is as long as it may be", longest);

    // One signed text, `id.time.body`, cut in two ways.
    let time = cases.value(WEBHOOK_TIMESTAMP);
    let inner = cases.sender.sign_bytes("evt_1", format!("{time}.{body}"));
    let recut = inner.with(WEBHOOK_ID, format!("evt_1.{time}")).with_body(body.clone());
    cases.refused(400, "the id has swallowed the time, and the time the body's beginning", recut);
    let swallowed = cases.with(WEBHOOK_ID, format!("{id}.{time}"));
    cases.refused(400, "the id has swallowed the time", swallowed);
    let (head, tail) = id.split_at(id.len() / 2);
    let moved = cases.with(WEBHOOK_ID, head).with(WEBHOOK_TIMESTAMP, format!("{tail}.{time}"));
    cases.refused(400, "the time has swallowed half of the id", moved);
}
