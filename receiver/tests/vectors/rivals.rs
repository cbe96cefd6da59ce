//! The suites of other receivers in Rust, and of the harness for receivers.

use bluum_hooks_receiver::header::{
    MAX_DELIVERY_BYTES, MAX_ID_BYTES, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP,
};
use bluum_hooks_receiver::{Event, Key, Leniency, Secret, Verifier, VerifyError};

use crate::delivery::*;

mod axum_standardwebhooks {
    use super::*;

    #[test]
    fn header_missing_valid_and_invalid() {
        let missing = Delivery::new().without(WEBHOOK_SIGNATURE).verify().unwrap_err();
        assert_eq!(missing.status(), 400);
        Delivery::new().passes();
        assert_eq!(Delivery::new().body("{}").verify().unwrap_err().status(), 401);
    }

    /// Its own: unsigned, and larger than what axum reads, it ends in a panic.
    #[test]
    fn far_too_large() {
        let large = Delivery::new().body(vec![b' '; 3 << 20]);
        large.is(VerifyError::TooLarge { allowed: MAX_DELIVERY_BYTES });
    }
}

mod tower_github_webhook {
    use super::*;

    #[test]
    fn no_header_wrong_and_right() {
        let bare = Delivery::new().without(WEBHOOK_SIGNATURE);
        bare.is(VerifyError::MissingHeader { name: WEBHOOK_SIGNATURE });
        Delivery::new().with(WEBHOOK_SIGNATURE, WRONG).does_not_match();
        Delivery::new().passes();
    }
}

mod async_stripe_webhook {
    use super::*;

    /// The good one in any position, next to malformed ones; and none that is good.
    #[test]
    fn rotation() {
        let others = [WRONG, "v1,%%%", "v1", "v0,abc", "t=1"];
        for position in 0..=others.len() {
            let mut entries = others.to_vec();
            entries.insert(position, SIGNATURE);
            Delivery::new().with(WEBHOOK_SIGNATURE, &entries.join(" ")).passes();
        }
        Delivery::new().with(WEBHOOK_SIGNATURE, &others.join(" ")).does_not_match();
    }

    #[test]
    fn tolerance() {
        for (age, passes) in [(300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(Delivery::new().now(TIME + age).verify().is_ok(), passes, "{age}");
        }
    }

    #[test]
    fn wrong_secret_tampered_and_other_versions() {
        Delivery::new().keys([key(0..32)]).does_not_match();
        Delivery::new().body([BODY, b" "].concat()).does_not_match();
        for version in ["v0,", "v2,", "V1,", "v11,", "v1.,"] {
            let header = SIGNATURE.replace("v1,", version);
            Delivery::new().with(WEBHOOK_SIGNATURE, &header).is(NO_VERSION());
        }
    }

    /// What is logged names the delivery's id and never what is in it.
    #[test]
    fn what_is_shown_is_no_payload() {
        let refused = Delivery::new().keys([key(0..32)]).verify().unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains("2432232314") && !shown.contains("g0hM9"), "{shown}");
    }

    /// Known types with other fields, unknown types, and back.
    #[test]
    fn objects_that_change() {
        let body = br#"{"id":"evt_1","livemode":true,"event":"order.filled",
            "timestamp":"2026-06-15T14:30:15Z","data":{"id":"ord_1","status":"new_word","x":[1]}}"#;
        let event = Event::parse(body).unwrap();
        assert_eq!(event.raw_data(), r#"{"id":"ord_1","status":"new_word","x":[1]}"#);
        assert!(matches!(event.data, bluum_hooks_receiver::Data::Order(_)));
    }
}

mod webhook_verify {
    use super::*;

