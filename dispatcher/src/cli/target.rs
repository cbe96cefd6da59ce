//! A server to send to: `3000`, `3000/webhooks`, `:3000/x`, `host:3000/x`, or a URL.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// An `http` or `https` URL, made from whatever was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target(Url);

impl Target {
    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("'{text}' is no target: {why}; write 3000, 3000/webhooks, host:3000/x or a URL")
        };
        let url = match text.contains("://") {
            true => text.to_owned(),
            false => spelled_out(text).ok_or_else(|| wrong("no port stands in it"))?,
        };
        let url = Url::parse(&url).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("only http:// and https:// are spoken"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(wrong("no user, password or #fragment can be in it"));
        }
        if url.port() == Some(0) {
            return Err(wrong("nobody listens on port 0"));
        }
        Ok(Self(url))
    }
}

/// The URL that a port alone, or a host with a port, stands for.
fn spelled_out(text: &str) -> Option<String> {
    let (server, path) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    let (host, port) = server.rsplit_once(':').unwrap_or(("", server));
    let host = if host.is_empty() { "localhost" } else { host };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| format!("http://{host}:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_a_url() {
        for (text, url) in [
            ("3000", "http://localhost:3000/"),
            (":3000", "http://localhost:3000/"),
            ("3000/webhooks", "http://localhost:3000/webhooks"),
            (":3000/a/b?c=d", "http://localhost:3000/a/b?c=d"),
            ("3000?c=d", "http://localhost:3000/?c=d"),
            ("app.test:8080/x", "http://app.test:8080/x"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000/"),
            ("[::1]:3000/x", "http://[::1]:3000/x"),
            ("https://localhost/x", "https://localhost/x"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_target_is_told() {
        for (text, words) in [
            ("", "no port"),
            ("webhooks", "no port"),
            ("localhost", "no port"),
            ("localhost:", "no port"),
            ("3000x", "no port"),
            ("99999", "invalid port"),
            ("0", "port 0"),
            ("ftp://localhost", "only http"),
            ("http://a:b@localhost", "no user"),
            ("3000/x#y", "#fragment"),
            ("http://", "empty host"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(words) && error.contains("write 3000"), "{error}");
        }
    }
}
