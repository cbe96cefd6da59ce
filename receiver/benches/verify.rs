//! How long a verification takes and what it allocates, beside the libraries of others.
//!
//! `cargo bench -p bluum-hooks-receiver --all-features`. Ends with a table of all of them side by
//! side: the quickest of the samples, since whatever else a machine does makes them slower, and how
//! often and how much is allocated for one request.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so")]
#![expect(clippy::print_stdout, reason = "the table")]

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use bluum_hooks_receiver::testing::{Clock, PrivateKey, Signed, TestEvent, TestSender};
use bluum_hooks_receiver::{Secret, Verifier, header, now};
use criterion::Criterion;
use criterion::measurement::{Measurement, WallTime};
use http::HeaderMap;

/// A request, who verifies it, and what is said of it in the table.
struct Case {
    name: &'static str,
    request: Signed,
    verifier: Verifier,
}

impl Case {
    /// So many bytes under so many signatures, the good one behind.
    fn new(name: &'static str, sender: &TestSender, bytes: usize, junk: usize) -> Self {
        let sender = sender.with_clock(Clock::at(now()));
        let verifier = sender.verifier().max_body_bytes(2 << 20);
        let body = TestEvent::new("order.filled").body();
        let body = body.clone() + &" ".repeat(bytes - body.len());
        let request = sender.sign_bytes("evt_01kv5v1cak0000000000000001", body);
        let good = request.header(header::WEBHOOK_SIGNATURE).unwrap();
        let junk = format!("v1,{}= ", "A".repeat(43)).repeat(junk) + good;
        let request = request.with(header::WEBHOOK_SIGNATURE, junk);
        Self { name, request, verifier }
    }

    fn verified_by(self, verifier: Verifier) -> Self {
        Self { verifier, ..self }
    }
}

fn cases() -> Vec<Case> {
    let secret = |byte| Secret::from_bytes(&[byte; 32]).unwrap();
    let one = TestSender::signing_with([secret(1)], []);
    let both = Verifier::new([secret(2), secret(1)]);
    let pair = TestSender::signing_with([], [PrivateKey::from_seed(&[1; 32])]);
    vec![
        Case::new("1 KiB", &one, 1 << 10, 0),
        Case::new("1 KiB, 3 junk", &one, 1 << 10, 3),
        Case::new("1 KiB, 1,000 junk", &one, 1 << 10, 1_000),
        Case::new("20 KiB", &one, 20 << 10, 0),
        Case::new("1 MiB", &one, 1 << 20, 0),
        Case::new("1 MiB, 1,000 junk", &one, 1 << 20, 1_000),
        // The second of them fits.
        Case::new("1 KiB, two secrets", &one, 1 << 10, 0).verified_by(both),
        Case::new("1 KiB, v1a", &pair, 1 << 10, 0),
    ]
}

/// A figure in the table.
#[derive(Clone, Copy)]
struct Cost {
    nanoseconds: f64,
    allocations: u64,
    bytes: u64,
}

/// Has criterion measure it, and keeps the quickest of what it measured.
fn cost(criterion: &mut Criterion, name: &str, mut verify: impl FnMut() -> bool) -> Option<Cost> {
    // One that refuses would be compared for nothing.
    if !verify() {
        return None;
    }
    let allocated = measure(|| {
        black_box(verify());
    });
    let mut samples: Vec<f64> = Vec::new();
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let start = WallTime.start();
            for _ in 0..times {
                black_box(verify());
            }
            let elapsed: Duration = WallTime.end(start);
            samples.push(WallTime.to_f64(&elapsed) / times.max(1) as f64);
            elapsed
        });
    });
    Some(Cost {
        nanoseconds: samples.into_iter().min_by(f64::total_cmp)?,
        allocations: allocated.count_total,
        bytes: allocated.bytes_total,
    })
}

/// Ours with pairs and with a map, standardwebhooks, svix, webhook-verify; those that can.
fn costs(criterion: &mut Criterion, case: &Case) -> [Option<Cost>; 4] {
    let Signed { headers, body, .. } = &case.request;
    let map: HeaderMap = case.request.clone().into_http::<Vec<u8>>("/").unwrap().headers().clone();
    let pairs: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), str::from_utf8(value).unwrap()))
        .collect();
    let whsec = Secret::from_bytes(&[1; 32]).unwrap().to_whsec();
    let standard = standardwebhooks::Webhook::new(&whsec).unwrap();
    let svix = svix::webhooks::Webhook::new(&whsec).unwrap();
    let secret = webhook_verify::Secret::new(whsec.as_str());
    let mut named = |who: &str, verify: &mut dyn FnMut() -> bool| {
        cost(criterion, &format!("{}/{who}", case.name), verify)
    };
    [
        named("bluum-hooks-receiver", &mut || {
            case.verifier.verify(black_box(&map), black_box(body), now()).is_ok()
        }),
        named("standardwebhooks", &mut || standard.verify(black_box(body), &map).is_ok()),
        named("svix", &mut || svix.verify(black_box(body), &map).is_ok()),
        named("webhook-verify", &mut || {
            webhook_verify::verify(
                webhook_verify::Provider::StandardWebhooks,
                black_box(&pairs),
                black_box(body),
                &secret,
                webhook_verify::VerifyOptions::default(),
            )
            .is_ok()
        }),
    ]
}

fn main() {
    // Eight cases of up to four libraries: short samples, and a tolerance of five minutes.
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_200))
        .without_plots()
        .configure_from_args();
    let rows: Vec<_> =
        cases().iter().map(|case| (case.name, costs(&mut criterion, case))).collect();
    criterion.final_summary();
    println!("\nns (allocations, bytes) per verification; in brackets, times standardwebhooks\n");
    let who = ["bluum-hooks-receiver", "standardwebhooks", "svix", "webhook-verify"];
    println!("| | {} |", who.join(" | "));
    println!("| --- |{}", " --- |".repeat(who.len()));
    for (name, costs) in rows {
        let standard = costs[1].map(|cost| cost.nanoseconds);
        let cells = costs.map(|cost| cell(cost, standard));
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn cell(cost: Option<Cost>, standard: Option<f64>) -> String {
    let Some(Cost { nanoseconds, allocations, bytes }) = cost else { return "-".to_owned() };
    let ratio = standard.map(|of| format!(" [{:.2}]", nanoseconds / of)).unwrap_or_default();
    format!("{nanoseconds:.0}{ratio} ({allocations}, {bytes})")
}
