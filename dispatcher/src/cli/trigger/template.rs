//! What stands between `{{` and `}}`: a name, `ulid()`, `now`, `unix`, or an exact sum of amounts.

use std::fmt::Write;

use bluum_hooks_shared::id::EventId;
use bluum_hooks_shared::money::Decimal;
use bluum_hooks_shared::time::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::edit::quoted;
use super::near::did_you_mean;
use crate::fields::Entries;
use crate::random::Random;

/// What names stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    /// With the JSON of each.
    pub(super) variables: &'a [(String, String)],
    pub(super) now: Timestamp,
    pub(super) random: &'a dyn Random,
}

impl Names<'_> {
    /// The JSON with every text in it filled in. A text that is nothing but one name becomes what
    /// the name stands for, be it a number.
    pub(super) fn fill(&self, json: &str) -> Result<String, String> {
        match json.as_bytes().first() {
            Some(b'"') if json.contains("{{") => {
                let text: String = serde_json::from_str(json).map_err(|error| error.to_string())?;
                self.fill_text(&text)
            }
            Some(b'{') => {
                let Entries(fields) =
                    serde_json::from_str(json).map_err(|error| error.to_string())?;
                let field = |(name, value): (String, &RawValue)| {
                    Ok(format!("{}:{}", quoted(&name), self.fill(value.get())?))
                };
                let fields: Vec<_> =
                    fields.into_iter().map(field).collect::<Result<_, String>>()?;
                Ok(format!("{{{}}}", fields.join(",")))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(json).map_err(|error| error.to_string())?;
                let items: Vec<_> = items
                    .into_iter()
                    .map(|item| self.fill(item.get()))
                    .collect::<Result<_, _>>()?;
                Ok(format!("[{}]", items.join(",")))
            }
            _ => Ok(json.to_owned()),
        }
    }

    fn fill_text(&self, text: &str) -> Result<String, String> {
        let open = |start: usize| format!("'{}' has no end; write }}}}", &text[start..]);
        if let Some(inner) = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"))
            && !inner.contains("{{")
        {
            return self.value(inner);
        }
        let (mut filled, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("{{") {
            let end =
                rest[start..].find("}}").ok_or_else(|| open(text.len() - rest.len() + start))?;
            let value = self.value(&rest[start + 2..start + end])?;
            let value: Value = serde_json::from_str(&value).map_err(|error| error.to_string())?;
            filled.push_str(&rest[..start]);
            // Writing to a String cannot fail.
            let _ = match value.as_str() {
                Some(text) => write!(filled, "{text}"),
                None => write!(filled, "{value}"),
            };
            rest = &rest[start + end + 2..];
        }
        Ok(quoted(&(filled + rest)))
    }

    /// The JSON that an expression stands for.
    fn value(&self, expression: &str) -> Result<String, String> {
        let tokens: Vec<_> = expression.split_whitespace().collect();
        match tokens.as_slice() {
            [] => Err("nothing stands between {{ and }}; write a variable's name".to_owned()),
            [name] => self.named(name),
            [first, more @ ..] => {
                let sum = self.sum(first, more)?;
                sum.map(|sum| quoted(&sum.to_string()))
                    .ok_or_else(|| format!("'{}' has no exact result", tokens.join(" ")))
            }
        }
    }

    fn named(&self, name: &str) -> Result<String, String> {
        match name {
            "ulid()" => {
                let id = EventId::new(self.now, self.random.bits()).to_string();
                Ok(quoted(id.trim_start_matches("evt_")))
            }
            "now" => Ok(quoted(&self.now.to_string())),
            "unix" => Ok(self.now.as_unix_seconds().to_string()),
            name => {
                let known = || self.variables.iter().map(|(name, _)| name.as_str());
                let found = self.variables.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| {
                    let advice = did_you_mean(name, known().chain(["now", "unix", "ulid()"]));
                    let advice = advice.unwrap_or_else(|| {
                        "names are those of 'vars' above it, now, unix and ulid(); signs have \
                         spaces around them"
                            .to_owned()
                    });
                    format!("there is no variable '{name}'; {advice}")
                })
            }
        }
    }

    /// `a * b - c`: products first. `None` where the result would not be exact.
    fn sum(&self, first: &str, more: &[&str]) -> Result<Option<Decimal>, String> {
        let add = |total: Option<Decimal>, sign: &str, amount: Option<Decimal>| match sign {
            "-" => total?.checked_sub(amount?),
            _ => total?.checked_add(amount?),
        };
        let (mut total, mut sign) = (Some(Decimal::ZERO), "+");
        let mut product = Some(self.amount(first)?);
        for pair in more.chunks(2) {
            let [operator, operand] = *pair else {
                return Err(format!("nothing stands behind '{}'", pair.join(" ")));
            };
            let amount = self.amount(operand)?;
            match operator {
                "*" => product = product.and_then(|product| product.checked_mul(amount)),
                "+" | "-" => {
                    total = add(total, sign, product);
                    (sign, product) = (operator, Some(amount));
                }
                other => return Err(format!("'{other}' is no sign; there are +, - and *")),
            }
        }
        Ok(add(total, sign, product))
    }

    fn amount(&self, token: &str) -> Result<Decimal, String> {
        if let Ok(literal) = token.parse() {
            return Ok(literal);
        }
        let value = self.named(token)?;
        let amount = value.trim_matches('"').parse();
        amount.map_err(|error| format!("'{token}' is {value}, which is no amount: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn fill(json: &str) -> Result<String, String> {
        let variables = [("price", "\"178.50\""), ("n", "10"), ("who", "\"Ada\"")];
        let variables: Vec<_> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let now = Timestamp::from_micros(1_781_533_815_123_000);
        Names { variables: &variables, now, random: &SystemRandom }.fill(json)
    }

    #[test]
    fn names_and_sums_are_filled_in_wherever_they_stand() {
        for (json, filled) in [
            (r#""plain""#, r#""plain""#),
            (r#""{{ who }}""#, r#""Ada""#),
            (r#""{{n}}""#, "10"),
            (r#""{{ n }} of {{ who }}""#, r#""10 of Ada""#),
            (r#""{{ n * price }}""#, r#""1785.00""#),
            (r#""{{ 5000.00 - n * price + 0.5 }}""#, r#""3215.50""#),
            (r#""{{ now }}""#, r#""2026-06-15T14:30:15.123Z""#),
            (r#""{{ unix }}""#, "1781533815"),
            (r#"{"b":["{{ n }}",1.50],"a":null}"#, r#"{"b":[10,1.50],"a":null}"#),
        ] {
            assert_eq!(fill(json).as_deref(), Ok(filled), "{json}");
        }
        let ids = [fill(r#""ord_{{ ulid() }}""#).unwrap(), fill(r#""ord_{{ ulid() }}""#).unwrap()];
        assert!(ids[0] != ids[1] && ids[0].len() == 32, "{ids:?}");
    }

    #[test]
    fn what_cannot_be_filled_in_is_told() {
        for (json, words) in [
            (r#""{{ prize }}""#, "no variable 'prize'; did you mean 'price'?"),
            (r#""{{ n-1 }}""#, "spaces around them"),
            (r#""{{ n / 2 }}""#, "there are +, - and *"),
            (r#""{{ n + }}""#, "nothing stands behind '+'"),
            (r#""{{ who + 1 }}""#, "'who' is \"Ada\", which is no amount"),
            (r#""a {{ n""#, "'{{ n' has no end"),
            (r#""{{ }}""#, "nothing stands between"),
            (r#""{{ 79228162514264337593543950335 + 0.1 }}""#, "no exact result"),
        ] {
            let error = fill(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
