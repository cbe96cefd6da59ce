//! Requests that somebody has tampered with: nothing panics, and nothing is accepted but what was
//! signed, whatever else the request holds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::LazyLock;

use bluum_hooks_receiver::header::MAX_ASYMMETRIC;
use bluum_hooks_receiver::{Key, Secret, SigningKey, Timestamp, Verifier, VerifyError};
use bluum_hooks_shared::asymmetric::{self, PrivateKey};
use proptest::prelude::*;
use proptest::sample::Index;

const NOW: i64 = 1_781_533_815;
const ID: &str = "evt_01kv5v1cd09n7q5s3v1x0z2b4d";
const BODY: &[u8] = br#"{"event":"order.filled","data":{"filled_quantity":"10"}}"#;

type Request = (Vec<(String, Vec<u8>)>, Vec<u8>);

fn secret() -> Secret {
    Secret::from_bytes(&[7; 32]).unwrap()
}

fn private_key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

/// A key of each kind, and what is signed for it.
fn kinds() -> [(Key, String); 2] {
    static KINDS: LazyLock<[(Key, String); 2]> = LazyLock::new(|| {
        let content = asymmetric::content(ID, &NOW.to_string(), BODY);
        [
            (secret().into(), SigningKey::new(&secret()).sign(ID, NOW, BODY)),
            (private_key().public_key().into(), private_key().sign(&content)),
        ]
    });
    KINDS.clone()
}

fn good(signature: &str) -> Request {
    let headers = vec![
        ("webhook-id".to_owned(), ID.as_bytes().to_vec()),
        ("webhook-timestamp".to_owned(), NOW.to_string().into_bytes()),
        ("webhook-signature".to_owned(), signature.as_bytes().to_vec()),
    ];
    (headers, BODY.to_vec())
}

/// The id and the body that were accepted.
fn accepted(key: &Key, (headers, body): &Request) -> Option<(String, Vec<u8>)> {
    Verifier::new([key.clone()])
        .verify(headers, body, Timestamp::from_unix_seconds(NOW))
        .ok()
        .map(|verified| (verified.id().to_owned(), verified.body().to_vec()))
}

#[derive(Debug, Clone)]
enum Tampering {
    ReplaceHeader(Index, Vec<u8>),
    EditHeader(Index, Index, u8),
    CutHeader(Index, Index),
    GrowHeader(Index, Vec<u8>),
    DropHeader(Index),
    RepeatHeader(Index, Vec<u8>),
    SwapHeaders(Index, Index),
    EditBody(Index, u8),
    CutBody(Index),
    GrowBody(Vec<u8>),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    use Tampering::*;
    let bytes = || {
        let entry = "(v1|v1a|v2|whsec_|,|=|\\.| |[A-Za-z0-9+/]{0,44}){0,8}";
        prop_oneof![any::<Vec<u8>>(), entry.prop_map(String::into_bytes)]
    };
    let index = any::<Index>;
    prop_oneof![
        (index(), bytes()).prop_map(|(at, with)| ReplaceHeader(at, with)),
        (index(), index(), any::<u8>()).prop_map(|(at, place, xor)| EditHeader(at, place, xor)),
        (index(), index()).prop_map(|(at, length)| CutHeader(at, length)),
        (index(), bytes()).prop_map(|(at, with)| GrowHeader(at, with)),
        index().prop_map(DropHeader),
        (index(), bytes()).prop_map(|(at, with)| RepeatHeader(at, with)),
        (index(), index()).prop_map(|(a, b)| SwapHeaders(a, b)),
        (index(), any::<u8>()).prop_map(|(place, xor)| EditBody(place, xor)),
        index().prop_map(CutBody),
        bytes().prop_map(GrowBody),
    ]
}

