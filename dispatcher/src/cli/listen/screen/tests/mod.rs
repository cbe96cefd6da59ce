//! What is on the screen, what keys do, and a show for a real terminal.

mod behaviour;
mod demo;
mod random;
mod script;
mod snapshots;
mod terminal;
