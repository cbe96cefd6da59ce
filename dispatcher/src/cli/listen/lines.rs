//! What is written of an event where there is no screen.

use ratatui_core::style::Stylize;
use ratatui_core::text::{Line, Span};

use super::record::{Delivery, Message};
use crate::cli::args::PartArg;
use crate::cli::line::{self, INDENT};
use crate::cli::show::words::harmless;

/// Draws the line of an event, and below it the parts that are wished for.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) lines: line::Lines,
    pub(super) parts: Vec<PartArg>,
}

impl Lines {
    pub(super) fn event(&mut self, delivery: &Delivery) -> String {
        let mut row = delivery.row();
        if self.shows(PartArg::Response) {
            // All of it stands below.
            row.answer = None;
        }
        let mut text = self.lines.draw(&row);
        if self.shows(PartArg::Headers) {
            self.headers(&mut text, &delivery.request);
        }
        if self.shows(PartArg::Body) {
            self.body(&mut text, &delivery.request);
        }
        if let Some(answer) = delivery.response.as_ref().filter(|_| self.shows(PartArg::Response)) {
            self.headers(&mut text, answer);
            self.body(&mut text, answer);
        }
        text
    }

    fn shows(&self, part: PartArg) -> bool {
        self.parts.contains(&part) || self.parts.contains(&PartArg::All)
    }

    fn headers(&self, text: &mut String, message: &Message) {
        for (name, value) in &message.headers {
            self.indented(text, &format!("{name}: {value}"));
        }
    }

    fn body(&self, text: &mut String, message: &Message) {
        for line in message.text().lines() {
            self.indented(text, line);
        }
    }

    fn indented(&self, text: &mut String, said: &str) {
        let line = Line::from(vec![Span::raw(INDENT).dim(), Span::raw(harmless(said))]);
        text.push('\n');
        text.push_str(&line::ansi(&line, self.lines.colour));
    }
}
