//! JSON changed in one place: everything else keeps its order, its digits and its escapes.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::fields::Entries;

/// What is to happen at a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    /// Another value for what is there. A number in the place of a text becomes one: amounts are
    /// texts, and `amount=1200` is what people write.
    Set(&'a str),
    /// A value for what need not be there, as it stands.
    Add(&'a str),
    Remove,
}

/// The JSON with this change at a path of names and places, `data.checks.0.status`. `None` where
/// there is no such path.
pub(super) fn change(json: &str, path: &str, change: Change<'_>) -> Option<String> {
    let steps: Vec<_> = path.split('.').collect();
    changed(json, &steps, change)
}

fn changed(json: &str, path: &[&str], change: Change<'_>) -> Option<String> {
    let (first, rest) = path.split_first()?;
    // Whoever adds below nothing wants there to be something.
    let json = if json == "null" && matches!(change, Change::Add(_)) { "{}" } else { json };
    if let Ok(Entries(entries)) = serde_json::from_str(json) {
        let place = entries.iter().position(|(name, _)| name == first);
        let (names, values): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|(name, value)| (name, Cow::Borrowed(value.get()))).unzip();
        let mut names: Vec<_> =
            names.into_iter().map(|name| format!("{}:", quoted(&name))).collect();
        let values = within(values, place, rest, change)?;
        match values.len() {
            fewer if fewer < names.len() => drop(names.remove(place?)),
            more if more > names.len() => names.push(format!("{}:", quoted(first))),
            _ => {}
        }
        let fields = names.iter().zip(&values).map(|(name, value)| format!("{name}{value}"));
        return Some(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")));
    }
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let place: usize = first.parse().ok()?;
    let inside = (place < items.len()).then_some(place);
    if inside.is_none() && place > items.len() {
        return None;
    }
    let items = items.into_iter().map(|item| Cow::Borrowed(item.get())).collect();
    Some(format!("[{}]", within(items, inside, rest, change)?.join(",")))
}

/// The values with the one at this place changed, removed, or one more at the end.
fn within<'a>(
    mut values: Vec<Cow<'a, str>>,
    place: Option<usize>,
    rest: &[&str],
    change: Change<'_>,
) -> Option<Vec<Cow<'a, str>>> {
    match (place, rest, change) {
        (Some(place), [], Change::Remove) => drop(values.remove(place)),
        (Some(place), [], Change::Add(value)) => values[place] = value.to_owned().into(),
        (Some(place), [], Change::Set(value)) => {
            let number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            let as_text = number && values[place].starts_with('"');
            let value = if as_text { quoted(value) } else { value.to_owned() };
            values[place] = value.into();
        }
        (Some(place), rest, change) => {
            values[place] = changed(&values[place], rest, change)?.into();
        }
        (None, [], Change::Add(value)) => values.push(value.to_owned().into()),
        (None, rest, Change::Add(_)) => values.push(changed("{}", rest, change)?.into()),
        (None, ..) => return None,
    }
    Some(values)
}

pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Every path that there is, for suggestions.
pub(super) fn paths(json: &str) -> Vec<String> {
    fn walk(value: &Value, path: &str, paths: &mut Vec<String>) {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    paths.push(below(name));
                    walk(value, &below(name), paths);
                }
            }
            Value::Array(items) => {
                for (place, value) in items.iter().enumerate() {
                    walk(value, &below(&place.to_string()), paths);
                }
            }
            _ => {}
        }
    }
    let mut paths = Vec::new();
    walk(&serde_json::from_str(json).unwrap_or_default(), "", &mut paths);
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"b":"\u0031","a":{"n":12345678901234567890.10,"hold":null},"c":[1,{}]}"#;

    #[test]
    fn one_place_changes_and_the_rest_stays_as_it_was() {
        let (b, c) = (r#""b":"\u0031""#, r#""c":[1,{}]"#);
        let n = r#""n":12345678901234567890.10"#;
        let a = format!(r#""a":{{{n},"hold":null}}"#);
        for (path, made, json) in [
            ("b", Change::Set("true"), format!(r#"{{"b":true,{a},{c}}}"#)),
            ("b", Change::Set("1.50"), format!(r#"{{"b":"1.50",{a},{c}}}"#)),
            ("b", Change::Add("1.50"), format!(r#"{{"b":1.50,{a},{c}}}"#)),
            ("a.n", Change::Set("7"), format!(r#"{{{b},"a":{{"n":7,"hold":null}},{c}}}"#)),
            ("a.hold.x", Change::Add("7"), format!(r#"{{{b},"a":{{{n},"hold":{{"x":7}}}},{c}}}"#)),
            ("a.y.z", Change::Add("7"), {
                format!(r#"{{{b},"a":{{{n},"hold":null,"y":{{"z":7}}}},{c}}}"#)
            }),
            ("a", Change::Remove, format!("{{{b},{c}}}")),
            ("c.0", Change::Remove, format!(r#"{{{b},{a},"c":[{{}}]}}"#)),
            ("c.2", Change::Add("3"), format!(r#"{{{b},{a},"c":[1,{{}},3]}}"#)),
        ] {
            assert_eq!(change(JSON, path, made), Some(json), "{path}");
        }
        assert_eq!(change(r#"{"a":1}"#, "a", Change::Remove).as_deref(), Some("{}"));
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        for path in ["", "x", "b.x", "a.x", "a.hold.x", "c.2", "c.x", "c.0.x"] {
            assert_eq!(change(JSON, path, Change::Set("1")), None, "{path}");
            assert_eq!(change(JSON, path, Change::Remove), None, "{path}");
        }
        assert_eq!(change(JSON, "c.9", Change::Add("1")), None);
        assert_eq!(change(JSON, "b.x", Change::Add("1")), None);
    }

    #[test]
    fn every_path_is_listed() {
        assert_eq!(paths(r#"{"a":{"b":[{"c":1}]},"d":null}"#), ["a", "a.b", "a.b.0.c", "d"]);
    }
}
