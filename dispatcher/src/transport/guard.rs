//! Where deliveries may go. Checked when a webhook is set, so that a mistake is told at once, and
//! again on the resolved address when connecting, which is what protects: a name can change its
//! answer in between. So names are not resolved when a webhook is set: it would protect nothing,
//! and nobody could set a webhook while a name server sleeps.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::{Host, Url};

use super::is_public;

/// The longest URL.
pub const MAX_URL_BYTES: usize = 2048;

/// Why deliveries may not go there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("not a URL: {0}")]
    Malformed(String),
    #[error("a URL has at most {MAX_URL_BYTES} characters")]
    TooLong,
    #[error("the URL must begin with https://")]
    NotHttps,
    #[error("the URL must begin with https:// or http://")]
    NotHttp,
    #[error("a URL with a user name or password in it is not taken")]
    Credentials,
    #[error("a URL with a #fragment is not taken")]
    Fragment,
    #[error(
        "{0} is not a public address; for development the operator can allow it with --allow-target"
    )]
    NotPublic(String),
}

/// The rules for targets. Clones share the allowed ranges.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    allowed: Arc<[IpNet]>,
}

impl Targets {
    /// Public addresses, and these ranges.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether a connection to this address may be made.
    pub fn allows(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|range| range.contains(&plain))
    }

    /// Reads a webhook's URL and applies every rule that needs no name server.
    pub fn check(&self, text: &str, livemode: bool) -> Result<Url, TargetError> {
        if text.len() > MAX_URL_BYTES {
            return Err(TargetError::TooLong);
        }
        let url = Url::parse(text).map_err(|error| TargetError::Malformed(error.to_string()))?;
        match (url.scheme(), livemode) {
            ("https", _) | ("http", false) => {}
            (_, true) => return Err(TargetError::NotHttps),
            (_, false) => return Err(TargetError::NotHttp),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        // The parser has already turned 0x7f.1, 017700000001 and the like into plain addresses.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) => local_name(name).then_some(LOCALHOST),
            None => return Err(TargetError::Malformed("no host".into())),
        };
        match address {
            Some(address) if !self.allows(address) => {
                Err(TargetError::NotPublic(url.host_str().unwrap_or_default().to_owned()))
            }
            _ => Ok(url),
        }
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// `localhost` and everything below it is this machine (RFC 6761), whatever a name server says.
fn local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        matches!(Targets::default().check(text, false), Err(TargetError::NotPublic(_)))
    }

    #[test]
    fn every_way_to_write_a_private_address_is_seen_through() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "127.1",
            "0",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "app.localhost",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[fe80::1]",
            "10.1.2.3",
            "169.254.169.254",
            "①②⑦.⓪.⓪.①",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
        ] {
            assert!(refused(&format!("http://{host}/hook")), "{host}");
        }
        assert!(Targets::default().check("https://partner.example/hook", true).is_ok());
    }

    #[test]
    fn a_url_has_a_scheme_a_host_and_nothing_to_hide() {
        let check = |text: &str, livemode| Targets::default().check(text, livemode).map(drop);
        assert_eq!(check("http://partner.example", true), Err(TargetError::NotHttps));
        assert_eq!(check("ftp://partner.example", false), Err(TargetError::NotHttp));
        assert_eq!(check("https://a:b@partner.example", false), Err(TargetError::Credentials));
        assert_eq!(check("https://partner.example/#x", false), Err(TargetError::Fragment));
        assert!(matches!(check("partner.example", false), Err(TargetError::Malformed(_))));
        assert!(matches!(check("https://", false), Err(TargetError::Malformed(_))));
        let long = format!("https://partner.example/{}", "x".repeat(MAX_URL_BYTES));
        assert_eq!(check(&long, false), Err(TargetError::TooLong));
    }

    #[test]
    fn a_range_can_be_opened() {
        let targets = Targets::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(targets.check("http://127.0.0.1:3000/hook", false).is_ok());
        assert!(targets.check("http://localhost:3000/hook", false).is_ok());
        assert!(targets.check("http://10.0.0.1/hook", false).is_err());
        assert!(targets.allows("::ffff:127.0.0.1".parse().unwrap()));
    }
}
