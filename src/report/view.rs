//! What a format has to do: turn events into bytes. Views do no I/O, so that a test sees all there is.

use std::time::{Duration, SystemTime};

use super::queue::{Record, Text};
use crate::event::Event;

/// One output format. Everything it is given is masked already; it appends what is to be written to `out`.
pub trait View: Send {
    /// Shows an event.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Shows text that is no event.
    fn text(&mut self, text: &Text, out: &mut Vec<u8>);

    /// Shows a record, in a format that has records.
    fn record(&mut self, _record: &Record, _out: &mut Vec<u8>) {}

    /// Called after every batch of events, and at every tick: what moves is brought up to date here.
    fn draw(&mut self, _now: SystemTime, _out: &mut Vec<u8>) {}

    /// Takes what moves off the screen: before a prompt, and at the end.
    fn hide(&mut self, _out: &mut Vec<u8>) {}

    /// How often [`View::draw`] is wanted while nothing happens; never without one.
    fn tick(&self) -> Option<Duration> {
        None
    }
}
