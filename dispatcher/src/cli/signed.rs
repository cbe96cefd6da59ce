//! Requests and secrets that somebody hands in, from files, variables and standard input.

use std::io::{self, Read};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::failure::{Failure, Status};

/// More than any request that can be verified.
const MAX_INPUT_BYTES: u64 = 16 << 20;

/// A request as it was received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A secret or a public key, and where it came from.
#[derive(Debug)]
pub(super) struct NamedKey {
    pub(super) from: String,
    /// As it stands there, white space around it included.
    pub(super) text: String,
}

fn unusable(message: impl Into<String>) -> Failure {
    Failure::new(Status::Usage, message)
}

/// Standard input is read once, by the first who asks.
pub(super) fn one_reads_stdin<'a>(
    sources: impl IntoIterator<Item = &'a String>,
) -> Result<(), Failure> {
    match sources.into_iter().filter(|from| *from == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(unusable("standard input can only be one of them")),
    }
}

/// `@FILE`, or `-`.
pub(super) fn read(from: &str) -> Result<Vec<u8>, Failure> {
    let refused = |error: io::Error| unusable(format!("cannot read {from}: {error}"));
    let mut bytes = Vec::new();
    let read = match from.strip_prefix('@') {
        Some(path) => {
            let file = fs::File::open(path).map_err(refused)?;
            file.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes)
        }
        None if from == "-" => io::stdin().take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes),
        None => {
            let next = format!("write @{from} for a file, or - for standard input");
            return Err(unusable(format!("'{from}' is not where something could be")).then(next));
        }
    };
    match read.map_err(refused)? {
        length if length as u64 > MAX_INPUT_BYTES => {
            Err(unusable(format!("{from} is larger than {MAX_INPUT_BYTES} bytes")))
        }
        _ => Ok(bytes),
    }
}

/// `env:VAR`, `file:PATH`, or `-`. Never the secret itself: others can read arguments.
pub(super) fn key(from: &str) -> Result<NamedKey, Failure> {
    let text = if let Some(name) = from.strip_prefix("env:") {
        env::var(name).map_err(|_| {
            unusable(format!("{name} is not set"))
                .then("set it to the webhook's secret, or say where it is with --secret file:PATH")
        })?
    } else if from == "-" || from.starts_with("file:") {
        let source = from.replacen("file:", "@", 1);
        String::from_utf8(read(&source)?).map_err(|_| unusable(format!("{from} is not text")))?
    } else {
        let next = "others can read arguments: put it into a variable or a file, and say env:VAR \
                    or file:PATH";
        return Err(unusable("--secret takes where the secret is").then(next));
    };
    Ok(NamedKey { from: from.to_owned(), text })
}

/// Headers as `-H` takes them.
pub(super) fn headers(lines: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let header = |line: &String| {
        header(line).ok_or_else(|| unusable("--header takes 'NAME: VALUE', the colon included"))
    };
    lines.iter().map(header).collect()
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let named = !name.is_empty() && name.bytes().all(plain);
    named.then(|| (name.to_owned(), value.trim_matches([' ', '\t', '\r']).to_owned()))
}

