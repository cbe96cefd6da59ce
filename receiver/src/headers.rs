//! Headers, wherever they come from: no type of an HTTP library is part of the verifier.

use alloc::vec::Vec;

/// Looks up the values of a header.
///
/// Implemented for lists of pairs and, with the feature `http`, for `http::HeaderMap`. For
/// anything else, return *every* value of the name: a header sent twice must be seen twice, since
/// whoever sits in between may have read the other one.
pub trait Headers {
    /// Every value of the header called `name` (given in lower case, compared without regard to
    /// case), in the order received.
    fn values_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]>;
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Headers for [(K, V)] {
    fn values_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(key, _)| key.as_ref().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, const N: usize> Headers for [(K, V); N] {
    fn values_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().values_of(name)
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(K, V)> {
    fn values_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().values_of(name)
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn values_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(http::HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_whatever_their_case_and_all_of_them() {
        let pairs = [("Webhook-Id", "a"), ("other", "b"), ("webhook-ID", "c")];
        let found: Vec<_> = pairs.values_of("webhook-id").collect();
        assert_eq!(found, [b"a", b"c"]);
        assert_eq!(pairs.to_vec().values_of("webhook-signature").count(), 0);
    }

    #[cfg(feature = "http")]
    #[test]
    fn header_maps_give_up_their_doubles() {
        let mut map = http::HeaderMap::new();
        map.append("webhook-id", http::HeaderValue::from_static("a"));
        map.append("webhook-id", http::HeaderValue::from_static("a"));
        assert_eq!(map.values_of("webhook-id").count(), 2);
    }
}
