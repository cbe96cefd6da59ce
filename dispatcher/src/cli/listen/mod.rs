//! `listen`: events arrive on this machine.

mod record;
