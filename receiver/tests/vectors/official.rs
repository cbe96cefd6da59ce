//! The suites of Standard Webhooks and of Svix, in all their languages.

use bluum_hooks_receiver::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_receiver::{Key, Secret, Verifier, VerifyError};

use crate::delivery::*;

mod svix_rust {
    use super::*;

    #[test]
    fn test_webhook_sign() {
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            sign_with(&secret, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn test_webhook_verify() {
        Delivery::new().passes();
        // Its own set of headers is not ours.
        let branded = Delivery::new().renamed(|name| name.replace("webhook-", "svix-"));
        branded.is(VerifyError::MissingHeader { name: WEBHOOK_ID });
    }

    #[test]
    fn test_no_verify() {
        Delivery::new().with(WEBHOOK_SIGNATURE, WRONG).does_not_match();
        Delivery::new()
            .with(WEBHOOK_SIGNATURE, "v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=")
            .does_not_match();
    }

    #[test]
    fn test_webhook_verify_partial_signature() {
        Delivery::new().with(WEBHOOK_SIGNATURE, &SIGNATURE[..11]).does_not_match();
        Delivery::new().with(WEBHOOK_SIGNATURE, "v1,").does_not_match();
    }

    #[test]
    fn test_webhook_verify_incorrect_timestamp() {
        for (time, expected) in [
            (TIME - 301, VerifyError::TooOld { seconds: 301, allowed: 300 }),
            (TIME + 301, VerifyError::TooNew { seconds: 301, allowed: 300 }),
        ] {
            let delivery = Delivery::signed_at(time);
            delivery.is(expected);
            // Ignoring the time, the signature still counts.
            let ignoring = delivery.receiver(|all| all.tolerance(FOREVER, FOREVER));
            ignoring.passes();
            ignoring.with(WEBHOOK_TIMESTAMP, &TIME.to_string()).does_not_match();
        }
    }

    #[test]
    fn test_webhook_verify_out_of_bounds_timestamp() {
        Delivery::new().with(WEBHOOK_TIMESTAMP, "-1").is(MALFORMED_TIME);
    }

    #[test]
    fn test_webhook_verify_multi_sig_payload_is_valid() {
        for header in [
            format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,AAAA {SIGNATURE}"),
            format!("{SIGNATURE} {WRONG}"),
        ] {
            Delivery::new().with(WEBHOOK_SIGNATURE, &header).passes();
        }
    }

    #[test]
    fn test_no_signature_verifies() {
        let header = format!("{WRONG} v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,AAAA");
        Delivery::new().with(WEBHOOK_SIGNATURE, &header).does_not_match();
    }

    #[test]
    fn test_missing_headers() {
        for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
            Delivery::new().without(name).is(VerifyError::MissingHeader { name });
        }
    }

    #[test]
    fn test_empty_secrets() {
        for text in ["", "whsec_"] {
            assert!(Key::parse(text).is_err() && Secret::parse(text).is_err());
        }
        assert!(Secret::from_bytes(&[]).is_err() && Secret::from_short_bytes(&[]).is_err());
    }
}

mod standardwebhooks_rust {
    use super::*;

    /// Its own test has a signature for another time, and would pass if nobody looked at the time.
    #[test]
    fn incorrect_timestamp() {
        let refused = Delivery::new().now(TIME + 301);
        refused.is(VerifyError::TooOld { seconds: 301, allowed: 300 });
        Delivery::new().with(WEBHOOK_TIMESTAMP, &(TIME + 1).to_string()).does_not_match();
    }

    /// The published version ends the process here, if overflow is checked.
    #[test]
    fn a_timestamp_below_all_others() {
        let least = i64::MIN.to_string();
        Delivery::new().with(WEBHOOK_TIMESTAMP, &least).is(MALFORMED_TIME);
    }

    #[test]
    fn secrets_that_anybody_has() {
        assert!(Secret::parse("whsec_").is_err() && Secret::parse("").is_err());
        let empty = sign_with(&Secret::from_short_bytes(&[0]).unwrap(), ID, TIME, BODY);
        Delivery::new().with(WEBHOOK_SIGNATURE, &empty).does_not_match();
    }
}

/// The suites of both projects, which in these languages test the same: Python, JavaScript, Go,
/// Ruby, C#, Elixir.
mod python_javascript_go_ruby_csharp_elixir {
    use super::*;

    #[test]
    fn valid_with_json_and_without() {
        Delivery::new().passes();
        for body in [&b""[..], b"not JSON", b"\xff\xfe\x00"] {
            let signature = sign_with(&SECRET.parse().unwrap(), ID, TIME, body);
            Delivery::new().body(body).with(WEBHOOK_SIGNATURE, &signature).passes();
        }
    }

