//! A listener as a program that knows nothing but the protocol would hold it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_receiver::{Key, Verifier};
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};

use crate::client::{Call, Client, Response, text};
use crate::sse::{Frame, Stream};

/// A listener, and whoever speaks for it.
#[derive(Debug, Clone)]
pub struct Listener {
    pub client: Client,
    pub name: String,
    /// As `PUT` answered.
    pub made: Value,
}

/// A delivery that came down the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub id: i64,
    pub data: Value,
}

impl Listener {
    /// Makes it, or changes it.
    pub async fn put(client: &Client, name: &str, body: &Value) -> Self {
        let made = put(client, name, body).await.must_be(200);
        Self { client: client.clone(), name: name.to_owned(), made }
    }

    /// The path of one of its routes.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/listeners/{}{rest}", self.name)
    }

    /// Opens a stream; panics unless it begins with `hello`.
    pub async fn stream(&self, query: &str) -> Listening {
        let mut stream =
            Stream::open(&self.client, Call::get(self.path(&format!("/stream{query}")))).await;
        let hello = stream.next().await.expect("a hello");
        let Frame::Event { event, data, .. } = hello else { panic!("{hello:?}") };
        assert_eq!(event, "hello");
        Listening { stream, hello: serde_json::from_str(&data).expect("JSON") }
    }

    /// Tells what came of an offer.
    pub async fn tell(&self, offer: &Offer, outcome: &Value) -> Value {
        let mut result = outcome.clone();
        result["delivery"] = offer.data["delivery"].clone();
        result["attempt"] = offer.data["attempt"].clone();
        self.client.post(&self.path("/results"), &json!([result])).await.must_be(200)
    }

    /// Tells that the local server answered with this status.
    pub async fn answer(&self, offer: &Offer, status: u16) -> Value {
        self.tell(offer, &json!({"outcome": "response", "status": status})).await
    }

    pub async fn seek(&self, to: impl Into<Value>) -> Value {
        let body = json!({"to": to.into()});
        self.client.post(&self.path("/seek"), &body).await.must_be(200)
    }

    /// The listener as the API shows it now.
    pub async fn now(&self) -> Value {
        self.client.get(&self.path("")).await.must_be(200)
    }

    /// Every delivery of it, oldest first.
    pub async fn deliveries(&self) -> Vec<Value> {
        let path = format!("/v1/webhooks/{}/deliveries", text(&self.made, "webhook_id"));
        let mut deliveries = self.client.list(&path).await;
        deliveries.sort_by_key(|delivery| delivery["sequence"].as_u64());
        deliveries
    }

    /// Whether the headers and the body of an offer verify with the secret.
    pub fn verifies(&self, offer: &Offer) -> bool {
        let key = Key::parse(text(&self.made, "secret")).expect("a secret");
        let mut headers = HeaderMap::new();
        for pair in offer.data["headers"].as_array().expect("headers") {
            let name: HeaderName = pair[0].as_str().unwrap_or_default().parse().expect("a name");
            let value = pair[1].as_str().unwrap_or_default().parse().expect("a value");
            headers.append(name, value);
        }
        let body = offer.body();
        Verifier::new([key]).verify(&headers, &body, bluum_hooks_receiver::now()).is_ok()
    }
}

/// What `PUT` answers.
pub async fn put(client: &Client, name: &str, body: &Value) -> Response {
    let path = format!("/v1/listeners/{name}");
    client.send(Call::new(Method::PUT, path).body(body.to_string())).await
}

impl Offer {
    /// The bytes that a URL would get.
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(text(&self.data, "body_b64")).expect("base64")
    }

    pub fn event(&self) -> &str {
        text(&self.data, "event")
    }
}

/// An open stream of a listener.
#[derive(Debug)]
pub struct Listening {
    stream: Stream,
    pub hello: Value,
}

impl Listening {
    /// The next frame: its event, its id, its data.
    pub async fn next(&mut self) -> Option<(String, String, Value)> {
        match self.stream.next().await? {
            Frame::Comment => panic!("a comment"),
            Frame::Event { id, event, data } => {
                Some((event, id, serde_json::from_str(&data).expect("JSON")))
            }
        }
    }

    /// The next delivery; nothing else may come before it.
    pub async fn offer(&mut self) -> Offer {
        let (event, id, data) = self.next().await.expect("a delivery");
        assert_eq!(event, "delivery", "{data}");
        Offer { id: id.parse().expect("a sequence number"), data }
    }

    pub async fn offers(&mut self, count: usize) -> Vec<Offer> {
        let mut offers = Vec::with_capacity(count);
        while offers.len() < count {
            offers.push(self.offer().await);
        }
        offers
    }
}
