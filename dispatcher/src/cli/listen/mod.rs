//! `listen`: events of this account at a server of one's own machine.

#[cfg_attr(not(test), expect(dead_code, reason = "the connection to come makes them"))]
mod record;
mod screen;
