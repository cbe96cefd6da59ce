//! A test kit for handlers: signs as the dispatcher does, and treats a handler as networks do.
//!
//! Nothing here needs a network, a daemon or a real clock. What is signed here is a delivery like
//! any other: the same body, the same headers, the same signatures.
//!
//! # A delivery
//!
//! A [`TestSender`] has a secret, a key pair, or several of them, and a [`Clock`] that stands still
//! until it is moved. It signs a [`TestEvent`]: an example of any type, with data of your own if
//! you like.
//!
//! ```
//! use bluum_hooks_receiver::Data;
//! use bluum_hooks_receiver::testing::{TestEvent, TestSender};
//!
//! let sender = TestSender::new();
//! let event = TestEvent::new("order.filled").data(r#"{"id":"ord_1","status":"filled"}"#);
//! let request = sender.sign(&event);
//!
//! let verifier = sender.verifier();
//! let verified = verifier.verify(&request.headers, &request.body, sender.clock().now())?;
//! let Data::Order(order) = verified.event()?.data else { panic!("not an order") };
//! assert_eq!(order.id.as_str(), "ord_1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `http`, [`Signed::into_http`] makes an `http::Request` of it, for a router.
//!
//! # Tampered with
//!
//! [`TestSender::hostile`] is everything that we know to have fooled, crashed or slowed down a
//! receiver, as named cases that say what is right. Hold your endpoint against all of them:
//!
//! ```
//! # use bluum_hooks_receiver::testing::{TestEvent, TestSender};
//! # let sender = TestSender::new();
//! # let verifier = sender.verifier();
//! # let endpoint = |request: bluum_hooks_receiver::testing::Signed| {
//! #     match verifier.verify(&request.headers, &request.body, sender.clock().now()) {
//! #         Ok(_) => 204,
//! #         Err(refused) => refused.status(),
//! #     }
//! # };
//! for case in sender.hostile(&TestEvent::new("deposit.completed")) {
//!     let status = endpoint(case.request);
//!     assert!(case.expected.is_met_by(status), "{}: {status}", case.name);
//! }
//! ```
//!
//! # Once, whatever happens
//!
//! A [`Dispatcher`] delivers to your handler, in this process and in no time: again after failures,
//! again although it was answered, in many copies at once, out of order. Whether the handler's
//! effects happened once is for your test to say.
//!
//! ```
//! use std::cell::RefCell;
//! use std::collections::BTreeSet;
//! use bluum_hooks_receiver::testing::{Dispatcher, Signed, TestEvent, TestSender};
//!
//! # async fn once() {
//! let sender = TestSender::new();
//! let verifier = sender.verifier();
//! let seen = RefCell::new(BTreeSet::new());
//! let handler = async |request: Signed| {
//!     let now = sender.clock().now();
//!     match verifier.verify(&request.headers, &request.body, now) {
//!         Ok(verified) => {
//!             seen.borrow_mut().insert(verified.id().to_owned());
//!             204
//!         }
//!         Err(refused) => refused.status(),
//!     }
//! };
//!
//! let events: Vec<_> = TestEvent::catalogue().collect();
//! let dispatcher = Dispatcher::new(&sender).copies(100).lost_answers(2);
//! let report = dispatcher.deliver(&events, handler).await;
//! report.assert_delivered();
//! assert_eq!(seen.borrow().len(), events.len());
//! # }
//! # futures_util::future::FutureExt::now_or_never(once()).unwrap();
//! ```
//!
//! # Any event
//!
//! [`strategies`] draws events for [`proptest`]: every type with other amounts, words, gaps and
//! fields than the examples have, and types that nobody knows yet.

mod clock;
mod dispatcher;
mod event;
mod hostile;
mod sender;
#[cfg(feature = "tower")]
mod service;
pub mod strategies;

pub use bluum_hooks_shared::asymmetric::PrivateKey;
pub use clock::{Clock, NOW};
pub use dispatcher::{Answer, Attempt, Delivery, Dispatcher, Report};
pub use event::TestEvent;
pub use hostile::{Expected, Hostile};
pub use sender::{Signed, TestSender};
#[cfg(feature = "tower")]
pub use service::{Whole, service};
