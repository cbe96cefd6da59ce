//! One hop of plain HTTP: a hyper client that posts to a hyper server.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::receiver::Receiver;
use super::{CONNECTIONS, Outcome, PAYLOAD, load, on_a_thread};

/// How many requests a second go over kept-alive connections when nobody does anything with them.
pub fn measure(length: Duration) -> Outcome<f64> {
    let receiver = Receiver::start();
    let address = receiver.address;
    let body = Bytes::from(vec![b'x'; PAYLOAD]);
    let client = on_a_thread(move || async move {
        let request = move |_| {
            let request = Request::post("/").header("host", "localhost");
            request.body(Full::new(body.clone())).expect("a request")
        };
        load::saturate(address, CONNECTIONS, length, request).await
    });
    let done = client.join().expect("the client");
    done.map(|done| done.per_second()).map_err(|why| format!("plain HTTP: {why}"))
}
