//! What is fuzzed: one function a target, which ends in a panic if anything is wrong.
//!
//! Inputs are text wherever that is possible, so that the corpus can be read.

use std::sync::LazyLock;

use bluum_hooks_receiver::header::{
    MAX_ASYMMETRIC, MAX_ID_BYTES, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP,
};
use bluum_hooks_receiver::{Data, Decimal, Event, Key, Secret, SigningKey, Timestamp, Verifier};
use bluum_hooks_shared::asymmetric::{self, PrivateKey};
use serde_json::value::RawValue;

/// The time at which requests arrive.
const NOW: i64 = 1_781_533_815;
const TOLERANCE: u64 = 300;
/// The id of an event whose envelope has none.
const FALLBACK: &str = "evt_0";

struct Keys {
    secret: SigningKey,
    pair: PrivateKey,
    verifier: Verifier,
}

/// A secret and a key pair of seven times seven.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let Ok(secret) = Secret::from_bytes(&[7; 32]) else { panic!("32 bytes are a secret") };
    let pair = PrivateKey::from_seed(&[7; 32]);
    let keys = [Key::from(secret.clone()), pair.public_key().into()];
    Keys { secret: SigningKey::new(&secret), pair, verifier: Verifier::new(keys) }
});

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

/// A request as it looks on the wire: lines of `name: value`, an empty line, the body.
///
/// Whatever is accepted has each header once, keeps the rules, and lists what our own keys sign
/// of it.
pub fn headers(input: &[u8]) {
    let mut headers: Vec<(&str, &[u8])> = Vec::new();
    let mut rest = input;
    let body = loop {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        if line.is_empty() {
            break rest;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b": ").unwrap_or(value);
        headers.extend(str::from_utf8(name).ok().map(|name| (name, value)));
    };
    let Ok(verified) = KEYS.verifier.verify(&headers, body, now()) else { return };
    let only = |name: &str| {
        let mut values = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| str::from_utf8(value));
        assert!(values.next().is_none(), "{name} is there twice");
        value.and_then(Result::ok).unwrap_or_default()
    };
    let [id, time, signatures] = [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE].map(only);
    assert!(is_in_order(id, time), "{id} {time}");
    assert_eq!((verified.id(), verified.body()), (id, body));
    let entries = entries(id, time, body);
    let listed = signatures.split(' ').any(|entry| entries.contains(&entry.to_owned()));
    // What is signed is the text of the time, zeros before it included, for which we cannot sign.
    let padded = time.starts_with('0') && KEYS.secret.mac(id, time, body).is_listed(signatures);
    assert!(listed || padded, "{signatures}");
}

/// Three lines (an id, a time, other signatures), and a body. It is signed as it stands; so it is
/// accepted if, and only if, it keeps the rules, and no other body is.
pub fn verify(input: &[u8]) {
    let Ok(text) = str::from_utf8(&input[..input.len().min(4096)]) else { return };
    let mut lines = text.splitn(4, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (id, time, others, body) = (line(), line(), line(), line().into_bytes());
    for entry in entries(&id, &time, &body) {
        let signatures = format!("{others} {entry} {others}");
        let headers =
            [(WEBHOOK_ID, &id), (WEBHOOK_TIMESTAMP, &time), (WEBHOOK_SIGNATURE, &signatures)];
        let printable = others.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let crowd = asymmetric::count(&signatures) > MAX_ASYMMETRIC;
        let good = is_in_order(&id, &time) && printable && !crowd;
        let verified = KEYS.verifier.verify(&headers, &body, now());
        assert_eq!(verified.is_ok(), good, "{headers:?}: {verified:?}");

        let mut changed = body.clone();
        match changed.len() {
            0 => changed.push(0),
            length => changed[input.len() * 31 % length] ^= 1,
        }
        assert!(KEYS.verifier.verify(&headers, &changed, now()).is_err(), "another body");
    }
}

/// The rules for ids and times, said once more and in other words.
fn is_in_order(id: &str, time: &str) -> bool {
    let visible = id.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'.');
    let id_fits = !id.is_empty() && id.len() <= MAX_ID_BYTES && visible;
    let digits = !time.is_empty() && time.chars().all(|digit| digit.is_ascii_digit());
    let near = |seconds: i64| seconds.abs_diff(NOW) <= TOLERANCE;
    id_fits && digits && time.parse().is_ok_and(near)
}

/// What our keys sign of it.
fn entries(id: &str, time: &str, body: &[u8]) -> Vec<String> {
    let content = asymmetric::content(id, time, body);
    let v1a = KEYS.pair.sign(&content);
    // Signing takes a number. Of a time that is none, or has zeros before it, we have no `v1`.
    match time.parse::<i64>() {
        Ok(seconds) if seconds.to_string() == time => {
            vec![KEYS.secret.sign(id, seconds, body), v1a]
        }
        _ => vec![v1a],
    }
}

/// A body. What can be read at all keeps its data to the byte, whether they are understood or not,
/// and what is understood says the same when it is written and read again.
pub fn envelope(input: &[u8]) {
    let event = match Event::parse_with_id(input, FALLBACK) {
        Ok(event) => event,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // An id of its own wins, and without it there is nothing to read but with another.
    let own = Event::parse(input).map(|own| own.id);
    assert_eq!(own.as_deref().unwrap_or(FALLBACK), event.id);
    let raw = event.raw_data();
    assert!(input.windows(raw.len()).any(|part| part == raw.as_bytes()), "{raw}");
    assert!(serde_json::from_str::<&RawValue>(raw).is_ok(), "{raw}");
    assert_eq!(Data::parse(&event.name, raw), event.data);
    let Some(once) = written(&event.data) else { return };
    let twice = written(&Data::parse(&event.name, &once));
    assert_eq!(twice.as_deref(), Some(&*once), "{raw}");
}

/// As JSON, if it is understood. Not always equal to what was read: times keep their milliseconds.
fn written(data: &Data) -> Option<String> {
    let json = match data {
        Data::Order(data) => serde_json::to_string(data),
        Data::Deposit(data) => serde_json::to_string(data),
        Data::Withdrawal(data) => serde_json::to_string(data),
        Data::KycDecision(data) => serde_json::to_string(data),
        Data::Account(data) => serde_json::to_string(data),
        Data::Document(data) => serde_json::to_string(data),
        Data::Wallet(data) => serde_json::to_string(data),
        Data::Webhook(data) => serde_json::to_string(data),
        Data::Delivery(data) => serde_json::to_string(data),
        _ => return None,
    };
    let Ok(json) = json else { panic!("it was read, and cannot be written: {data:?}") };
    Some(json)
}

/// A decimal, as text, as a JSON string and as a JSON number: read alike, printed as it was, and
/// never with an exponent.
pub fn money(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let read = text.parse::<Decimal>();
    let quoted: Result<Decimal, _> =
        serde_json::from_str(&serde_json::Value::from(text).to_string());
    assert_eq!(read.ok(), quoted.ok(), "{text}");
    let Ok(decimal) = read else { return };
    assert!(text.len() <= 40 && !text.contains(['e', 'E', '+', '_', ' ']), "{text}");
    assert_eq!(serde_json::from_str::<Decimal>(text).ok(), Some(decimal), "{text}");
    let printed = decimal.to_string();
    let unsigned = text.strip_prefix('-').filter(|_| decimal == Decimal::ZERO);
    assert_eq!(printed, unsigned.unwrap_or(text));
    // What is added is taken away again.
    if let Some(sum) = decimal.checked_add(decimal) {
        assert_eq!(sum.checked_sub(decimal), Some(decimal), "{text}");
    }
}
