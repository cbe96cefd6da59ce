//! The documented list envelope.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bluum_hooks_shared::api::List;
use bytes::Bytes;
use serde::Serialize;

use super::answer;
use super::query::Window;

/// Answers with a page. `items` holds one more than the limit, if there is one more.
pub(super) fn page<T: Serialize>(uri: &Uri, mut items: Vec<T>, limit: u32) -> Response {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    items.truncate(limit);
    cut(uri, items, has_more)
}

/// Answers with these items.
pub(super) fn cut<T: Serialize>(uri: &Uri, items: Vec<T>, has_more: bool) -> Response {
    answer::json(StatusCode::OK, &list(uri, items, has_more))
}

/// Answers with a page of a list that is in memory.
pub(super) fn window<T: Serialize>(
    uri: &Uri,
    items: impl Iterator<Item = T>,
    window: Window,
) -> Response {
    let skip = usize::try_from(window.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(window.limit).unwrap_or(usize::MAX).saturating_add(1);
    page(uri, items.skip(skip).take(take).collect(), window.limit)
}

/// These items and no others, as JSON.
pub(super) fn to_bytes<T: Serialize>(uri: &Uri, data: Vec<T>) -> Bytes {
    answer::bytes(&list(uri, data, false))
}

fn list<T>(uri: &Uri, data: Vec<T>, has_more: bool) -> List<T> {
    List { object: "list".into(), url: uri.path().to_owned(), has_more, data }
}
