//! Both ways with the libraries that partners have already: they accept what we sign, and we
//! accept what they sign, at the time that it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use bluum_hooks_receiver::{Secret, SigningKey, Verifier, now};
use http::HeaderMap;
use proptest::prelude::*;

type Request = Vec<(&'static str, String)>;

fn request(id: &str, timestamp: i64, signature: String) -> Request {
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature),
    ]
}

fn header_map(request: &Request) -> HeaderMap {
    request.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// Whether each of the others takes a request: `standardwebhooks`, `svix`, `webhook-verify`.
fn others(secret: &str, request: &Request, body: &[u8]) -> [bool; 3] {
    let map = header_map(request);
    let pairs: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let verify = webhook_verify::verify(
        webhook_verify::Provider::StandardWebhooks,
        &pairs,
        body,
        &webhook_verify::Secret::new(secret),
        webhook_verify::VerifyOptions::default(),
    );
    [
        standardwebhooks::Webhook::new(secret).unwrap().verify(body, &map).is_ok(),
        svix::webhooks::Webhook::new(secret).unwrap().verify(body, &map).is_ok(),
        verify.is_ok(),
    ]
}

fn ours(keys: &[Secret], request: &Request, body: &[u8]) -> bool {
    let verifier = Verifier::new(keys.iter().cloned());
    verifier.verify(request, body, now()).is_ok_and(|verified| verified.id() == request[0].1)
}

proptest! {
    #[test]
    fn signatures_agree(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[!-\\-/-~]{1,128}",
        body: String,
    ) {
        let (secret, body) = (Secret::from_bytes(&key).unwrap(), body.as_bytes());
        let (text, timestamp) = (secret.to_whsec(), now().as_unix_seconds());
        let signature = SigningKey::new(&secret).sign(&id, timestamp, body);
        // Theirs, of the same delivery.
        let standard = standardwebhooks::Webhook::new(&text).unwrap();
        prop_assert_eq!(&standard.sign(&id, timestamp, body).unwrap(), &signature);
        let svix = svix::webhooks::Webhook::new(&text).unwrap();
        prop_assert_eq!(&svix.sign(&id, timestamp, body).unwrap(), &signature);

        let signed = request(&id, timestamp, signature);
        prop_assert_eq!(others(&text, &signed, body), [true; 3]);
        prop_assert!(ours(&[secret], &signed, body));
    }

    /// During a rotation, whichever of the two secrets who has.
    #[test]
    fn rotations_agree(old: [u8; 32], new: [u8; 32], body: String) {
        prop_assume!(old != new);
        let body = body.as_bytes();
        let secrets = [&new, &old].map(|bytes| Secret::from_bytes(bytes).unwrap());
        let timestamp = now().as_unix_seconds();
        let entries = secrets.each_ref().map(|secret| {
            let theirs = standardwebhooks::Webhook::new(&secret.to_whsec()).unwrap();
            theirs.sign("evt_1", timestamp, body).unwrap()
        });
        let both = request("evt_1", timestamp, entries.join(" "));
        for (secret, entry) in secrets.iter().zip(entries) {
            prop_assert_eq!(others(&secret.to_whsec(), &both, body), [true; 3]);
            prop_assert!(ours(std::slice::from_ref(secret), &both, body));
            prop_assert!(ours(&secrets, &request("evt_1", timestamp, entry), body));
        }
    }

    /// What one of them refuses as changed, all refuse.
    #[test]
    fn refusals_agree(body in "[ -~]{1,80}", place: prop::sample::Index, xor in 1_u8..) {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let (text, timestamp) = (secret.to_whsec(), now().as_unix_seconds());
        let signature = SigningKey::new(&secret).sign("evt_1", timestamp, body.as_bytes());
        let signed = request("evt_1", timestamp, signature);
        let mut changed = body.into_bytes();
        let place = place.index(changed.len());
        changed[place] ^= xor;
        prop_assert_eq!(others(&text, &signed, &changed), [false; 3]);
        prop_assert!(!ours(&[secret], &signed, &changed));
    }
}
