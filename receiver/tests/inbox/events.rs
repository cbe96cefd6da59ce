//! Events as the dispatcher would make them.

use std::sync::LazyLock;

use bluum_hooks_receiver::id::EventId;
use bluum_hooks_receiver::{Event, Timestamp, now};

/// The second from which on `event` counts: some hours ago, as an inbox asks how old events are.
static START: LazyLock<i64> = LazyLock::new(|| now().as_unix_seconds() - 20_000);

/// An id that was made in this second.
pub(crate) fn id(second: u32) -> String {
    EventId::new(at(second), 7).to_string()
}

pub(crate) fn at(second: u32) -> Timestamp {
    Timestamp::from_unix_seconds(*START + i64::from(second))
}

/// What happened in this second to an order.
pub(crate) fn body(second: u32, name: &str, order: &str) -> String {
    let (id, at, created) = (id(second), at(second), *START);
    // Not as the dispatcher writes it: bytes are kept as they are.
    format!(
        r#"{{ "id":"{id}","object":"event","created":{created},"livemode":false,"event":"{name}",
"timestamp":"{at}","investor_id":null,"data":{{"id":"{order}","status":"filled",
"symbol":"AAPL","side":"buy","filled_quantity":"10","average_price":"178.50"}} }}"#
    )
}

/// `order.filled` of an order of its own.
pub(crate) fn filled(second: u32) -> Event {
    event(second, "order.filled", &format!("ord_{second}"))
}

pub(crate) fn event(second: u32, name: &str, order: &str) -> Event {
    Event::parse(body(second, name, order).as_bytes()).unwrap()
}
