//! Whose fault it is that a name has no address.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::net::IpAddr;
use std::time::Duration;

use bluum_hooks_dispatcher::transport::http::HttpTransport;
use bluum_hooks_dispatcher::transport::{Request, Resolve, Targets, Transport, Unresolved};
use bluum_hooks_shared::api::AttemptOutcome;
use bytes::Bytes;

/// Knows one name, of two that they have no address, and of the rest nothing.
#[derive(Debug)]
struct Sleepy;

#[async_trait::async_trait]
impl Resolve for Sleepy {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        match name {
            "known.example" => Ok(vec!["127.0.0.1".parse().unwrap()]),
            "empty.example" => Ok(Vec::new()),
            "nowhere.example" => Err(Unresolved::NoAddress("there is none".into())),
            "slow.example" => std::future::pending().await,
            _ => Err(Unresolved::NoAnswer("try again".into())),
        }
    }
}

/// What comes of requests to these hosts, one after the other, on the transport of the daemon.
async fn outcomes<const N: usize>(hosts: [&str; N]) -> [(AttemptOutcome, String); N] {
    let targets = Targets::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let transport = HttpTransport::with_resolver(targets, Sleepy).unwrap();
    let mut outcomes = Vec::new();
    for host in hosts {
        let request = Request {
            url: format!("http://{host}:1/"),
            headers: http::HeaderMap::new(),
            body: Bytes::from_static(b"{}"),
            timeout: Duration::from_secs(10),
        };
        let error = transport.send(request).await.unwrap_err();
        outcomes.push((error.outcome(), error.to_string()));
    }
    outcomes.try_into().unwrap()
}

#[tokio::test]
async fn a_name_without_an_address_is_the_receivers_fault() {
    let told = outcomes(["nowhere.example", "empty.example"]).await;
    assert_eq!(told.each_ref().map(|told| told.0), [AttemptOutcome::Dns; 2]);
    assert_eq!(told[0].1, "the host name could not be resolved: there is none");
    assert_eq!(told[1].1, "the host name could not be resolved: the name has no address");
}

#[tokio::test]
async fn that_nobody_can_say_is_our_fault_unless_others_can_be_resolved() {
    let told = outcomes(["silent.example", "slow.example", "known.example", "silent.example"]);
    let told = told.await;
    assert_eq!(
        told.each_ref().map(|told| told.0),
        [
            AttemptOutcome::OurFault,
            AttemptOutcome::OurFault,
            AttemptOutcome::Connect,
            AttemptOutcome::Dns,
        ]
    );
    let ours = "not sent, for a fault on the sender's side, which is not counted";
    assert_eq!(told[0].1, format!("{ours}: try again"));
    assert_eq!(told[1].1, format!("{ours}: no answer within 3.5 s"));
}
