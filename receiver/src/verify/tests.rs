//! Every reason to refuse a request, one test each.

mod keys;

use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;

use super::*;

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","ok":true}"#;

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; 32]).unwrap()
}

fn sign(byte: u8, id: &str, timestamp: i64, body: &[u8]) -> String {
    SigningKey::new(&secret(byte)).sign(id, timestamp, body)
}

type Request = Vec<(&'static str, Vec<u8>)>;

fn signed_at(timestamp: i64) -> Request {
    vec![
        (WEBHOOK_ID, b"evt_1".to_vec()),
        (WEBHOOK_TIMESTAMP, timestamp.to_string().into_bytes()),
        (WEBHOOK_SIGNATURE, sign(1, "evt_1", timestamp, BODY).into_bytes()),
    ]
}

/// The good request with one header replaced.
fn with(name: &'static str, value: impl AsRef<[u8]>) -> Request {
    let mut request = signed_at(NOW);
    for (key, old) in &mut request {
        if *key == name {
            *old = value.as_ref().to_vec();
        }
    }
    request
}

fn verify_body(request: &Request, body: &[u8]) -> Result<String, VerifyError> {
    let verifier = Verifier::new([secret(1)]);
    verifier
        .verify(request, body, Timestamp::from_unix_seconds(NOW))
        .map(|verified| verified.id().to_owned())
}

fn verify(request: &Request) -> Result<String, VerifyError> {
    verify_body(request, BODY)
}

#[test]
fn what_was_signed_is_verified() {
    assert_eq!(verify(&signed_at(NOW)), Ok("evt_1".to_owned()));
    let request: Request = signed_at(NOW);
    let upper: Vec<_> =
        request.iter().map(|(key, value)| (key.to_uppercase(), value.clone())).collect();
    let verifier = Verifier::new([secret(1)]);
    let now = Timestamp::from_unix_seconds(NOW);
    let verified = verifier.verify(&upper, BODY, now).unwrap();
    assert_eq!((verified.timestamp(), verified.body()), (now, BODY));
    assert_eq!(verified.fingerprint(), secret(1).fingerprint());
}

#[test]
fn bodies_need_not_be_text() {
    for body in [&b""[..], b"\xff\xfe\x00", "ä".as_bytes()] {
        let request = with(WEBHOOK_SIGNATURE, sign(1, "evt_1", NOW, body));
        assert!(verify_body(&request, body).is_ok());
    }
}

#[test]
fn each_header_must_be_there_once() {
    for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
        let mut request = signed_at(NOW);
        request.retain(|(key, _)| *key != name);
        assert_eq!(verify(&request), Err(VerifyError::MissingHeader { name }));

        let mut request = signed_at(NOW);
        let copy = request.iter().find(|(key, _)| *key == name).unwrap().clone();
        request.push(copy);
        assert_eq!(verify(&request), Err(VerifyError::DoubledHeader { name }));
    }
}

#[test]
fn ids_are_visible_and_without_dots() {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    for id in ["", " ", "evt 1", "evt.1", "evt_1\n", "evt_1\u{7f}", "évt", &long] {
        let mut request = with(WEBHOOK_SIGNATURE, sign(1, id, NOW, BODY));
        request[0].1 = id.as_bytes().to_vec();
        assert_eq!(verify(&request), Err(VerifyError::MalformedId), "{id}");
    }
    let id = "x".repeat(MAX_ID_BYTES);
    let mut request = with(WEBHOOK_SIGNATURE, sign(1, &id, NOW, BODY));
    request[0].1 = id.clone().into_bytes();
    assert_eq!(verify(&request), Ok(id));
}

