//! Both ways with the official library: it accepts what we sign, and we accept what it signs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use bluum_hooks_receiver::{Secret, SigningKey, Verifier, now};
use http::HeaderMap;
use proptest::prelude::*;
use standardwebhooks::Webhook;

fn request(id: &str, timestamp: i64, signature: &str) -> Vec<(&'static str, String)> {
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature.to_owned()),
    ]
}

fn header_map(pairs: &[(&'static str, String)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

proptest! {
    #[test]
    fn signatures_agree(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[!-\\-/-~]{1,128}",
        body: String,
    ) {
        let secret = Secret::from_bytes(&key).unwrap();
        let theirs = Webhook::new(&secret.to_whsec()).unwrap();
        let timestamp = now().as_unix_seconds();
        let signature = SigningKey::new(&secret).sign(&id, timestamp, body.as_bytes());
        prop_assert_eq!(&theirs.sign(&id, timestamp, body.as_bytes()).unwrap(), &signature);

        let request = request(&id, timestamp, &signature);
        prop_assert!(theirs.verify(body.as_bytes(), &header_map(&request)).is_ok());
        let ours = Verifier::new([secret]);
        let verified = ours.verify(&request, body.as_bytes(), now()).unwrap();
        prop_assert_eq!(verified.id(), id);
    }
}