    #[test]
    fn boundary_bodies() {
        let secret = SECRET.parse().unwrap();
        for body in [
            vec![],
            vec![0],
            vec![0xff; 63],
            vec![b'x'; 64],
            vec![b'x'; 65],
            "ünïcödé ✓".as_bytes().to_vec(),
            vec![b' '; MAX_DELIVERY_BYTES],
        ] {
            let signature = sign_with(&secret, ID, TIME, &body);
            let delivery = Delivery::new().body(body).with(WEBHOOK_SIGNATURE, &signature);
            delivery.passes();
        }
    }

    #[test]
    fn case_padding_and_encoding() {
        Delivery::new().renamed(str::to_uppercase).passes();
        let bare = SIGNATURE.trim_end_matches('=');
        for header in [
            SIGNATURE.to_uppercase().replace("V1,", "v1,"),
            bare.to_owned(),
            format!("{SIGNATURE}="),
            SIGNATURE.replace("OE=", "OF="),
            SIGNATURE.replace('+', "-").replace('/', "_"),
            "v1,8348_not_base64".to_owned(),
        ] {
            Delivery::new().with(WEBHOOK_SIGNATURE, &header).does_not_match();
        }
        // By name, two of them pass.
        let loose = |all: Verifier| all.allow(Leniency::LooseSignatures);
        for header in [bare, &SIGNATURE.replace("OE=", "OF=")] {
            Delivery::new().with(WEBHOOK_SIGNATURE, header).receiver(loose).passes();
        }
    }

    #[test]
    fn every_flipped_character_and_every_tampered_part() {
        for place in 3..SIGNATURE.len() {
            let mut flipped = SIGNATURE.as_bytes().to_vec();
            flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(flipped).unwrap();
            Delivery::new().with(WEBHOOK_SIGNATURE, &flipped).does_not_match();
        }
        Delivery::new().body([BODY, b"\n"].concat()).does_not_match();
        Delivery::new().with(WEBHOOK_ID, "msg_other").does_not_match();
        Delivery::new().with(WEBHOOK_TIMESTAMP, &(TIME + 1).to_string()).does_not_match();
    }

    #[test]
    fn window_edges_and_no_window() {
        let minute = std::time::Duration::from_secs(60);
        for (age, passes) in [(60, true), (61, false), (-30, true), (-31, false)] {
            let delivery = Delivery::new().now(TIME + age);
            let verified = delivery.receiver(|all| all.tolerance(minute, minute / 2)).verify();
            assert_eq!(verified.is_ok(), passes, "{age}");
        }
        Delivery::new().now(i64::MAX).receiver(|all| all.tolerance(FOREVER, FOREVER)).passes();
    }

    #[test]
    fn each_missing_and_each_doubled_header() {
        for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
            Delivery::new().without(name).is(VerifyError::MissingHeader { name });
            let good = Delivery::new();
            let same = good.headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
            for value in [same.as_str(), "1"] {
                let doubled = Delivery::new().and(name, value);
                doubled.is(VerifyError::DoubledHeader { name });
                let last = Delivery::new().with(name, value).and(name, &same);
                last.is(VerifyError::DoubledHeader { name });
            }
        }
    }

    #[test]
    fn invalid_secrets() {
        for text in ["", "whsec_", "whsec_%%%", "whsec_AAAA", "not base64!", "whpk_AAAA"] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
    }

    /// The first that fits, the last that fits, none.
    #[test]
    fn verify_any() {
        let secret = || Secret::parse(SECRET).unwrap();
        Delivery::new().keys([secret(), key(0..32)]).passes();
        Delivery::new().keys([key(0..32), secret()]).passes();
        Delivery::new().keys([key(0..32), key(32..64)]).does_not_match();
        Delivery::new().keys([]).is(VerifyError::NoKey { configured: 0 });
    }

    /// Its own: an entry that cannot be decoded hides the good one behind it.
    #[test]
    fn an_undecodable_sibling() {
        for junk in ["v1,%%%", "v1,====", "v1,A", "v1,"] {
            Delivery::new().with(WEBHOOK_SIGNATURE, &format!("{junk} {SIGNATURE}")).passes();
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", Delivery::new().verifier, Secret::parse(SECRET));
        assert!(!shown.contains("MfKQ") && !shown.contains("[49, 242"), "{shown}");
    }
}

