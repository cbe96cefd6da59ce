//! Events drawn at random, for [`proptest`].

use bluum_hooks_shared::catalogue::{CATALOGUE, EventType};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use serde_json::{Map, Value};

use super::{NOW, TestEvent};
use crate::Timestamp;

/// An event of any type in the catalogue. Its data can be read: what may be missing sometimes is,
/// amounts, times, words and ids are others, there are statuses that nobody knows yet, and fields
/// that nobody has heard of.
pub fn events() -> impl Strategy<Value = TestEvent> {
    select(CATALOGUE).prop_flat_map(of_type)
}

/// An event of this type of the catalogue, as [`events`] draws it. Of another, its data are
/// anything at all.
pub fn events_named(name: &str) -> BoxedStrategy<TestEvent> {
    match CATALOGUE.iter().find(|event_type| event_type.name == name) {
        Some(event_type) => of_type(*event_type).boxed(),
        None => {
            let event = TestEvent::new(name);
            json().prop_map(move |data| event.clone().data(data.to_string())).boxed()
        }
    }
}

/// An event of a type that is not in the catalogue, with any data.
pub fn unknown_events() -> impl Strategy<Value = TestEvent> {
    // No name of the catalogue has a 'z'.
    (enveloped(TestEvent::new("")), "z[a-z_]{0,12}(\\.[a-z_]{1,12}){1,3}", json())
        .prop_map(|(event, name, data)| event.data(data.to_string()).named(name))
}

fn of_type(event_type: EventType) -> impl Strategy<Value = TestEvent> {
    let example = serde_json::from_str(event_type.example_data).unwrap_or_default();
    let data = object(example, true);
    (enveloped(TestEvent::new(event_type.name)), data)
        .prop_map(|(event, data)| event.data(data.to_string()))
}

/// The event with another envelope.
fn enveloped(event: TestEvent) -> impl Strategy<Value = TestEvent> {
    let year = 365 * 86_400_000_000_i64;
    let at = (-year..year).prop_map(|offset| Timestamp::from_micros(NOW.as_micros() + offset));
    let investor = option::of(id("inv"));
    (at, 1_u64..1 << 40, any::<bool>(), investor).prop_map(
        move |(at, number, livemode, investor)| {
            let event = event.clone().numbered(number).at(at).livemode(livemode);
            event.investor_id(investor.as_deref())
        },
    )
}

/// An object like this one. At the top, `id`, `object` and `status` stay; beneath it, every field
/// does, because what an object there needs is its own affair.
fn object(example: Value, top: bool) -> impl Strategy<Value = Value> {
    let Value::Object(fields) = example else { return Just(example).boxed() };
    let varied: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| {
            let needed = !top || matches!(name.as_str(), "id" | "object" | "status");
            let field = field(&name, value);
            let field = match needed {
                true => field.prop_map(Some).boxed(),
                // Mostly there, or too little of an object would be seen.
                false => option::weighted(0.8, field).boxed(),
            };
            field.prop_map(move |value| Some((name.clone(), value?)))
        })
        .collect();
    let news = vec(("x_[a-z]{1,8}", json()), 0..3);
    (varied, news)
        .prop_map(|(known, news)| {
            let fields = known.into_iter().flatten().chain(news);
            Value::Object(fields.collect::<Map<_, _>>())
        })
        .boxed()
}

/// Something like the value of the example, of the same kind.
fn field(name: &str, example: Value) -> BoxedStrategy<Value> {
    match example {
        // A new status comes without notice. Which object it is, is no status.
        Value::String(word) if name == "status" => {
            prop_oneof![4 => Just(word), 1 => "z[a-z_]{2,12}"].prop_map(Value::from).boxed()
        }
        Value::String(text) if is_amount(&text) => {
            prop_oneof![amount().prop_map(Value::from), Just(Value::from(text))].boxed()
        }
        Value::String(text) if name == "id" || name.ends_with("_id") => {
            match text.split_once('_').filter(|(prefix, rest)| is_id(prefix, rest)) {
                Some((prefix, _)) => id(prefix).prop_map(Value::from).boxed(),
                None => Just(Value::from(text)).boxed(),
            }
        }
        Value::Object(_) if name == "metadata" => vec(("[a-z_]{1,12}", json()), 0..4)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
            .boxed(),
        Value::Object(_) => object(example, false).boxed(),
        other => Just(other).boxed(),
    }
}

/// Whether a text is a decimal, which in the platform's objects is money or a quantity.
fn is_amount(text: &str) -> bool {
    text.parse::<crate::Decimal>().is_ok()
}

fn is_id(prefix: &str, rest: &str) -> bool {
    let letters = prefix.bytes().all(|byte| byte.is_ascii_lowercase());
    letters && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn id(prefix: &str) -> impl Strategy<Value = String> + use<> {
    let prefix = prefix.to_owned();
    // 128 bits, five to a letter: the first has three.
    "[0-7][0-9a-hjkmnp-tv-z]{25}".prop_map(move |suffix| format!("{prefix}_{suffix}"))
}

/// As it is printed: nothing of it is lost by reading.
fn amount() -> impl Strategy<Value = String> {
    "(0|[1-9][0-9]{0,13})(\\.[0-9]{1,8})?"
}

/// Any JSON, of a few levels. No floats: they are not what money is made of.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
