use std::time::Duration;

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::*;

type Http = Client<HttpConnector, String>;

/// Posts `body` and reads the head of the answer.
async fn post(http: &Http, url: &str, body: &str) -> Result<Response<Incoming>, String> {
    let request = http::Request::post(url).header("webhook-id", "evt_1").body(body.to_owned());
    http.request(request.unwrap()).await.map_err(|error| format!("{error:?}"))
}

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

#[tokio::test]
async fn keeps_what_came_and_answers_in_turn() {
    let sink = Sink::in_turn(&[500, 204]).await;
    let http = http();
    for expected in [500, 204, 204] {
        let answer = post(&http, &sink.url("/in"), "{\"n\": 1.50}").await.unwrap();
        assert_eq!(answer.status(), expected);
    }
    let requests = sink.until_count(3).await;
    assert_eq!(requests[2].number, 2);
    assert_eq!(requests[1].body, "{\"n\": 1.50}");
    assert_eq!((requests[0].path.as_str(), requests[0].event_id()), ("/in", "evt_1"));
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let sink = Sink::start(|_| Answer::reset()).await;
    let error = post(&http(), &sink.url("/"), "x").await.unwrap_err();
    assert!(error.contains("ConnectionReset"), "{error}");
    sink.until_count(1).await;
}

#[tokio::test]
async fn drips_and_ends() {
    let pause = Duration::from_millis(1);
    let sink = Sink::start(move |_| Answer::status(200).drip("slow", pause)).await;
    let answer = post(&http(), &sink.url("/"), "").await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "slow");
}

#[tokio::test]
async fn an_endless_body_goes_on_while_it_is_read() {
    let sink = Sink::start(|_| Answer::status(200).endless()).await;
    let mut body = post(&http(), &sink.url("/"), "").await.unwrap().into_body();
    let mut length = 0;
    while length < 1_000_000 {
        length += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
}

#[tokio::test]
async fn a_late_answer_is_late() {
    let sink = Sink::start(|_| Answer::status(200).after(Duration::from_secs(3600))).await;
    let http = http();
    let url = sink.url("/");
    let answer = wait::within(Duration::from_millis(50), post(&http, &url, "x"));
    assert!(answer.await.is_none());
    sink.until_count(1).await;
}

#[tokio::test]
async fn a_refusing_port_refuses() {
    let (_held, address) = refusing_port();
    let error = post(&http(), &format!("http://{address}/"), "").await.unwrap_err();
    assert!(error.contains("ConnectionRefused"), "{error}");
}