/// Of `webhook-receiver-conformance`.
mod harness {
    use super::*;

    const GOLDEN: [&str; 2] = [
        "v1,LH6iSeIQ4CSoqKp0jPAjIJGJrjbG3QBKt3lLL0ewpCg=",
        "v1,uwz7cFaMiqTYKFpTuAf20S6PrXS9anmY7b93FEH1F0s=",
    ];

    fn golden(header: &str) -> Delivery {
        Delivery::new()
            .with(WEBHOOK_ID, "msg_2K5E7Y8J6T4Q")
            .with(WEBHOOK_TIMESTAMP, "1700000000")
            .with(WEBHOOK_SIGNATURE, header)
            .body(*br#"{"id":"evt_1","ok":true}"#)
            .now(1_700_000_000)
    }

    #[test]
    fn rotation_order() {
        let [first, second] = GOLDEN;
        for header in [format!("{first} {second}"), format!("{second} {first}")] {
            for keys in [vec![key(0..32)], vec![key(32..64)], vec![key(32..64), key(0..32)]] {
                golden(&header).keys(keys).passes();
            }
        }
        golden(first).keys([key(32..64)]).does_not_match();
        golden(second).keys([key(0..32)]).does_not_match();
    }

    #[test]
    fn exact_raw_bytes() {
        for body in [
            &br#"{"id": "evt_1","ok":true}"#[..],
            br#"{"ok":true,"id":"evt_1"}"#,
            b"{\"id\":\"evt_1\",\"ok\":true}\n",
            br#"{"id":"evt_1","ok":false}"#,
        ] {
            golden(GOLDEN[0]).body(body).keys([key(0..32)]).does_not_match();
        }
    }

    #[test]
    fn non_canonical_hex_and_base64() {
        let hex = "2c7ea249e210e024a8a8aa748cf023209189ae36c6dd004ab7794b2f47b0a428";
        for value in [hex, &hex.to_uppercase(), "LH6iSeIQ4CSoqKp0jPAjIJGJrjbG3QBKt3lLL0ewpCh="] {
            golden(&format!("v1,{value}")).keys([key(0..32)]).does_not_match();
        }
    }

    /// One signed text, cut in two ways: refused, because ids have no dots. Given up by name, an
    /// id with dots passes, and so would the other cut.
    #[test]
    fn framing_collisions_and_dotted_ids() {
        let secret = key(0..32);
        let signature = sign_with(&secret, "event.1", TIME, BODY);
        let dotted = || {
            let delivery = Delivery::new().with(WEBHOOK_ID, "event.1").keys([key(0..32)]);
            delivery.with(WEBHOOK_SIGNATURE, &signature)
        };
        dotted().is(VerifyError::MalformedId);
        dotted().receiver(|all| all.allow(Leniency::DottedIds)).passes();

        let inner = format!("{TIME}.rest");
        let signature = sign_with(&secret, "event", TIME, inner.as_bytes());
        let plain = Delivery::new().with(WEBHOOK_ID, "event").with(WEBHOOK_SIGNATURE, &signature);
        plain.keys([key(0..32)]).body(inner).passes();
        let recut = Delivery::new().with(WEBHOOK_ID, &format!("event.{TIME}"));
        let recut = recut.with(WEBHOOK_SIGNATURE, &signature).keys([key(0..32)]).body("rest");
        recut.is(VerifyError::MalformedId);
    }

    #[test]
    fn ids_of_any_length() {
        let long = "x".repeat(MAX_ID_BYTES + 1);
        let signature = sign_with(&key(0..32), &long, TIME, BODY);
        let delivery = Delivery::new().with(WEBHOOK_ID, &long).keys([key(0..32)]);
        delivery.with(WEBHOOK_SIGNATURE, &signature).is(VerifyError::MalformedId);
    }
}
