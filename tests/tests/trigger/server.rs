//! `trigger --to`: straight to a server, right or wrong in just the way asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use bluum_hooks_receiver::{Data, Verifier, now};
use bluum_hooks_shared::catalogue::CATALOGUE;
use bluum_hooks_tests::binary;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::sink::{Request, Sink, refusing_port};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::{SCENARIOS, SECRET, file, lines, receiver, trigger, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_type_and_scenario_arrives_at_a_server_that_verifies_it() {
    let sink = receiver().await;
    let target = sink.url("/webhooks");
    let mut seen = 0;
    for name in CATALOGUE.iter().map(|known| known.name).chain(SCENARIOS) {
        let run = trigger(&[name, "--to", &target, "--json"]).must_exit(0);
        assert_eq!(run.stderr, "");
        let sent = lines(&run);
        let requests = sink.until_count(seen + sent.len()).await.split_off(seen);
        seen += sent.len();
        for (line, request) in sent.iter().zip(&requests) {
            let event = verify(request, SECRET).unwrap();
            assert_eq!((text(line, "event"), &line["status"]), (&*event.id, &json!(204)));
            assert_eq!(text(line, "event_type"), event.name);
            assert!(!matches!(event.data, Data::Unknown | Data::Unreadable { .. }), "{event:?}");
            assert_eq!((&*request.path, request.attempt()), ("/webhooks", 1));
            assert!(request.header("user-agent").starts_with("Bluum-Hooks/"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_is_told_or_said_and_never_an_argument() {
    let sink = Sink::always(200).await;
    let target = sink.url("/");
    let plain = |arguments: &[&str]| {
        let mut command = binary::command(&["trigger", "order.filled", "--to", &target]);
        command.env_remove("WEBHOOK_SECRET").args(arguments);
        command
    };
    let told = binary::finish(plain(&[])).must_exit(0);
    let demo = told.stderr.split([' ', ';']).find(|word| word.starts_with("whsec_")).unwrap();
    assert!(told.stderr.contains("the demo secret"), "{told:?}");
    verify(&sink.requests()[0], demo).unwrap();

    let (_folder, path) = file("secret", SECRET);
    binary::finish(plain(&["--secret", &format!("file:{path}")])).must_exit(0);
    let mut variable = plain(&[]);
    variable.env("BLUUM_WEBHOOK_SECRET", SECRET);
    assert_eq!(binary::finish(variable).must_exit(0).stderr, "");
    for request in sink.until_count(3).await.split_off(1) {
        verify(&request, SECRET).unwrap();
    }
    let run = binary::finish(plain(&["--secret", SECRET])).must_exit(2);
    assert!(run.stderr.contains("others can read arguments") && !run.stderr.contains("QUFB"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_duplicate_is_the_same_event_and_body_again() {
    let sink = receiver().await;
    trigger(&["order.filled", "--to", &sink.url("/"), "--fault", "duplicate"]).must_exit(0);
    let requests = sink.until_count(2).await;
    assert_eq!(requests[0].event_id(), requests[1].event_id());
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!((requests[0].attempt(), requests[1].attempt()), (1, 2));
    requests.iter().for_each(|request| drop(verify(request, SECRET).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reordered_events_come_the_later_first() {
    let sink = receiver().await;
    trigger(&["kyc-approved", "--to", &sink.url("/"), "--fault", "reorder"]).must_exit(0);
    let requests = sink.until_count(5).await;
    let names: Vec<_> = requests.iter().map(Request::event).collect();
    let order = [
        "document.approved",
        "account.created",
        "kyc.verification.approved",
        "kyc.decided",
        "account.updated",
    ];
    assert_eq!(names, order);
    let times: Vec<_> = requests.iter().map(|it| verify(it, SECRET).unwrap().timestamp).collect();
    assert!(times[1] < times[0] && times[3] < times[2] && times[0] < times[4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_delayed_event_comes_late_and_freshly_signed() {
    let sink = receiver().await;
    trigger(&["order.filled", "--to", &sink.url("/"), "--fault", "delay=2s"]).must_exit(0);
    let request = &sink.until_count(1).await[0];
    let happened = verify(request, SECRET).unwrap().timestamp.as_unix_seconds();
    let signed: i64 = request.header("webhook-timestamp").parse().unwrap();
    assert!((2..60).contains(&(signed - happened)), "{happened}, signed {signed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bad_signatures_are_refused_by_a_good_receiver_and_told_of_a_bad_one() {
    let (good, bad) = (receiver().await, Sink::always(200).await);
    for (fault, reason) in [("stale-timestamp", "too_old"), ("bad-signature", "no_match")] {
        let send = |sink: &Sink| {
            trigger(&["order.filled", "--to", &sink.url("/"), "--fault", fault, "-c", "2"])
        };
        let run = send(&good).must_exit(0);
        assert_eq!(run.stdout.matches("401").count(), 2, "{run:?}");
        assert_eq!(run.stdout.matches("refused, as it should be").count(), 2, "{run:?}");
        for request in good.requests().iter().rev().take(2) {
            assert_eq!(verify(request, SECRET).unwrap_err().reason(), reason);
        }
        let run = send(&bad).must_exit(8);
        assert!(run.stdout.contains("taken, and should have been refused"), "{run:?}");
        assert!(run.stderr.contains("2 of 2 were not answered as they should be; "), "{run:?}");
    }
    let request = &good.requests()[0];
    let sent: i64 = request.header("webhook-timestamp").parse().unwrap();
    let old = Verifier::parse(SECRET).unwrap().tolerance(Duration::from_hours(1), Duration::ZERO);
    assert!(now().as_unix_seconds() - sent >= 600);
    assert!(old.verify(&request.headers, &request.body, now()).is_ok(), "stale, but well signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_that_is_dropped_ends_in_the_middle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    });
    let target = format!("127.0.0.1:{port}/x?y=z");
    let run = trigger(&["order.filled", "--to", &target, "--fault", "drop-mid-body"]).must_exit(0);
    let received = received.await.unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /x?y=z HTTP/1.1\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    assert!(body.starts_with(r#"{"id":"evt_"#) && body.len() == length / 2, "{received}");
    assert!(run.stdout.contains(&format!("ended after {} of {length} bytes", body.len())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_taken_is_status_8() {
    let sink = Sink::in_turn(&[500, 200]).await;
    let run = trigger(&["order.filled", "--to", &sink.url("/"), "-c", "3"]).must_exit(8);
    assert_eq!(sink.requests().len(), 3, "one that fails keeps no other back");
    assert!(run.stderr.contains("1 of 3 were not answered as they should be; "), "{run:?}");
    let (_socket, address) = refusing_port();
    let run = trigger(&["journey", "--to", &address.to_string()]).must_exit(8);
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    assert!(run.stderr.contains("nobody answers at http://127.0.0.1:"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rate_spaces_events_out() {
    let sink = receiver().await;
    let rate = ["order.filled", "--to", &sink.url("/"), "-c", "4", "--rate", "5/s"];
    trigger(&rate).must_exit(0);
    let requests = sink.until_count(4).await;
    let took = requests[3].at - requests[0].at;
    assert!(took >= Duration::from_millis(550), "{took:?}");
    let ids: BTreeSet<_> = requests.iter().map(Request::event_id).collect();
    assert_eq!(ids.len(), 4);
}
