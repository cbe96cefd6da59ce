//! A server to send to: `3000`, `3000/webhooks`, `:3000/x`, `host:3000/x`, or a URL; where several
//! can be, with the events that it is for in front: `order.*=3000`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bluum_hooks_shared::catalogue::Pattern;
use url::{Host, Position, Url};

use super::failure::{Failure, Status};

const FORMS: &str = "write '3000', '3000/webhooks', 'host:3000/webhooks' or a URL";

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Path and query.
    pub(super) path: String,
    /// Whether addresses beyond this machine and private networks are allowed.
    pub(super) remote: bool,
}

impl Target {
    pub(super) fn parse(text: &str, remote: bool) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::new(Status::Usage, format!("'{text}' is no target: {why}")).then(FORMS)
        };
        let (url, with_port) = whole(text);
        let url = Url::parse(&url).map_err(|error| refused(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("only http and https are spoken"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it holds a user or password; use --header 'authorization: …'"));
        }
        if url.fragment().is_some() {
            return Err(refused("a fragment ('#…') is not sent"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(refused("it has no host"));
        };
        if port == 0 || !with_port {
            return Err(refused("it has no port"));
        }
        let path = url[Position::BeforePath..Position::AfterQuery].to_owned();
        let host = host.to_owned();
        let target = Self { https: url.scheme() == "https", host, port, path, remote };
        if let Some(address) = target.literal() {
            target.allows(address)?;
        }
        Ok(target)
    }

    fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Refuses an address that is not near.
    pub(super) fn allows(&self, address: IpAddr) -> Result<(), Failure> {
        match self.remote || is_near(address) {
            true => Ok(()),
            false => {
                let message = format!("{self} is at {address}, which is not on this machine");
                let next = "events may hold personal data: --allow-remote sends them there";
                Err(Failure::new(Status::Usage, message).then(next))
            }
        }
    }

    /// Whether it is this machine by its name or its address.
    pub(super) fn is_here(&self) -> bool {
        self.is_localhost() || self.literal().is_some_and(|address| address.is_loopback())
    }

    /// Checks what the host's name stands for, if it can be found out now.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let Host::Domain(name) = &self.host else { return Ok(()) };
        if self.remote || self.is_localhost() {
            return Ok(());
        }
        let Ok(mut addresses) = tokio::net::lookup_host((name.as_str(), self.port)).await else {
            return Ok(());
        };
        addresses.try_for_each(|address| self.allows(address.ip()))
    }

    /// Both families are tried then, whatever the hosts file says.
    pub(super) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Domain(name) if name == "localhost"
            || name.ends_with(".localhost"))
    }

    /// As the `host` header has it.
    pub(super) fn authority(&self) -> String {
        match (self.https, self.port) {
            (false, 80) | (true, 443) => self.host.to_string(),
            _ => self.address(),
        }
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// One that may be anywhere.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, true).map_err(|failure| failure.to_string())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// The short forms as a URL, and whether a port was said (or a scheme, which implies one).
fn whole(text: &str) -> (String, bool) {
    if text.contains("://") {
        return (text.to_owned(), true);
    }
    let text = text.strip_prefix(':').unwrap_or(text);
    let authority = text.split(['/', '?']).next().unwrap_or_default();
    if !authority.is_empty() && authority.bytes().all(|byte| byte.is_ascii_digit()) {
        return (format!("http://localhost:{text}"), true);
    }
    let port = authority.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    (format!("http://{text}"), port)
}

/// On this machine, or in a private network.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
    }
}

/// A target, and the events that it is for, if that is said.
pub(super) fn route(text: &str, remote: bool) -> Result<(Option<Pattern>, Target), Failure> {
    match text.split_once('=') {
        // A '=' further on belongs to a query.
        Some((glob, target)) if !glob.contains(['/', ':', '?']) => {
            let glob = Pattern::parse(glob).map_err(|error| {
                let next = "write 'order.*=3000' or 'order.filled=3000'";
                Failure::new(Status::Usage, format!("in '{text}', '{glob}': {error}")).then(next)
            })?;
            Ok((Some(glob), Target::parse(target, remote)?))
        }
        _ => Ok((None, Target::parse(text, remote)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_written_short_or_long() {
        for (text, url) in [
            ("3000", "http://localhost:3000/"),
            ("3000/webhooks", "http://localhost:3000/webhooks"),
            ("3000?a=b", "http://localhost:3000/?a=b"),
            (":3000/x?a=b&c", "http://localhost:3000/x?a=b&c"),
            ("web:3000/x", "http://web:3000/x"),
            ("192.168.1.4:3000", "http://192.168.1.4:3000/"),
            ("[::1]:3000/x", "http://[::1]:3000/x"),
            ("http://localhost/x", "http://localhost/x"),
            ("https://127.1:8443", "https://127.0.0.1:8443/"),
            ("https://app.test/x", "https://app.test/x"),
        ] {
            assert_eq!(Target::parse(text, false).unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_told_at_once() {
        for (text, words) in [
            ("", "no"),
            ("localhost:", "no port"),
            ("3000x", "no port"),
            ("http://", "empty host"),
            ("webhooks", "no port"),
            ("localhost/x", "no port"),
            ("0", "no port"),
            ("70000", "invalid port"),
            ("ftp://localhost:1", "only http and https"),
            ("http://a:b@localhost:1", "user or password"),
            ("3000/#x", "fragment"),
            ("8.8.8.8:80", "--allow-remote"),
            ("http://169.254.169.254/", "--allow-remote"),
            ("[::ffff:8.8.8.8]:80", "--allow-remote"),
        ] {
            let failure = Target::parse(text, false).unwrap_err();
            assert_eq!(failure.status, Status::Usage, "{text}");
            assert!(failure.to_string().contains(words), "{text}: {failure}");
        }
        assert!("8.8.8.8:80".parse::<Target>().is_ok());
    }

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        let here = |text: &str| text.parse::<Target>().unwrap().is_here();
        assert!(["3000", "http://a.localhost", "127.0.0.2:1", "[::1]:1"].into_iter().all(here));
        assert!(!["192.168.1.4:1", "localhost.example:1", "0.0.0.0:1"].into_iter().any(here));
    }
}
