//! Every reason to refuse a request, one test each.

use bluum_hooks_shared::asymmetric::{PrivateKey, PublicKeyError};
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
fn rotation_takes_either_secret_and_says_which() {
    let verifier = Verifier::new([secret(2), secret(1)]);
    let now = Timestamp::from_unix_seconds(NOW);
    for byte in [1, 2] {
        let request = with(WEBHOOK_SIGNATURE, sign(byte, "evt_1", NOW, BODY));
        let verified = verifier.verify(&request, BODY, now).unwrap();
        assert_eq!(verified.fingerprint(), secret(byte).fingerprint());
    }
    let both = format!("{} {}", sign(3, "evt_1", NOW, BODY), sign(1, "evt_1", NOW, BODY));
    assert!(verifier.verify(&with(WEBHOOK_SIGNATURE, both), BODY, now).is_ok());
    let other = with(WEBHOOK_SIGNATURE, sign(3, "evt_1", NOW, BODY));
    assert_eq!(
        verifier.verify(&other, BODY, now).unwrap_err(),
        VerifyError::NoMatch {
            fingerprints: vec![secret(2).fingerprint(), secret(1).fingerprint()],
            body_bytes: BODY.len(),
        }
    );
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

#[test]
fn without_a_secret_nothing_is_trusted() {
    let now = Timestamp::from_unix_seconds(NOW);
    let none = Verifier::new([] as [Key; 0]);
    let request = signed_at(NOW);
    let refused = none.verify(&request, BODY, now).unwrap_err();
    assert_eq!(refused, VerifyError::NoKey { configured: 0 });
    assert_eq!((refused.status(), refused.to_string()), (401, "no key is configured".to_owned()));
    for text in ["", "  ", "whsec_"] {
        let short = KeyError::Secret(SecretError::TooShort { bytes: 0 });
        assert_eq!(Verifier::parse(text).unwrap_err(), short);
    }
}

#[test]
fn a_key_is_trusted_in_its_time_alone() {
    let at = |offset| Timestamp::from_unix_seconds(NOW + offset);
    let key = Key::from(secret(1)).not_before(at(-10)).not_after(at(10));
    let verifier = Verifier::new([key.clone()]);
    let verify = |now| verifier.verify(&signed_at(NOW), BODY, at(now)).map(|_| ());
    for now in [-10, 0, 10] {
        assert_eq!(verify(now), Ok(()), "{now}");
    }
    for now in [-11, 11] {
        let refused = verify(now).unwrap_err();
        assert_eq!(refused, VerifyError::NoKey { configured: 1 });
        assert_eq!(refused.to_string(), "none of the 1 keys is trusted at this time");
    }
    // Where another key is trusted, the one that is not is as if it were not there.
    let both = Verifier::new([key, secret(2).into()]);
    let refused = both.verify(&signed_at(NOW), BODY, at(11)).unwrap_err();
    let fingerprints = vec![secret(2).fingerprint()];
    assert_eq!(refused, VerifyError::NoMatch { fingerprints, body_bytes: BODY.len() });
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
fn one_variable_holds_several_keys() {
    let public = pair(3).public_key();
    let text = format!("{} {public} {}\n", &*secret(1).to_whsec(), &*secret(2).to_whsec());
    let verifier: Verifier = text.parse().unwrap();
    let kinds: Vec<_> = verifier.keys.iter().map(Key::version).collect();
    assert_eq!(kinds, ["v1", "v1a", "v1"]);
    for (text, expected) in [
        ("whpk_AAAA", PublicKeyError::Malformed),
        ("whsk_AAAA", PublicKeyError::PrivateKey),
        ("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= whpk_", PublicKeyError::Malformed),
    ] {
        assert_eq!(Verifier::parse(text).unwrap_err(), KeyError::PublicKey(expected), "{text}");
    }
}

fn pair(byte: u8) -> PrivateKey {
    PrivateKey::from_seed(&[byte; 32])
}

fn sign_with_pair(byte: u8, body: &[u8]) -> String {
    pair(byte).sign(&asymmetric::content("evt_1", &NOW.to_string(), body))
}

/// The fingerprint of the key that verified.
fn verify_for(
    keys: impl IntoIterator<Item = Key>,
    signatures: &str,
) -> Result<String, VerifyError> {
    let request = with(WEBHOOK_SIGNATURE, signatures);
    let now = Timestamp::from_unix_seconds(NOW);
    let verifier = Verifier::new(keys);
    let verified = verifier.verify(&request, BODY, now)?;
    Ok(verified.fingerprint().to_owned())
}

#[test]
fn a_public_key_verifies_what_its_private_key_signed() {
    let public = |byte| Key::from(pair(byte).public_key());
    let fingerprint = |byte| Ok(pair(byte).public_key().fingerprint());
    let (first, second) = (sign_with_pair(1, BODY), sign_with_pair(2, BODY));
    assert_eq!(verify_for([public(1)], &first), fingerprint(1));
    // During a rotation, whichever of the two a partner knows.
    for byte in [1, 2] {
        assert_eq!(verify_for([public(byte)], &format!("{second} {first}")), fingerprint(byte));
        assert_eq!(
            verify_for([public(3), public(byte)], &format!("{first} {second}")),
            fingerprint(byte)
        );
    }
    let refused = verify_for([public(3), public(4)], &format!("{first} {second}")).unwrap_err();
    assert_eq!((refused.status(), matches!(refused, VerifyError::NoMatch { .. })), (401, true));
    assert!(refused.to_string().contains(&pair(3).public_key().fingerprint()), "{refused}");
    let changed = sign_with_pair(1, b"{}");
    assert!(matches!(verify_for([public(1)], &changed), Err(VerifyError::NoMatch { .. })));
    assert!(matches!(verify_for([public(1)], "v1a,junk"), Err(VerifyError::NoMatch { .. })));
}

#[test]
fn each_signature_meets_keys_of_its_own_kind_alone() {
    let public = Key::from(pair(1).public_key());
    let (v1, v1a) = (sign(1, "evt_1", NOW, BODY), sign_with_pair(1, BODY));
    let both = format!("v2,abc {v1} {v1a}");
    let fingerprints = [Key::from(secret(1)), public.clone()].map(|key| key.fingerprint());
    assert_eq!(verify_for([secret(1).into()], &both), Ok(fingerprints[0].clone()));
    assert_eq!(verify_for([public.clone()], &both), Ok(fingerprints[1].clone()));
    assert_eq!(verify_for([public.clone(), secret(1).into()], &v1), Ok(fingerprints[0].clone()));
    assert_eq!(verify_for([secret(1).into(), public.clone()], &v1a), Ok(fingerprints[1].clone()));

    // The bytes of the public key are no secret: who signs with them as if they were is nobody.
    let bytes: Vec<u8> = {
        let whsec = pair(1).public_key().to_string().replace("whpk_", "whsec_");
        Secret::parse(&whsec).unwrap().as_bytes().to_vec()
    };
    let forged = SigningKey::new(&Secret::from_bytes(&bytes).unwrap()).sign("evt_1", NOW, BODY);
    for header in [forged.clone(), forged.replace("v1,", "v1a,"), format!("{forged} v1a,")] {
        assert!(verify_for([public.clone()], &header).is_err(), "{header}");
    }
    for (keys, header, known) in [
        (vec![public.clone()], &v1, vec!["v1a"]),
        (vec![secret(1).into()], &v1a, vec!["v1"]),
        (vec![public.clone(), secret(1).into()], &"v2,abc".to_owned(), vec!["v1", "v1a"]),
    ] {
        let refused = verify_for(keys, header).unwrap_err();
        let said = format!("no signature of version '{}'", known.join("' or '"));
        assert_eq!((refused.status(), refused.to_string()), (400, said));
        assert_eq!(refused, VerifyError::NoKnownVersion { known });
    }
}

#[test]
fn a_crowd_of_signatures_is_refused_before_any_is_looked_at() {
    let (good, public) = (sign_with_pair(1, BODY), Key::from(pair(1).public_key()));
    let crowd = |count| format!("{}{good}", "v1a,A ".repeat(count));
    assert!(verify_for([public.clone()], &crowd(MAX_ASYMMETRIC - 1)).is_ok());
    let verifier = Verifier::new([public]);
    for count in [MAX_ASYMMETRIC, 10_000] {
        let request = with(WEBHOOK_SIGNATURE, crowd(count));
        // Before the body is read.
        let refused = verifier.begin(&request, Timestamp::from_unix_seconds(NOW)).unwrap_err();
        assert_eq!(refused, VerifyError::TooManySignatures { allowed: MAX_ASYMMETRIC });
        assert_eq!(refused.status(), 400);
    }
    // Where nothing would be spent on them, they are passed over.
    let header = format!("{} {}", sign(1, "evt_1", NOW, BODY), crowd(10_000));
    assert!(verify_for([secret(1).into()], &header).is_ok());
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
