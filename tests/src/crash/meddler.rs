//! Somebody who stops webhooks, starts them, and replays.

use serde_json::json;
use tokio::sync::watch;

use super::Door;
use crate::client::{Call, Client, Credentials, Response, text};
use crate::seed::Chance;
use crate::wait;

/// Meddles with these webhooks until the door says `Ended`.
pub async fn run(
    webhooks: Vec<String>,
    key: Credentials,
    mut door: watch::Receiver<Door>,
    mut chance: Chance,
) {
    loop {
        let open = door.wait_for(|door| *door != Door::Shut).await.unwrap().clone();
        let Door::Open(base) = &open else { return };
        let client = Client::new(base, Some(&key));
        while *door.borrow() == open {
            let place = chance.number(0..webhooks.len() as u64);
            let webhook = &webhooks[usize::try_from(place).unwrap()];
            // An error is a death, and what was asked is done or not.
            let _ = meddle(&client, webhook, &mut chance).await;
            wait::pause(chance.millis(0..30)).await;
        }
    }
}

async fn meddle(client: &Client, webhook: &str, chance: &mut Chance) -> Result<(), String> {
    let path = format!("/v1/webhooks/{webhook}");
    let patch =
        |status| Call::new(http::Method::PATCH, &path).body(json!({"status": status}).to_string());
    let replay =
        |filter: serde_json::Value| Call::post(format!("{path}/replay"), filter.to_string());
    let call = match chance.number(0..8) {
        0 | 1 => patch("inactive"),
        2..=4 => patch("active"),
        5 => replay(json!({"status": "delivered", "event": "order.accepted"})),
        6 => replay(json!({})),
        _ => {
            let path = format!("{path}/deliveries?status=delivered&limit=1");
            let found = client.try_send(Call::get(path)).await?.must_be(200);
            let Some(delivery) = found["data"].get(0) else { return Ok(()) };
            Call::post(format!("/v1/deliveries/{}/replay", text(delivery, "id")), "")
        }
    };
    let key = chance.bits().to_string();
    let answer = client.try_send(call.header("idempotency-key", &key)).await?;
    accept(&answer);
    Ok(())
}

/// It is done, or does not apply to what is there by now.
fn accept(answer: &Response) {
    let status = answer.status.as_u16();
    assert!((200..300).contains(&status) || [404, 409].contains(&status), "{answer:?}");
}
