//! Which key is held against which signature, and when.

use bluum_hooks_shared::asymmetric::{PrivateKey, PublicKeyError};

use super::*;

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
