//! What is commonly done to a body before somebody verifies it.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::cli::spacing::{Spacing, spaced};

/// A body as it may have been, and what has to be done to ours to get it.
pub(super) struct Variant {
    pub(super) what: String,
    pub(super) body: Vec<u8>,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// With other line ends, or without what editors and `echo` add.
pub(super) fn of_file(body: &[u8]) -> Vec<Variant> {
    let variant = |what: &str, body: Vec<u8>| Variant { what: what.to_owned(), body };
    let mut variants = Vec::new();
    if let Some(rest) = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")) {
        variants.push(variant("without the final newline", rest.to_vec()));
    }
    variants.push(variant("with a final newline", [body, b"\n"].concat()));
    if let Ok(text) = std::str::from_utf8(body) {
        let unix = text.replace("\r\n", "\n");
        variants.push(variant("with CRLF for each LF", unix.replace('\n', "\r\n").into_bytes()));
        variants.push(variant("with LF for each CRLF", unix.into_bytes()));
    }
    match body.strip_prefix(BOM) {
        Some(rest) => variants.push(variant("without its byte-order mark", rest.to_vec())),
        None => variants.push(variant("with a byte-order mark", [BOM, body].concat())),
    }
    variants.retain(|variant| variant.body != body);
    variants
}

/// The same JSON as others write it; nothing if it is no JSON.
pub(super) fn of_json(body: &[u8]) -> Vec<Variant> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Vec::new();
    }
    let sorted = serde_json::from_str(text).map(|value: Value| sorted(&value));
    // What is sorted is compact already.
    let sorted = sorted.ok().map(|json| (" with sorted keys", json, &SPACINGS[1..]));
    let orders = [Some(("", text.to_owned(), &SPACINGS[..])), sorted];
    let mut variants = Vec::new();
    for (order, json, spacings) in orders.into_iter().flatten() {
        for &(spacing, style) in spacings {
            for (letters, rewrite) in LETTERS {
                let body = rewrite(&spaced(&json, style)).into_bytes();
                variants.push(Variant { what: format!("{spacing}{order}{letters}"), body });
            }
        }
    }
    variants.retain(|variant| variant.body != body);
    variants
}

const SPACINGS: [(&str, Spacing); 5] = [
    ("the same JSON", Spacing::AsItIs),
    ("compact JSON", Spacing::Compact),
    ("JSON with a space behind each ',' and ':'", Spacing::Airy),
    ("JSON indented by 2", Spacing::Indented(2)),
    ("JSON indented by 4", Spacing::Indented(4)),
];

type Rewrite = fn(&str) -> String;

const LETTERS: [(&str, Rewrite); 5] = [
    ("", str::to_owned),
    (", '/' written '\\/'", |json| json.replace('/', "\\/")),
    (", '\\/' written '/'", |json| json.replace("\\/", "/")),
    (", letters beyond ASCII written \\u…", escaped),
    (", \\u… written as letters", unescaped),
];

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            text.extend(
                letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    text
}

/// Those of ASCII stay: among them are quotes and control characters.
fn unescaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match units(rest) {
            Some(letter) => {
                text.push(letter);
                6 * letter.len_utf16()
            }
            None => {
                // The backslash and what it escapes, whatever that is.
                let length = rest.chars().take(2).map(char::len_utf8).sum();
                text.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    text + rest
}

/// The letter beyond ASCII that one or two `\u…` at the beginning stand for.
fn units(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units: Vec<_> = [unit(0), unit(6)].into_iter().map_while(|unit| unit).collect();
    char::decode_utf16(units).next()?.ok().filter(|letter| !letter.is_ascii())
}

/// Compact, the keys of every object in the order of their letters.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let fields = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), sorted(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(variants: &[Variant], what: &str, body: &str) {
        let found = variants.iter().find(|variant| variant.body == body.as_bytes());
        let found = found.map(|variant| variant.what.as_str());
        assert_eq!(found, Some(what), "{body}");
    }

    #[test]
    fn json_is_written_as_others_write_it() {
        let json = "{\"b\": [1, {}, []],\n \"a\": \"x/\u{e9}\u{1f600}\\\"\\\\u00e9, :\"}";
        let variants = of_json(json.as_bytes());
        let letters = "\"x/\u{e9}\u{1f600}\\\"\\\\u00e9, :\"";
        has(&variants, "compact JSON", &format!("{{\"b\":[1,{{}},[]],\"a\":{letters}}}"));
        has(
            &variants,
            "JSON with a space behind each ',' and ':'",
            &format!("{{\"b\": [1, {{}}, []], \"a\": {letters}}}"),
        );
        has(
            &variants,
            "JSON indented by 2",
            &format!("{{\n  \"b\": [\n    1,\n    {{}},\n    []\n  ],\n  \"a\": {letters}\n}}"),
        );
        has(
            &variants,
            "compact JSON with sorted keys",
            &format!("{{\"a\":{letters},\"b\":[1,{{}},[]]}}"),
        );
        has(
            &variants,
            "compact JSON, '/' written '\\/'",
            &format!("{{\"b\":[1,{{}},[]],\"a\":{}}}", letters.replace('/', "\\/")),
        );
        let ascii = "\"x/\\u00e9\\ud83d\\ude00\\\"\\\\u00e9, :\"";
        has(
            &variants,
            "compact JSON, letters beyond ASCII written \\u…",
            &format!("{{\"b\":[1,{{}},[]],\"a\":{ascii}}}"),
        );
        let back = of_json(format!("{{\"a\":{ascii}}}").as_bytes());
        has(&back, "the same JSON, \\u… written as letters", &format!("{{\"a\":{letters}}}"));
    }

    #[test]
    fn what_is_no_json_has_no_variants() {
        assert!(of_json(b"{").is_empty() && of_json(b"\xff").is_empty() && of_json(b"").is_empty());
    }

    #[test]
    fn any_text_is_answered() {
        for text in ["\\", "\\u", "\\u12", "\\ud83d", "\\ud83d\\u0041", "é\\", "\\é", "\\uzzzz"] {
            assert_eq!(unescaped(text), text);
        }
        assert_eq!(escaped("a\u{1f600}"), "a\\ud83d\\ude00");
    }
}
