//! Happenings as they come, and keys as they are pressed.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui_core::backend::TestBackend;
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;

use crate::cli::listen::record::{Delivery, Happening, Message, Outcome, Ready, Record};
use crate::cli::listen::screen::Options;
use crate::cli::listen::screen::keys::Act;
use crate::cli::listen::screen::state::Screen;

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) fn options() -> Options {
    Options {
        listener: "ana@laptop".into(),
        livemode: false,
        secret: SECRET.into(),
        timeout: Some(Duration::from_secs(30)),
        zone: TimeZone::UTC,
        colour: false,
        full: false,
    }
}

pub(super) fn screen(width: u16, height: u16) -> Screen {
    Screen::new(options(), Size::new(width, height))
}

pub(super) fn ready() -> Happening {
    told(Record::Ready(Ready {
        listener: "ana@laptop".into(),
        webhook: "wh_01j9x8m2k7qpzwv3t5r6y8n0ab".into(),
        livemode: false,
        targets: vec!["http://localhost:3000/webhooks".into()],
        cursor: 18_421,
        waiting: 0,
        secret_fingerprint: "…LaSw".into(),
    }))
}

pub(super) fn told(record: Record) -> Happening {
    Happening::Told(Arc::new(record))
}

pub(super) fn disconnected() -> Happening {
    told(Record::Disconnected { reason: "connection reset".into(), retry_ms: 400 })
}

/// The event of this number: what it is, and what became of it.
pub(super) fn delivery(number: u32, event_type: &str, answer: Answer<'_>) -> Delivery {
    let at = format!("2026-11-21T14:{:02}:{:02}.118Z", number / 60 % 60, number % 60);
    let event = format!("evt_01j9x8m2k7qpzwv3t5r6{number:06}");
    let body = format!(
        r#"{{"id":"{event}","event":"{event_type}","data":{{"amount":"{number}.50","note":"x"}}}}"#
    );
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        header("webhook-id", &event),
        header("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    ];
    let (outcome, status, latency_ms, error, response) = match answer {
        Answer::Status(status, body) => {
            let headers = vec![header("content-type", "application/json")];
            let body = Some(body.to_owned());
            let answer = Message { headers, body, ..Message::default() };
            (Outcome::Response, Some(status), 24 + u64::from(number), None, Some(answer))
        }
        Answer::Failed(outcome, ms, error) => (outcome, None, ms, Some(error.to_owned()), None),
    };
    Delivery {
        cursor: i64::from(number),
        delivery: format!("dlv_01j9x8m2k7qpzwv3t5r6{number:06}"),
        event,
        event_type: event_type.into(),
        created: Some(at.clone()),
        livemode: false,
        attempt: 1,
        redelivered: false,
        target: Some("http://localhost:3000/webhooks".into()),
        at,
        outcome,
        status,
        latency_ms,
        error,
        request: Message { headers, body: Some(body), ..Message::default() },
        response,
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Answer<'a> {
    Status(u16, &'a str),
    Failed(Outcome, u64, &'a str),
}

pub(super) const FINE: Answer<'_> = Answer::Status(200, r#"{"ok":true}"#);

pub(super) fn began(delivery: &Delivery) -> Happening {
    Happening::Began {
        delivery: delivery.delivery.clone(),
        event: delivery.event.clone(),
        event_type: delivery.event_type.clone(),
        attempt: delivery.attempt,
        target: delivery.target.clone(),
        at: delivery.at.clone(),
    }
}

pub(super) fn done(delivery: Delivery) -> Happening {
    told(Record::Delivery(Box::new(delivery)))
}

/// One of each kind, as a developer's first minutes go.
pub(super) fn first_minutes() -> Vec<Delivery> {
    let refused = Answer::Failed(Outcome::ConnectError, 2, "connection refused");
    let late = Answer::Failed(Outcome::Timeout, 30_000, "no answer within 30 s");
    let page = Answer::Status(500, "\n{\"error\":\"relation \\\"refunds\\\" does not exist\"}\n");
    vec![
        delivery(1, "order.accepted", FINE),
        delivery(2, "order.filled", Answer::Status(401, r#"{"error":"bad signature"}"#)),
        Delivery { attempt: 2, ..delivery(3, "deposit.completed", page) },
        delivery(4, "account.status_updated", refused),
        delivery(5, "withdrawal.completed", late),
        Delivery { redelivered: true, ..delivery(6, "order.filled", FINE) },
        delivery(7, "order.filled", Answer::Status(302, "")),
    ]
}

impl Screen {
    pub(super) fn happens(&mut self, happenings: impl IntoIterator<Item = Happening>) {
        happenings.into_iter().for_each(|happening| self.apply(happening));
    }

    pub(super) fn deliver(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        for delivery in deliveries {
            self.happens([began(&delivery), done(delivery)]);
        }
    }

    /// Presses each letter.
    pub(super) fn types(&mut self, letters: &str) -> Option<Act> {
        letters.chars().fold(None, |_, letter| self.press(KeyCode::Char(letter)))
    }

    pub(super) fn press(&mut self, code: KeyCode) -> Option<Act> {
        self.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    pub(super) fn press_control(&mut self, letter: char) -> Option<Act> {
        self.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL))
    }

    /// What the full screen shows, without what is empty at the ends of lines.
    pub(super) fn seen(&self) -> String {
        let backend = TestBackend::new(self.size.width, self.size.height);
        let mut terminal = Terminal::new(backend).unwrap();
        terminal.draw(|frame| self.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content.chunks(usize::from(self.size.width));
        rows.map(|row| {
            let text: String = row.iter().map(ratatui_core::buffer::Cell::symbol).collect();
            format!("{}\n", text.trim_end())
        })
        .collect()
    }
}
