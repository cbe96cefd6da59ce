//! What stands in a path where the route has a parameter.

use std::sync::Arc;

use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;

use super::Api;
use super::error::ApiError;
use crate::invalid::Invalid;

/// As in axum, but for the answer to bytes that are no text.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl FromRequestParts<Arc<Api>> for Path<String> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let path = extract::Path::<String>::from_request_parts(parts, api).await;
        let extract::Path(text) = path.map_err(|_| Invalid::not_found("id"))?;
        Ok(Self(text))
    }
}
