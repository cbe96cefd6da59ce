//! Signatures that are nearly good, and good ones among others.

use std::time::Duration;

use super::Cases;
use super::times::signed_at;
use crate::Secret;
use crate::header::{MAX_ASYMMETRIC, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use crate::testing::{Signed, TestSender};

/// Makes something else of an entry, given its version and its base64.
type Change = fn(&str, &str) -> String;

/// Another text of each entry. Each is of a version that is known, and fits no key.
const NEARLY: [(&str, Change); 17] = [
    ("is cut after eight characters", |v, b| format!("{v},{}", &b[..8])),
    ("is cut in half", |v, b| format!("{v},{}", &b[..b.len() / 2])),
    ("is nothing but its version", |v, _| format!("{v},")),
    ("has another first character", |v, b| format!("{v},{}{}", turned(b), &b[1..])),
    ("is backwards", |v, b| format!("{v},{}", b.chars().rev().collect::<String>())),
    ("is in capitals", |v, b| format!("{v},{}", b.to_uppercase())),
    ("is in small letters", |v, b| format!("{v},{}", b.to_lowercase())),
    ("has no padding", |v, b| format!("{v},{}", b.trim_end_matches('='))),
    ("has too much padding", |v, b| format!("{v},{b}=")),
    ("has an unused bit set", |v, b| format!("{v},{}", with_a_stray_bit(b))),
    ("has four characters more", |v, b| format!("{v},{b}AAAA")),
    ("has four characters more, before its padding", |v, b| {
        let bare = b.trim_end_matches('=');
        format!("{v},{bare}AAAA{}", &b[bare.len()..])
    }),
    ("has a comma more", |v, b| format!("{v},,{b}")),
    ("has a comma behind it", |v, b| format!("{v},{b},")),
    ("is in quotes", |v, b| format!("{v},\"{b}\"")),
    ("has a blank behind its comma", |v, b| format!("{v}, {b}")),
    ("is zeros", |v, b| format!("{v},{}", "A".repeat(b.len()))),
];

/// The same, of no version at all.
const UNKNOWN: [(&str, Change); 8] = [
    ("is of a version to come", |_, b| format!("v2,{b}")),
    ("is of version 0", |_, b| format!("v0,{b}")),
    ("has its version in capitals", |v, b| format!("{},{b}", v.to_uppercase())),
    ("has no version", |_, b| b.to_owned()),
    ("has an empty version", |_, b| format!(",{b}")),
    ("has no comma", |v, b| format!("{v}{b}")),
    ("has '=' for a comma", |v, b| format!("{v}={b}")),
    ("has a blank before its comma", |v, b| format!("{v} ,{b}")),
];

/// Another letter than the first.
fn turned(base64: &str) -> char {
    if base64.starts_with('A') { 'B' } else { 'A' }
}

/// The last character before the padding stands for bits of which some are not used: the same
/// bytes in other base64.
fn with_a_stray_bit(base64: &str) -> String {
    let bare = base64.trim_end_matches('=');
    let (rest, last) = bare.split_at(bare.len() - 1);
    // Its unused bits are zero, so the next letter, digit or sign of the alphabet has one set.
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let next = ALPHABET.find(last).and_then(|place| ALPHABET.get(place + 1..place + 2));
    format!("{rest}{}{}", next.unwrap_or("A"), &base64[bare.len()..])
}

/// The good signatures, each changed.
fn changed(cases: &Cases<'_>, change: Change) -> Signed {
    let good = cases.value(WEBHOOK_SIGNATURE);
    let entries = good.split(' ').filter_map(|entry| entry.split_once(','));
    let entries: Vec<_> = entries.map(|(version, base64)| change(version, base64)).collect();
    cases.with(WEBHOOK_SIGNATURE, entries.join(" "))
}

pub(super) fn add(cases: &mut Cases<'_>) {
    for (name, change) in NEARLY {
        cases.refused(401, format!("the signature {name}"), changed(cases, change));
    }
    for (name, change) in UNKNOWN {
        cases.refused(400, format!("the signature {name}"), changed(cases, change));
    }
    for (name, character) in [("line break", '\n'), ("tab", '\t'), ("zero byte", '\0')] {
        let ended = format!("{}{character}", cases.value(WEBHOOK_SIGNATURE));
        let request = cases.with(WEBHOOK_SIGNATURE, ended);
        cases.refused(400, format!("the signature ends in a {name}"), request);
    }
    let swapped = changed(cases, |version, base64| match version {
        "v1" => format!("v1a,{base64}"),
        _ => format!("v1,{base64}"),
    });
    // Where there are keys of both kinds, the wrong one is looked at and does not fit.
    let both = !cases.sender.secrets().is_empty() && !cases.sender.pairs().is_empty();
    cases.refused(if both { 401 } else { 400 }, "the signature is of the other version", swapped);

    let now = cases.sender.clock().now();
    let earlier = signed_at(cases, now.minus(Duration::from_secs(60)));
    let earlier = cases.with(WEBHOOK_SIGNATURE, earlier.header(WEBHOOK_SIGNATURE).unwrap_or("v1,"));
    cases.refused(401, "the signature is of another attempt", earlier);
    let other = cases.sender.sign(&cases.event.clone().numbered(999));
    let other = cases.with(WEBHOOK_SIGNATURE, other.header(WEBHOOK_SIGNATURE).unwrap_or("v1,"));
    cases.refused(401, "the signature is of another event", other);
    add_forged(cases);
}

/// Made by somebody who has not the key, but an idea.
fn add_forged(cases: &mut Cases<'_>) {
    let public = cases.sender.pairs().first().map(|pair| pair.public_key().to_string());
    let text = cases.sender.secrets().first().map(Secret::to_whsec);
    let forgers = [
        ("another secret", Secret::from_bytes(&[0x5a; 32]).ok()),
        // HMAC fills a short key up with zeros.
        ("the empty secret", Secret::from_short_bytes(&[0]).ok()),
        ("32 zeros", Secret::from_bytes(&[0; 32]).ok()),
        ("the secret's text", text.and_then(|text| Secret::from_bytes(text.as_bytes()).ok())),
        (
            "the public key as a secret",
            public.and_then(|key| Secret::parse(&key.replace("whpk_", "whsec_")).ok()),
        ),
    ];
    for (name, secret) in forgers {
        let Some(secret) = secret else { continue };
        let forger = TestSender::signing_with([secret], []);
        let forged = forger.with_clock(cases.sender.clock().clone()).sign(cases.event);
        // Under both names, since whoever forges will try both.
        let entry = forged.header(WEBHOOK_SIGNATURE).unwrap_or_default();
        let entries = format!("{entry} {}", entry.replacen("v1,", "v1a,", 1));
        let request = cases.with(WEBHOOK_SIGNATURE, entries);
        cases.refused(401, format!("the signature is made with {name}"), request);
    }
}

pub(super) fn add_neighbours(cases: &mut Cases<'_>) {
    let good = cases.value(WEBHOOK_SIGNATURE);
    let with = |cases: &Cases<'_>, value: String| cases.with(WEBHOOK_SIGNATURE, value);
    for junk in ["v1", "v1,", "v1,%%%", "v1,AAAA", "v2,abc", ",", "junk", "=", "v1a,A", ""] {
        let before = with(cases, format!("{junk} {good}"));
        cases.accepted(format!("'{junk}' stands before the signature"), before);
        let behind = with(cases, format!("{good} {junk}"));
        cases.accepted(format!("'{junk}' stands behind the signature"), behind);
    }
    // A good signature's length, so that it is looked at.
    let junk = format!("v1,{}= ", "A".repeat(43)).repeat(1_000);
    let before = with(cases, format!("{junk}{good}"));
    cases.accepted("a thousand signatures stand before the good one", before);
    let behind = with(cases, format!("{good} {junk}"));
    cases.accepted("a thousand signatures stand behind the good one", behind);
    let both_known = format!("{junk}v1a,A");
    cases.refused(
        401,
        "there are a thousand signatures, none of them good",
        with(cases, both_known),
    );
    let long = format!("v1,{} v1a,A", "A".repeat(64 << 10));
    cases.refused(401, "the signature is 64 KiB long", with(cases, long));

    // Checking one of these costs as much as a thousand of the others.
    let crowd = with(cases, format!("{}{good}", "v1a,A ".repeat(MAX_ASYMMETRIC)));
    let name = "there are more asymmetric signatures than anybody sends";
    match cases.sender.pairs().is_empty() {
        true => cases.accepted(name, crowd),
        false => cases.refused(400, name, crowd),
    }
    let few = with(cases, format!("v1a,A v1a,{}== {good}", "A".repeat(86)));
    cases.accepted("two asymmetric signatures that fit nothing stand before it", few);
    let (id, time) = (cases.value(WEBHOOK_ID), cases.value(WEBHOOK_TIMESTAMP));
    let newer = cases.sender.signatures(&id, time.parse().unwrap_or_default(), b"");
    let rotated = with(cases, format!("{newer} {good}"));
    cases.accepted("a signature of another body stands before it", rotated);
}