fn tamper((headers, body): &mut Request, tampering: Tampering) {
    fn edit(bytes: &mut [u8], place: Index, xor: u8) {
        if !bytes.is_empty() {
            bytes[place.index(bytes.len())] ^= xor;
        }
    }
    if headers.is_empty() {
        return;
    }
    let count = headers.len();
    match tampering {
        Tampering::ReplaceHeader(at, with) => headers[at.index(count)].1 = with,
        Tampering::EditHeader(at, place, xor) => edit(&mut headers[at.index(count)].1, place, xor),
        Tampering::CutHeader(at, length) => {
            let value = &mut headers[at.index(count)].1;
            value.truncate(length.index(value.len() + 1));
        }
        Tampering::GrowHeader(at, with) => headers[at.index(count)].1.extend(with),
        Tampering::DropHeader(at) => drop(headers.remove(at.index(count))),
        Tampering::RepeatHeader(at, with) => {
            let name = headers[at.index(count)].0.clone();
            headers.push((name, with));
        }
        Tampering::SwapHeaders(a, b) => {
            let value = headers[a.index(count)].1.clone();
            headers[b.index(count)].1 = value;
        }
        Tampering::EditBody(place, xor) => edit(body, place, xor),
        Tampering::CutBody(length) => body.truncate(length.index(body.len() + 1)),
        Tampering::GrowBody(with) => body.extend(with),
    }
}

// A hundred thousand requests in all: here some eight a case, below one.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    #[test]
    fn nothing_is_accepted_that_was_not_signed(steps in prop::collection::vec(tampering(), 1..8)) {
        let [(secret, v1), (public, v1a)] = kinds();
        let untouched = good(&format!("{v1} {v1a}"));
        // Signatures may come and go around the good ones; id and body may not change at all.
        let holds = |key: &Key, request: &Request| {
            let accepted = accepted(key, request);
            accepted.is_none_or(|(id, body)| (id.as_str(), body.as_slice()) == (ID, BODY))
        };
        // Each step alone, and all of them up to it.
        let mut request = untouched.clone();
        for step in steps {
            let mut alone = untouched.clone();
            tamper(&mut alone, step.clone());
            tamper(&mut request, step);
            prop_assert!(holds(&secret, &alone) && holds(&secret, &request));
        }
        prop_assert!(holds(&public, &request));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40_000))]

    #[test]
    fn anything_at_all_is_answered(
        id: Vec<u8>, timestamp: Vec<u8>, signature: Vec<u8>, body: Vec<u8>, now: i64,
    ) {
        let headers = [
            ("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature),
        ];
        let verifier = Verifier::new(kinds().map(|(key, _)| key));
        prop_assert!(verifier.verify(&headers, &body, Timestamp::from_micros(now)).is_err());
    }
}

#[test]
fn the_untouched_request_is_accepted() {
    for (key, signature) in kinds() {
        assert_eq!(accepted(&key, &good(&signature)), Some((ID.to_owned(), BODY.to_vec())));
    }
}

#[test]
fn every_single_changed_bit_is_seen() {
    for (key, signature) in kinds() {
        let (headers, body) = good(&signature);
        for place in 0..body.len() * 8 {
            let mut changed = body.clone();
            changed[place / 8] ^= 1 << (place % 8);
            assert_eq!(accepted(&key, &(headers.clone(), changed)), None);
        }
        for header in 0..headers.len() {
            for place in 0..headers[header].1.len() * 8 {
                let mut changed = headers.clone();
                changed[header].1[place / 8] ^= 1 << (place % 8);
                assert_eq!(accepted(&key, &(changed, body.clone())), None, "{header} {place}");
            }
        }
    }
}

/// What one kind of key signed is nothing to the other, under whatever name it comes.
#[test]
fn a_signature_under_the_other_version_is_refused() {
    let [(secret, v1), (public, v1a)] = kinds();
    for (key, signature) in [
        (&public, v1.replace("v1,", "v1a,")),
        (&secret, v1a.replace("v1a,", "v1,")),
        (&public, v1),
        (&secret, v1a),
    ] {
        assert_eq!(accepted(key, &good(&signature)), None, "{signature}");
    }
}

/// Ten thousand well-formed signatures: refused, and at the cost of none.
#[test]
fn a_flood_of_signatures_is_refused() {
    let (public, v1a) = (private_key().public_key(), private_key().sign(b"something else"));
    let flood = good(&format!("{v1a} ").repeat(10_000));
    let verifier = Verifier::new([public]);
    let now = Timestamp::from_unix_seconds(NOW);
    let refused = verifier.verify(&flood.0, &flood.1, now).unwrap_err();
    assert_eq!(refused, VerifyError::TooManySignatures { allowed: MAX_ASYMMETRIC });
}