/// Signed as `evt_1`, `1700000000`, `1700000001.{}`, and cut again behind the second dot.
#[test]
fn the_signed_text_cannot_be_cut_differently() {
    let body = format!("{}.{{}}", NOW + 1);
    let request = vec![
        (WEBHOOK_ID, format!("evt_1.{NOW}").into_bytes()),
        (WEBHOOK_TIMESTAMP, (NOW + 1).to_string().into_bytes()),
        (WEBHOOK_SIGNATURE, sign(1, "evt_1", NOW, body.as_bytes()).into_bytes()),
    ];
    assert_eq!(verify_body(&request, b"{}"), Err(VerifyError::MalformedId));
}

#[test]
fn timestamps_are_plain_digits() {
    for text in [
        "",
        "-1",
        "+1700000000",
        " 1700000000",
        "1700000000 ",
        "1700000000.0",
        "1.7e9",
        "0x1",
        "1700000000abc",
        "1700000000,1700000000",
        "-9223372036854775808",
        "9223372036854775808",
        "99999999999999999999",
        "١٧٠٠٠٠٠٠٠٠",
    ] {
        let request = with(WEBHOOK_TIMESTAMP, text);
        assert_eq!(verify(&request), Err(VerifyError::MalformedTimestamp), "{text}");
    }
}

#[test]
fn the_timestamp_is_signed_as_it_was_written() {
    let refused = verify(&with(WEBHOOK_TIMESTAMP, format!("00{NOW}")));
    assert!(matches!(refused, Err(VerifyError::NoMatch { .. })), "{refused:?}");
}

#[test]
fn the_window_is_closed_on_both_sides() {
    for (offset, expected) in [
        (-300, None),
        (300, None),
        (-301, Some(VerifyError::TooOld { seconds: 301, allowed: 300 })),
        (301, Some(VerifyError::TooNew { seconds: 301, allowed: 300 })),
        (-NOW, Some(VerifyError::TooOld { seconds: NOW.unsigned_abs(), allowed: 300 })),
    ] {
        assert_eq!(verify(&signed_at(NOW + offset)).err(), expected, "{offset}");
    }
    assert!(matches!(verify(&signed_at(i64::MAX)), Err(VerifyError::TooNew { .. })));
}

#[test]
fn the_window_can_be_set_for_each_side() {
    let verifier =
        Verifier::new([secret(1)]).tolerance(Duration::from_secs(3600), Duration::from_secs(0));
    let at = |offset| {
        let now = Timestamp::from_unix_seconds(NOW + offset);
        verifier.verify(&signed_at(NOW), BODY, now).err()
    };
    assert_eq!(at(3600), None);
    assert_eq!(at(3601), Some(VerifyError::TooOld { seconds: 3601, allowed: 3600 }));
    assert_eq!(at(-1), Some(VerifyError::TooNew { seconds: 1, allowed: 0 }));
    let everything = Verifier::new([secret(1)]).tolerance(Duration::MAX, Duration::MAX);
    for now in [i64::MIN, 0, i64::MAX] {
        let now = Timestamp::from_micros(now);
        assert!(everything.verify(&signed_at(NOW), BODY, now).is_ok());
    }
}

#[test]
fn the_time_is_looked_at_before_the_signature() {
    let mut request = with(WEBHOOK_SIGNATURE, "v1,nonsense");
    request[1].1 = b"1".to_vec();
    assert!(matches!(verify(&request), Err(VerifyError::TooOld { .. })));
}

#[test]
fn signatures_of_other_versions_are_told_apart() {
    for header in ["", "v2,abc", "v1a,abc", "junk", "v1"] {
        let refused = verify(&with(WEBHOOK_SIGNATURE, header)).unwrap_err();
        assert_eq!(refused, VerifyError::NoKnownVersion { known: vec!["v1"] }, "{header}");
        assert_eq!(refused.to_string(), "no signature of version 'v1'");
    }
    assert_eq!(verify(&with(WEBHOOK_SIGNATURE, b"v1,\xff")), Err(VerifyError::MalformedSignature));
}

