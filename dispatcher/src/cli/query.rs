//! Paths and lists, the same for every command.

use std::collections::BTreeMap;

use bluum_hooks_shared::api::List;
use url::form_urlencoded;

use super::args::ListArgs;

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
