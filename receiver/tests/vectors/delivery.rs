//! A request as the suites make it, and the receiver that it comes to.

use std::time::Duration;

use bluum_hooks_receiver::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_receiver::{Secret, SigningKey, Timestamp, Verifier, VerifyError};

/// The secret, id, time and body that the suites of all languages share, and what they sign to.
pub(crate) const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
pub(crate) const TIME: i64 = 1_614_265_330;
pub(crate) const BODY: &[u8] = br#"{"test": 2432232314}"#;
pub(crate) const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// The same, one letter beside it.
pub(crate) const WRONG: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=";

/// A request as the suites make it, and the receiver that it comes to.
pub(crate) struct Delivery {
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
    now: i64,
    pub(crate) verifier: Verifier,
}

impl Delivery {
    /// The good one.
    pub(crate) fn new() -> Self {
        let headers = [
            (WEBHOOK_ID, ID.to_owned()),
            (WEBHOOK_TIMESTAMP, TIME.to_string()),
            (WEBHOOK_SIGNATURE, SIGNATURE.to_owned()),
        ];
        Self {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: BODY.to_vec(),
            now: TIME,
            verifier: Verifier::parse(SECRET).unwrap(),
        }
    }

    pub(crate) fn signed_at(time: i64) -> Self {
        let signature = sign(time);
        let delivery = Self::new().with(WEBHOOK_TIMESTAMP, &time.to_string());
        delivery.with(WEBHOOK_SIGNATURE, &signature)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(key, _)| key == name).unwrap();
        header.1 = value.to_owned();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        self.headers.iter_mut().for_each(|(name, _)| *name = rename(name));
        self
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(crate) fn now(self, now: i64) -> Self {
        Self { now, ..self }
    }

    pub(crate) fn keys(self, keys: impl IntoIterator<Item = Secret>) -> Self {
        Self { verifier: Verifier::new(keys), ..self }
    }

    pub(crate) fn receiver(self, change: impl FnOnce(Verifier) -> Verifier) -> Self {
        Self { verifier: change(self.verifier), ..self }
    }

    pub(crate) fn verify(&self) -> Result<(), VerifyError> {
        let now = Timestamp::from_unix_seconds(self.now);
        let verified = self.verifier.verify(&self.headers, &self.body, now)?;
        assert_eq!(verified.body(), self.body);
        Ok(())
    }

    #[track_caller]
    pub(crate) fn passes(&self) {
        assert_eq!(self.verify(), Ok(()));
    }

    #[track_caller]
    pub(crate) fn does_not_match(&self) {
        let refused = self.verify();
        assert!(matches!(refused, Err(VerifyError::NoMatch { .. })), "{refused:?}");
    }

    #[track_caller]
    pub(crate) fn is(&self, expected: VerifyError) {
        assert_eq!(self.verify(), Err(expected));
    }
}

pub(crate) fn key(bytes: std::ops::Range<u8>) -> Secret {
    Secret::from_bytes(&bytes.collect::<Vec<_>>()).unwrap()
}

pub(crate) fn sign_with(secret: &Secret, id: &str, time: i64, body: &[u8]) -> String {
    SigningKey::new(secret).sign(id, time, body)
}

pub(crate) fn sign(time: i64) -> String {
    sign_with(&SECRET.parse().unwrap(), ID, time, BODY)
}

pub(crate) const FOREVER: Duration = Duration::MAX;
pub(crate) const MALFORMED_TIME: VerifyError = VerifyError::MalformedTimestamp;
pub(crate) const NO_VERSION: fn() -> VerifyError =
    || VerifyError::NoKnownVersion { known: vec!["v1"] };