#[test]
fn any_change_is_seen() {
    let no_match = |request: &Request, body: &[u8]| {
        assert!(matches!(verify_body(request, body), Err(VerifyError::NoMatch { .. })));
    };
    no_match(&with(WEBHOOK_ID, "evt_2"), BODY);
    no_match(&with(WEBHOOK_TIMESTAMP, (NOW + 1).to_string()), BODY);
    no_match(&signed_at(NOW), b"");
    // The same JSON, parsed and written again.
    no_match(&signed_at(NOW), br#"{"id": "evt_1", "ok": true}"#);
}

#[test]
fn large_bodies_are_refused_before_they_are_hashed() {
    let verifier = Verifier::new([secret(1)]).max_body_bytes(BODY.len());
    let now = Timestamp::from_unix_seconds(NOW);
    assert!(verifier.verify(&signed_at(NOW), BODY, now).is_ok());
    let request = signed_at(NOW);
    let refused = verifier.verify(&request, &[0; 100], now).unwrap_err();
    assert_eq!(refused, VerifyError::TooLarge { allowed: BODY.len() });
    assert_eq!(refused.status(), 413);
}

/// Each opens what its text says, and leaves the rest closed.
#[test]
fn a_rule_can_be_given_up_by_name() {
    let id = |id: &str| {
        let mut request = with(WEBHOOK_SIGNATURE, sign(1, id, NOW, BODY));
        request[0].1 = id.as_bytes().to_vec();
        request
    };
    let twice = |name| {
        let mut request = signed_at(NOW);
        let copy = request.iter().find(|(key, _)| *key == name).unwrap().clone();
        request.push(copy);
        request
    };
    let unpadded = sign(1, "evt_1", NOW, BODY).trim_end_matches('=').to_owned();
    let cases = [
        (Leniency::DottedIds, id("evt.1")),
        (Leniency::LongIds, id(&"x".repeat(MAX_ID_BYTES + 1))),
        (Leniency::RepeatedHeaders, twice(WEBHOOK_ID)),
        (Leniency::PaddedTimestamps, with(WEBHOOK_TIMESTAMP, format!(" {NOW} "))),
        (Leniency::LooseSignatures, with(WEBHOOK_SIGNATURE, unpadded)),
    ];
    let now = Timestamp::from_unix_seconds(NOW);
    for (allowed, _) in &cases {
        let verifier = Verifier::new([secret(1)]).allow(*allowed);
        for (leniency, request) in &cases {
            let verified = verifier.verify(request, BODY, now);
            assert_eq!(verified.is_ok(), allowed == leniency, "{allowed:?} {leniency:?}");
        }
        assert!(verifier.verify(&signed_at(NOW), BODY, now).is_ok());
        assert!(verifier.verify(&signed_at(NOW), b"{}", now).is_err());
    }
    let every = cases.iter().fold(Verifier::new([secret(1)]), |all, (one, _)| all.allow(*one));
    let mut other = signed_at(NOW);
    other.push((WEBHOOK_ID, b"evt_2".to_vec()));
    let refused = every.verify(&other, BODY, now).unwrap_err();
    assert_eq!(refused, VerifyError::DoubledHeader { name: WEBHOOK_ID });
    for id in ["", " ", "evt 1", "evt_1\n"] {
        let request = with(WEBHOOK_ID, id);
        assert_eq!(every.verify(&request, BODY, now).unwrap_err(), VerifyError::MalformedId);
    }
}

#[test]
fn nothing_that_is_shown_holds_a_secret_or_a_body() {
    let verifier = Verifier::new([secret(1)]);
    let request = signed_at(NOW);
    let verified = verifier.verify(&request, BODY, Timestamp::from_unix_seconds(NOW)).unwrap();
    let refused = verify_body(&signed_at(NOW), b"private").unwrap_err();
    let shown = format!("{verifier:?} {verified:?} {refused:?} {refused}");
    let whsec = secret(1).to_whsec();
    for private in ["private", "true", &whsec["whsec_".len()..], "[1, 1", "v1,"] {
        assert!(!shown.contains(private), "{private}: {shown}");
    }
}
