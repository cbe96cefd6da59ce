//! A receiver on hyper, with the tower layer: prints every verified event in one line.
//!
//! `BLUUM_WEBHOOK_SECRET=whsec_… cargo run --example tower_hyper --features tower,events`, then
//! let a webhook point to <http://127.0.0.1:3000/>.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::convert::Infallible;

use bluum_hooks_receiver::tower::VerifyLayer;
use bluum_hooks_receiver::{Data, Verified, Verifier};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;

async fn receive(request: Request<Verified<Bytes>>) -> Result<Response<String>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = match request.body().event() {
        Ok(event) => {
            let what = match &event.data {
                Data::Order(order) => format!("{} is {}", order.id, order.status),
                Data::Deposit(deposit) => format!("{} is {}", deposit.id, deposit.status),
                Data::Unreadable { reason } => format!("cannot be read: {reason}"),
                _ => format!("{} bytes of data", event.raw_data().len()),
            };
            println!("{} {} {} {what}", event.timestamp, event.id, event.name);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_REQUEST,
    };
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("BLUUM_WEBHOOK_SECRET")
        .map_err(|_| "set BLUUM_WEBHOOK_SECRET to the secret shown when the webhook was created")?;
    let verifier =
        Verifier::parse(&secret).map_err(|error| format!("BLUUM_WEBHOOK_SECRET: {error}"))?;
    let service = ServiceBuilder::new().layer(VerifyLayer::new(verifier)).service_fn(receive);
    let service = TowerToHyperService::new(service);

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service.clone());
        // What ends a connection, the client knows already.
        tokio::spawn(async move { connection.await.ok() });
    }
}
