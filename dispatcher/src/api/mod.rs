//! The HTTP API: partners, publishers and tools come in here.
//!
//! Handlers check, ask the store, and answer. They never see the engine: what they accept stands in
//! the table of deliveries, and that is all the engine needs.

mod answer;
mod auth;
mod body;
mod deliveries;
mod error;
mod event_types;
mod events;
mod head;
mod headers;
mod health;
mod idempotency;
mod keys;
pub mod limit;
mod list;
mod listeners;
mod openapi;
mod path;
mod query;
mod replays;
mod secrets;
pub mod server;
mod settings;
pub mod stream;
mod tenants;
mod test_events;
mod unread;
mod webhooks;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::header::REQUEST_ID;
use bluum_hooks_shared::id::RequestId;
use tracing::{Instrument, debug, info_span};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::error::ApiError;
use self::limit::Limiter;
use self::openapi::Document;
use self::stream::Streams;
use crate::acceptor::Acceptor;
use crate::config::Limits;
use crate::context::Context;
use crate::invalid::Invalid;
use crate::policy::retry::RetrySchedule;
use crate::store::StoreError;
use crate::transport::Targets;

/// What handlers work with.
#[derive(Debug)]
pub struct Api {
    pub context: Context,
    pub acceptor: Acceptor,
    /// Where webhooks may point.
    pub targets: Targets,
    pub limiter: Limiter,
    pub limits: Limits,
    /// For webhooks without a schedule of their own.
    pub schedule: RetrySchedule,
    pub streams: Streams,
}

type Shared = State<Arc<Api>>;

/// Every route there is. Its method and its path stand at its handler, with what
/// `GET /v1/openapi.json` says of it.
pub fn router(api: Arc<Api>) -> Router {
    // These need a key.
    let (keyed, keyed_description) = OpenApiRouter::new()
        .routes(routes!(events::list, events::publish))
        .routes(routes!(events::publish_batch))
        .routes(routes!(stream::open))
        .routes(routes!(events::show))
        .routes(routes!(deliveries::of_event))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(event_types::list))
        .routes(routes!(webhooks::show, webhooks::update, webhooks::delete))
        .routes(routes!(secrets::rotate))
        .routes(routes!(deliveries::of_webhook))
        .routes(routes!(test_events::send))
        .routes(routes!(replays::many))
        .routes(routes!(replays::list))
        .routes(routes!(replays::show, replays::cancel))
        .routes(routes!(deliveries::show))
        .routes(routes!(replays::one))
        .routes(routes!(listeners::put, listeners::show, listeners::delete))
        .routes(routes!(listeners::stream::open))
        .routes(routes!(listeners::results::take))
        .routes(routes!(listeners::seek::seek))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::show, keys::revoke))
        .split_for_parts();
    // These need none.
    let (open, open_description) = OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(openapi::show))
        .split_for_parts();
    let document = Extension(Document::new(keyed_description, open_description));
    keyed
        .method_not_allowed_fallback(unknown_method)
        .route_layer(middleware::from_fn_with_state(Arc::clone(&api), limit::admit))
        .merge(open.layer(document))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), receive))
        .with_state(api)
}

/// Does a write to the end, even if the client hangs up and nobody waits for it any more: a change
/// that reached the database must reach memory too.
async fn to_the_end<T: Send + 'static>(
    write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<Result<T, StoreError>, ApiError> {
    tokio::spawn(write).await.map_err(|died| ApiError::internal(&died))
}

/// Gives every request an id that every answer and every log line carries, and lets pass those with
/// a sound head. A panic ends its request and nothing else. One layer of three parts, because the
/// router boxes every layer for every request.
async fn receive(State(api): Shared, mut request: Request, next: Next) -> Response {
    let Context { clock, random, .. } = &api.context;
    let id = RequestId::new(clock.now(), random.bits());
    let span = info_span!("request", request.id = %id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = async {
        if let Err(refusal) = head::check(&api, &mut request) {
            return ApiError::from(refusal).into_response();
        }
        error::unless_it_panics(next.run(request)).await
    };
    let mut response = answered.instrument(span.clone()).await;
    debug!(parent: &span, %method, path, status = response.status().as_u16(), "answered");
    headers::complete(&mut response);
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn unknown_route(uri: Uri) -> ApiError {
    let path = uri.path();
    let hint = match path.strip_suffix('/') {
        Some(shorter) if path.starts_with("/v1/") => format!("did you mean {shorter}?"),
        _ => "all of them begin with /v1/.".to_owned(),
    };
    Invalid::request(ErrorCode::UnknownRoute, format!("There is no route {path}; {hint}")).into()
}

/// OPTIONS asks just for what stands in Allow, which the router adds.
async fn unknown_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = format!("{} does not take {method}; see the Allow header.", uri.path());
    ApiError::from(Invalid::request(ErrorCode::MethodNotAllowed, message)).into_response()
}
