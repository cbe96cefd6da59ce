//! One case for each thing that goes wrong, with what is said of it.

use bluum_hooks_shared::signature::SigningKey;

use super::*;

const NOW: i64 = 1_781_533_815;
const ID: &str = "evt_01kv5v1cak0000000000000007";
const WHSEC: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const BODY: &str = r#"{"event":"order.filled","data":{"url":"a/b","name":"Zoë"}}"#;

/// Signed with these bytes at this time.
fn signed_by(secret: &[u8], timestamp: i64, body: &[u8]) -> Received {
    let key = SigningKey::new(&Secret::from_short_bytes(secret).unwrap());
    let headers = [
        (WEBHOOK_ID, ID.to_owned()),
        (WEBHOOK_TIMESTAMP, timestamp.to_string()),
        (WEBHOOK_SIGNATURE, key.sign(ID, timestamp, body)),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Received { headers, body: body.to_vec() }
}

fn signed() -> Received {
    signed_by(&[b'A'; 32], NOW - 14, BODY.as_bytes())
}

fn found_with(keys: &[&str], received: &Received) -> Finding {
    let key = |text: &&str| NamedKey { from: "env:SECRET".into(), text: (*text).to_owned() };
    let keys: Vec<_> = keys.iter().map(key).collect();
    let now = Timestamp::from_unix_seconds(NOW);
    let tolerance = Duration::from_mins(5);
    diagnose(&Case { keys: &keys, received, tolerance, now })
}

#[track_caller]
fn says(received: &Received, reason: &str, message: &str) {
    let found = found_with(&[WHSEC], received);
    assert_eq!((found.reason, found.message.as_str()), (reason, message));
    assert_eq!(found.valid, reason == "valid");
}

/// Received as this, where `BODY` was signed.
fn body(received: &str) -> Received {
    Received { body: received.as_bytes().to_vec(), ..signed() }
}

#[test]
fn valid() {
    let fingerprint = WHSEC.parse::<Secret>().unwrap().fingerprint();
    says(&signed(), "valid", &format!("valid (key {fingerprint}, signed 14 s ago)"));
    let two = found_with(&["whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", WHSEC], &signed());
    assert!(two.valid);
}

#[test]
fn too_old_and_too_new() {
    let at = |timestamp| signed_by(&[b'A'; 32], timestamp, BODY.as_bytes());
    let old = "the signature is right but 9 min old (tolerance 5 min)";
    says(&at(NOW - 540), "too_old", old);
    let new = "the signature is right but 2 h ahead of this clock (tolerance 5 min)";
    says(&at(NOW + 7_200), "too_new", new);
}

#[test]
fn changed_by_an_editor_or_a_transfer() {
    says(&body(&format!("{BODY}\n")), "body", "matches without the final newline");
    says(&body(&format!("{BODY}\r\n")), "body", "matches without the final newline");
    says(&body(&format!("\u{feff}{BODY}")), "body", "matches without its byte-order mark");
    let lines = "{\n\"a\": 1\n}";
    let wire = signed_by(&[b'A'; 32], NOW, lines.as_bytes());
    let crlf = Received { body: lines.replace('\n', "\r\n").into_bytes(), ..wire };
    says(&crlf, "body", "matches with LF for each CRLF");
    let ended = signed_by(&[b'A'; 32], NOW, b"{}\n");
    let cut = Received { body: b"{}".to_vec(), ..ended };
    says(&cut, "body", "matches with a final newline");
}

#[test]
fn parsed_and_written_again() {
    let spaced = BODY.replace(',', ", ").replace(':', ": ");
    says(&body(&spaced), "json", "matches compact JSON");
    let ascii = BODY.replace('ë', "\\u00eb");
    says(&body(&ascii), "json", "matches the same JSON, \\u… written as letters");
    let slashes = BODY.replace('/', "\\/");
    says(&body(&slashes), "json", "matches the same JSON, '\\/' written '/'");
    let python = signed_by(&[b'A'; 32], NOW, br#"{"b": 1, "a": [2, 3]}"#);
    let compact = Received { body: br#"{"b":1,"a":[2,3]}"#.to_vec(), ..python };
    says(&compact, "json", "matches JSON with a space behind each ',' and ':'");
    let ordered = signed_by(&[b'A'; 32], NOW, br#"{"a":1,"b":2}"#);
    let unordered = Received { body: br#"{"b":2,"a":1}"#.to_vec(), ..ordered };
    says(&unordered, "json", "matches compact JSON with sorted keys");
}

#[test]
fn the_secret_is_read_otherwise() {
    let by = |secret: &[u8]| signed_by(secret, NOW, BODY.as_bytes());
    let says = |key: &str, received: &Received, how: &str| {
        let found = found_with(&[key], received);
        let expected = format!("matches when the secret of env:SECRET {how}");
        assert_eq!((found.reason, found.message.as_str()), ("secret", expected.as_str()));
    };
    says(WHSEC, &by(WHSEC.as_bytes()), "is used as text, not base64-decoded");
    says(WHSEC, &by(&WHSEC.as_bytes()[6..]), "is used as text without 'whsec_'");
    let spaced = format!("{WHSEC} ");
    says(&spaced, &by(spaced.as_bytes()), "is used as text, with the white space around it");
    // No base64 of ours, so a receiver refuses it before it verifies anything.
    says("my plain secret", &by(b"my plain secret"), "is used as text, not base64-decoded");
    let bytes = [0xfb; 32];
    let urls = format!("whsec_{}", URL_SAFE.encode(bytes));
    says(&urls, &by(&bytes), "is read as base64 for URLs");
    says(&"ab".repeat(16), &by(&[0xab; 16]), "is read as hexadecimal");
}

#[test]
fn written_in_another_way() {
    let signature = signed().header(WEBHOOK_SIGNATURE).unwrap().to_owned();
    let base64 = &signature[3..];
    let hexed = hex::encode(STANDARD.decode(base64).unwrap());
    let with = |value: &str| signed().with(WEBHOOK_SIGNATURE, value);
    let other = "matches, but is not written 'v1,<base64>'";
    for value in
        [&hexed, &format!("sha256={hexed}"), &format!("v1={hexed}"), &format!("v1,{hexed}")]
    {
        says(&with(value), "encoding", other);
    }
    says(&with(base64), "encoding", other);
    let loose = "matches, but is not in canonical base64, with its padding";
    says(&with(signature.trim_end_matches('=')), "encoding", loose);
}

#[test]
fn of_another_scheme() {
    let stripe = Received {
        headers: vec![("Stripe-Signature".into(), "t=1,v1=ab".into())],
        ..Received::default()
    };
    says(&stripe, "other_scheme", "'stripe-signature' is a signature of another scheme, Stripe's");
}

#[test]
fn headers_mixed_up() {
    let received = signed();
    let (id, timestamp) = (ID, (NOW - 14).to_string());
    let swapped = received.with(WEBHOOK_ID, &timestamp).with(WEBHOOK_TIMESTAMP, id);
    let message = "matches with 'webhook-id' and 'webhook-timestamp' swapped";
    says(&swapped, "headers", message);
    let millis = received.with(WEBHOOK_TIMESTAMP, format!("{timestamp}000"));
    says(&millis, "headers", "matches with the timestamp in seconds");
}

#[test]
fn no_match_shows_what_to_compare() {
    let fingerprint = WHSEC.parse::<Secret>().unwrap().fingerprint();
    let message = format!(
        "no match with the key {fingerprint}: id {ID}, timestamp {}, body of 2 bytes, \
         sha256 44136fa355b3…",
        NOW - 14
    );
    says(&body("{}"), "no_match", &message);
}

#[test]
fn an_old_request_with_another_key_is_told_about_the_key() {
    let old = signed_by(&[b'B'; 32], NOW - 86_400, BODY.as_bytes());
    let found = found_with(&[WHSEC], &old);
    assert_eq!(found.reason, "no_match", "{}", found.message);
}

#[test]
fn a_key_that_cannot_be_used_is_named() {
    let short = "env:SECRET: a secret needs at least 24 bytes, this has 3";
    let cut = "env:SECRET: a public key looks like 'whpk_<32 bytes in base64>'";
    for (key, message) in [("whsec_QUFB", short), ("whpk_QUFB", cut)] {
        let found = found_with(&[key], &signed());
        assert_eq!((found.reason, found.message.as_str()), ("key", message));
    }
    // A file ends with a newline.
    let found = found_with(&["whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"], &signed());
    assert_eq!(found.reason, "refused", "{}", found.message);
}

#[test]
fn a_header_that_is_missing_or_malformed_is_told_as_a_receiver_would() {
    let mut bare = signed();
    bare.headers.remove(0);
    says(&bare, "refused", "the header 'webhook-id' is missing");
    let mut doubled = signed();
    doubled.headers.push((WEBHOOK_ID.into(), "evt_2".into()));
    says(&doubled, "refused", "the header 'webhook-id' is there twice");
    let words = signed().with(WEBHOOK_TIMESTAMP, "yesterday");
    says(&words, "refused", "'webhook-timestamp' must be Unix seconds in plain digits");
}

#[test]
fn nothing_that_is_said_holds_a_secret_or_a_body() {
    for received in [signed(), body("{}"), body(&format!("{BODY}\n"))] {
        let found = format!("{:?}", found_with(&[WHSEC], &received));
        assert!(!found.contains("QUFB") && !found.contains("Zo"), "{found}");
    }
}
