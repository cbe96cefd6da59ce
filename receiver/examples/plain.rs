//! Verification without a framework: plays both ends of the wire and shows what is refused.
//!
//! `cargo run --example plain`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use bluum_hooks_receiver::{Data, Secret, SigningKey, Verifier, now};

const BODY: &str = r#"{"id":"evt_01kv5v1cd09n7q5s3v1x0z2b4d","object":"event","created":1781533815,
"livemode":false,"event":"order.filled","timestamp":"2026-06-15T14:30:15.123Z","investor_id":null,
"data":{"id":"ord_01kv5v19nh3s0c9x2m4n6p8q1r","status":"filled","symbol":"AAPL","side":"buy",
"filled_quantity":"10","average_price":"178.50"}}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = Secret::parse("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")?;
    let id = "evt_01kv5v1cd09n7q5s3v1x0z2b4d";
    let timestamp = now().as_unix_seconds();
    let headers = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", SigningKey::new(&secret).sign(id, timestamp, BODY.as_bytes())),
    ];

    let verifier = Verifier::new([secret]);
    let event = verifier.verify(&headers, BODY.as_bytes(), now())?.event()?;
    if let Data::Order(order) = &event.data {
        let value = order.filled_value().ok_or("nothing is filled")?;
        println!("accepted: {}, {} is {}, worth {value}", event.name, order.id, order.status);
    }

    let altered = BODY.replace("178.50", "17850");
    if let Err(refused) = verifier.verify(&headers, altered.as_bytes(), now()) {
        println!("refused with {}: {refused}", refused.status());
    }
    if let Err(refused) = verifier.verify(&headers[..2], BODY.as_bytes(), now()) {
        println!("refused with {}: {refused}", refused.status());
    }
    Ok(())
}
