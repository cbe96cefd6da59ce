//! A receiver on actix: prints every verified event in one line.
//!
//! actix has a header map of its own, so [`verify`] hands the headers over as pairs. With any
//! other framework it is the same three lines.
//!
//! `BLUUM_WEBHOOK_SECRET=whsec_… cargo run --example actix --features events`, then let a webhook
//! point to <http://127.0.0.1:3000/webhooks>.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data as State, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bluum_hooks_receiver::header::MAX_DELIVERY_BYTES;
use bluum_hooks_receiver::{Data, Event, Verifier, VerifyError, now};

/// The event in a request, or the status to refuse it with.
fn verify(verifier: &Verifier, request: &HttpRequest, body: &[u8]) -> Result<Event, StatusCode> {
    // All of them, also where one name is there twice.
    let headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let verified = verifier.verify(&headers, body, now()).map_err(|refused: VerifyError| {
        eprintln!("webhook refused: {refused}");
        StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST)
    })?;
    verified.event().map_err(|malformed| {
        eprintln!("webhook refused: {malformed}");
        StatusCode::BAD_REQUEST
    })
}

async fn receive(verifier: State<Verifier>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let event = match verify(&verifier, &request, &body) {
        Ok(event) => event,
        Err(status) => return HttpResponse::new(status),
    };
    let what = match &event.data {
        Data::Order(order) => format!("{} is {}", order.id, order.status),
        Data::Deposit(deposit) => format!("{} is {}", deposit.id, deposit.status),
        Data::Unreadable { reason } => format!("cannot be read: {reason}"),
        _ => format!("{} bytes of data", event.raw_data().len()),
    };
    println!("{} {} {} {what}", event.timestamp, event.id, event.name);
    HttpResponse::NoContent().finish()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("BLUUM_WEBHOOK_SECRET")
        .map_err(|_| "set BLUUM_WEBHOOK_SECRET to the secret shown when the webhook was created")?;
    let verifier =
        Verifier::parse(&secret).map_err(|error| format!("BLUUM_WEBHOOK_SECRET: {error}"))?;
    let verifier = State::new(verifier);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(verifier.clone())
            // actix reads the body before we see the headers, so this is what bounds it.
            .app_data(PayloadConfig::new(MAX_DELIVERY_BYTES))
            .route("/webhooks", web::post().to(receive))
    });
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let server = server.bind(address)?;
    for address in server.addrs() {
        println!("listening on http://{address}/webhooks");
    }
    Ok(server.run().await?)
}
