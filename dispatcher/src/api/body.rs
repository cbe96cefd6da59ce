//! Reading a request's body, under a cap.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_ENCODING;
use bluum_hooks_shared::error::ErrorCode;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::invalid::Invalid;

/// For settings and the like.
pub(super) const SMALL: usize = 64 * 1024;

/// The whole body, if it has at most `limit` bytes.
pub(super) async fn read(request: Request<Body>, limit: usize) -> Result<Bytes, Invalid> {
    if let Some(encoding) = request.headers().get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        let message = "Send the body as it is, without Content-Encoding.";
        return Err(Invalid::request(ErrorCode::UnsupportedBody, message));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body may have {limit} bytes, this has more.");
            Err(Invalid::request(ErrorCode::BodyTooLarge, message))
        }
        Err(_) => Err(Invalid::request(ErrorCode::Validation, "The body did not arrive whole.")),
    }
}
