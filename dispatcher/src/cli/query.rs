//! Paths and lists, the same for every command.

use std::collections::BTreeMap;

use bluum_hooks_shared::api::{Delivery, List, MAX_LIMIT, Webhook};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::args::ListArgs;
use crate::client::{Client, ClientError};

/// The path of one object. Whatever was typed stays one segment.
pub(super) fn item(collection: &str, id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("{collection}/{id}")
}

/// The path of a list, with those parameters that were given.
pub(super) fn path(collection: &str, list: &ListArgs, filters: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let limit = list.limit.map(|limit| limit.to_string());
    let page = [("limit", limit.as_deref()), ("starting_after", list.starting_after.as_deref())];
    for (name, value) in page.iter().chain(filters) {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => collection.to_owned(),
        query => format!("{collection}?{query}"),
    }
}

/// One object.
pub(super) async fn one<T: DeserializeOwned>(
    client: &Client,
    collection: &str,
    id: &str,
) -> Result<T, ClientError> {
    client.read(&client.get(&item(collection, id)).await?)
}

/// All items of a list, page by page.
pub(super) async fn all<T: DeserializeOwned + Identified>(
    collection: &str,
    filters: &[(&str, Option<&str>)],
    client: &Client,
) -> Result<Vec<T>, ClientError> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let page = ListArgs { limit: Some(MAX_LIMIT), starting_after: all.last().map(T::id) };
        let answer = client.get(&path(collection, &page, filters)).await?;
        let page: List<T> = client.read(&answer)?;
        all.extend(page.data);
        if !page.has_more {
            return Ok(all);
        }
    }
}

/// What a list can be gone on with after.
pub(super) trait Identified {
    fn id(&self) -> String;
}

impl Identified for Delivery {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

impl Identified for Webhook {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// A body of those fields that were given.
pub(super) fn given<const N: usize>(
    fields: [(&'static str, Option<String>); N],
) -> BTreeMap<&'static str, String> {
    fields.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// The rows, and what to say where there are none or more of them.
pub(super) fn with_more<T>(list: &List<T>, rows: String) -> String {
    match (list.data.is_empty(), list.has_more) {
        (true, _) => "none".into(),
        (_, false) => rows,
        (_, true) => format!("{rows}\n… and more: --limit, or --starting-after the last id"),
    }
}