impl Received {
    /// From a request as it went over the wire, or from JSON that holds one.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        match bytes.trim_ascii_start().first() {
            None => Err(unusable("there is nothing to verify")),
            Some(b'{') => Self::of_json(bytes),
            Some(_) => Self::of_wire(bytes),
        }
    }

    fn of_wire(bytes: &[u8]) -> Result<Self, Failure> {
        let blank = |ending: &[u8]| {
            let at = bytes.windows(ending.len()).position(|window| window == ending)?;
            Some((at, at + ending.len()))
        };
        let (head, body) = match (blank(b"\r\n\r\n"), blank(b"\n\n")) {
            (Some(wire), Some(file)) if file.0 < wire.0 => file,
            (Some(wire), _) => wire,
            (None, Some(file)) => file,
            (None, None) => {
                let next = "a request is a line, headers, an empty line, and the body";
                return Err(unusable("this is neither JSON nor a request").then(next));
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head]).into_owned();
        // As `curl --verbose` shows what it sends.
        let lines = head.lines().map(|line| line.strip_prefix("> ").unwrap_or(line));
        let lines = (1..).zip(lines).skip_while(|(_, line)| line.contains(" HTTP/"));
        let headers = lines.map(|(number, line)| {
            let refused = || unusable(format!("line {number} is not a header of a request"));
            header(line).ok_or_else(refused)
        });
        Ok(Self { headers: headers.collect::<Result<_, _>>()?, body: bytes[body..].to_vec() })
    }

    fn of_json(bytes: &[u8]) -> Result<Self, Failure> {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(unusable(format!("this is not JSON: {error}"))),
            None => return Err(unusable("there is nothing to verify")),
        };
        let more = values.count();
        if more > 0 {
            let next = "pick one, as `tail -n 1 FILE | bluum-hooks verify -` does";
            return Err(unusable(format!("there are {} requests here", more + 1)).then(next));
        }
        let request = value.get("request").unwrap_or(&value);
        Self::of_object(request).ok_or_else(|| {
            unusable("this JSON holds no request").then(
                "it needs 'headers', by name or as a list of pairs, and 'body', the text as it \
                 was received and not parsed, or 'body_b64'",
            )
        })
    }

    fn of_object(request: &Value) -> Option<Self> {
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        let headers = match request.get("headers")? {
            Value::Array(pairs) => {
                let pair = |pair: &Value| Some((text(pair.get(0)?)?, text(pair.get(1)?)?));
                pairs.iter().map(pair).collect::<Option<_>>()?
            }
            Value::Object(named) => {
                let values = named.iter().flat_map(|(name, value)| {
                    let values = match value {
                        Value::Array(values) => values.as_slice(),
                        value => std::slice::from_ref(value),
                    };
                    values.iter().map(move |value| Some((name.clone(), text(value)?)))
                });
                values.collect::<Option<_>>()?
            }
            _ => return None,
        };
        let body = match (request.get("body"), request.get("body_b64")) {
            (Some(body), _) => text(body)?.into_bytes(),
            (None, Some(body)) => STANDARD.decode(body.as_str()?).ok()?,
            (None, None) => return None,
        };
        Some(Self { headers, body })
    }

    /// The only value of a header, if there is just one.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next()?.1.as_str();
        values.next().is_none().then_some(value)
    }

    /// The same with another value of a header.
    pub(super) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        changed.headers.push((name.to_owned(), value.into()));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Received {
        let headers = vec![("webhook-id".to_owned(), "evt_1".to_owned())];
        Received { headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_request_is_read_however_it_was_written_down() {
        for text in [
            "POST /hooks HTTP/1.1\r\nwebhook-id: evt_1\r\n\r\n{}",
            "webhook-id:evt_1\n\n{}",
            "> POST /hooks HTTP/1.1\n> webhook-id: evt_1\n\n{}",
            r#"{"request":{"headers":[["webhook-id","evt_1"]],"body":"{}"}}"#,
            r#"{"headers":{"webhook-id":"evt_1"},"body_b64":"e30="}"#,
            r#" {"headers":{"webhook-id":["evt_1"]},"body":"{}"}"#,
        ] {
            assert_eq!(Received::parse(text.as_bytes()).unwrap(), request("{}"), "{text}");
        }
        let lines = "webhook-id: evt_1\r\n\r\n{\"a\":\n\n1}\n";
        assert_eq!(Received::parse(lines.as_bytes()).unwrap(), request("{\"a\":\n\n1}\n"));
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (text, words) in [
            ("", "nothing to verify"),
            ("{", "not JSON"),
            ("{}", "holds no request"),
            (r#"{"headers":{},"body":{"parsed":true}}"#, "as it was received and not parsed"),
            (r#"{"headers":{},"body_b64":"%"}"#, "holds no request"),
            ("{}\n{}\n{}", "3 requests"),
            ("webhook-id: evt_1", "neither JSON nor a request"),
            ("no header\n\n{}", "line 1 is not a header"),
        ] {
            let failure = Received::parse(text.as_bytes()).unwrap_err();
            assert_eq!(failure.status, Status::Usage);
            assert!(failure.to_string().contains(words), "{text}: {failure}");
        }
    }

    #[test]
    fn a_secret_is_never_an_argument() {
        for from in ["whsec_QUFB", "whsec_", "QUFB", ""] {
            let failure = key(from).unwrap_err().to_string();
            assert!(failure.contains("env:VAR"), "{failure}");
            assert!(from.is_empty() || !failure.contains(from), "{failure}");
        }
    }
}
