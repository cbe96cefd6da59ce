//! A good request costs no allocation, whichever kind of key it is signed with.

use allocation_counter::measure;
use bluum_hooks_receiver::testing::{PrivateKey, TestEvent, TestSender};
use bluum_hooks_receiver::{Secret, SigningKey, header};

#[test]
fn a_good_request_is_verified_without_allocating() {
    let secret = |byte| Secret::from_bytes(&[byte; 32]).unwrap();
    let pair = |byte| PrivateKey::from_seed(&[byte; 32]);
    for (name, sender) in [
        ("a secret", TestSender::new()),
        ("two secrets", TestSender::signing_with([secret(1), secret(2)], [])),
        ("a key pair", TestSender::signing_with([], [pair(1)])),
        ("all of them", TestSender::signing_with([secret(1), secret(2)], [pair(1), pair(2)])),
    ] {
        let (verifier, now) = (sender.verifier(), sender.clock().now());
        let mut request = sender.sign(&TestEvent::new("order.filled"));
        // Last in a crowd, too.
        let good = request.header(header::WEBHOOK_SIGNATURE).unwrap();
        let crowd = format!("{}{good}", "v1,AAAA v2,b ".repeat(1_000));
        for _ in 0..2 {
            let mut good = false;
            let cost = measure(|| {
                good = verifier.verify(&request.headers, &request.body, now).is_ok();
            });
            assert!(good, "{name}");
            assert_eq!((cost.count_total, cost.bytes_total), (0, 0), "{name}");
            request = request.with(header::WEBHOOK_SIGNATURE, crowd.clone());
        }
    }
}

/// What is counted is counted: a test that sees nothing would pass too.
#[test]
fn an_allocation_would_be_seen() {
    let key = SigningKey::new(&Secret::from_bytes(&[7; 32]).unwrap());
    assert!(measure(|| drop(key.sign("evt_1", 1, b"{}"))).count_total > 0);
}