    #[test]
    fn invalid_timestamp_and_invalid_signature() {
        Delivery::new().with(WEBHOOK_TIMESTAMP, "hello").is(MALFORMED_TIME);
        Delivery::new().with(WEBHOOK_SIGNATURE, "v1,dawfeoifkpqwoekfpqoekf").does_not_match();
    }

    #[test]
    fn old_new_and_ignoring_tolerance() {
        for time in [TIME - 301, TIME + 301] {
            assert_eq!(Delivery::signed_at(time).verify().unwrap_err().status(), 401);
            let ignoring = |all: Verifier| all.tolerance(FOREVER, FOREVER);
            Delivery::signed_at(time).receiver(ignoring).passes();
            let wrong = Delivery::signed_at(time).with(WEBHOOK_SIGNATURE, WRONG);
            wrong.receiver(ignoring).does_not_match();
        }
    }

    #[test]
    fn with_and_without_prefix() {
        let texts = [SECRET.to_owned(), format!("whsec_{SECRET}")];
        for secret in texts.map(|text| Secret::parse(&text).unwrap()) {
            assert_eq!(sign_with(&secret, ID, TIME, BODY), SIGNATURE);
            Delivery::new().keys([secret]).passes();
        }
    }

    /// Of 23 bytes, which is fewer than we take without being told, and of 25, with bits set
    /// beneath the padding that is missing.
    #[test]
    fn unpadded_secrets() {
        for (bare, padded, bytes) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=", 23),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBg==", 25),
        ] {
            let prefixed = format!("whsec_{bare}");
            for text in [bare, &prefixed, padded] {
                let short = Err(bluum_hooks_receiver::SecretError::TooShort { bytes });
                let read = Secret::parse(text).map(|secret| secret.as_bytes().len());
                assert_eq!(read, if bytes < 24 { short } else { Ok(bytes) }, "{text}");
            }
        }
        let [bare, padded] =
            ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBg=="]
                .map(|text| Secret::parse(text).unwrap());
        let signature = sign_with(&padded, ID, TIME, BODY);
        Delivery::new().keys([bare]).with(WEBHOOK_SIGNATURE, &signature).passes();
        // Of the short one the bytes are known: whoever must, can.
        let short = Secret::from_short_bytes(&Secret::parse(SECRET).unwrap().as_bytes()[..23]);
        let short = short.unwrap();
        let signature = sign_with(&short, ID, TIME, BODY);
        Delivery::new().keys([short]).with(WEBHOOK_SIGNATURE, &signature).passes();
    }

    /// Python's answers to these are exceptions of other kinds, JavaScript takes the last two.
    #[test]
    fn what_crashes_or_fools_them() {
        for junk in ["v1", "a", "v1,%%%", "v1,A", ",", " ", "v1,é".split_at(3).0] {
            let before = format!("{junk} {SIGNATURE}");
            Delivery::new().with(WEBHOOK_SIGNATURE, &before).passes();
        }
        let doubled = Delivery::new().and(WEBHOOK_SIGNATURE, SIGNATURE);
        doubled.is(VerifyError::DoubledHeader { name: WEBHOOK_SIGNATURE });
        Delivery::new().with(WEBHOOK_SIGNATURE, &format!("{SIGNATURE}AAAA")).does_not_match();
        for time in [format!("{TIME}abc"), format!("{TIME}, {TIME}"), format!("+{TIME}")] {
            Delivery::new().with(WEBHOOK_TIMESTAMP, &time).is(MALFORMED_TIME);
        }
        Delivery::new().with(WEBHOOK_TIMESTAMP, &format!("000{TIME}")).does_not_match();
    }
}

mod php {
    use super::*;

    #[test]
    fn float_text_and_negative_timestamps() {
        for time in ["1614265330.5", "1614265330.0", "text", "-1614265330", "", "1e9"] {
            Delivery::new().with(WEBHOOK_TIMESTAMP, time).is(MALFORMED_TIME);
        }
    }
}

mod java {
    use super::*;

    #[test]
    fn other_versions_and_missing_parts() {
        for header in [SIGNATURE.replace("v1,", "v2,"), "invalid_signature".to_owned()] {
            Delivery::new().with(WEBHOOK_SIGNATURE, &header).is(NO_VERSION());
        }
    }

    #[test]
    fn mixed_case_names() {
        let mixed = |name: &str| name.replace("webhook", "WebHook").replace("-t", "-T");
        Delivery::new().renamed(mixed).passes();
    }
}
