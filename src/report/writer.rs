//! The one thread that writes: takes from the queue, masks, lets the view make bytes of it, writes them in one go.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::SystemTime;

use super::mask::Mask;
use super::queue::{Item, Queue, Work};
use super::view::View;

/// The state of the thread.
pub struct Writer {
    pub queue: Arc<Queue>,
    pub mask: Mask,
    pub view: Box<dyn View>,
    pub out: Box<dyn Write + Send>,
}

impl Writer {
    /// Writes until the queue is closed and empty. A reader that went away (`kiln build | head`) ends it quietly.
    pub fn run(mut self) -> io::Result<()> {
        match self.write_all() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        loop {
            match self.queue.take(self.view.tick()) {
                Work::Items(items) => {
                    self.mask.refresh();
                    let mut bytes = Vec::new();
                    let mut pause = None;
                    for item in items {
                        pause = pause.or(self.show(item, &mut bytes));
                    }
                    match pause {
                        Some(ready) => self.pause(bytes, &ready)?,
                        None => self.draw(bytes)?,
                    }
                }
                Work::Idle => self.draw(Vec::new())?,
                Work::Paused => {}
                Work::Closed => {
                    let mut bytes = Vec::new();
                    self.view.hide(&mut bytes);
                    return self.write(&bytes);
                }
            }
        }
    }

    fn show(&mut self, item: Item, bytes: &mut Vec<u8>) -> Option<SyncSender<()>> {
        match item {
            Item::Event(event) => self.view.event(&self.mask.event(event), bytes),
            Item::Text(text) => self.view.text(&self.mask.text(text), bytes),
            Item::Record(record) => self.view.record(&self.mask.record(record), bytes),
            Item::Pause(ready) => return Some(ready),
        }
        None
    }

    fn draw(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        self.view.draw(SystemTime::now(), &mut bytes);
        self.write(&bytes)
    }

    fn pause(&mut self, mut bytes: Vec<u8>, ready: &SyncSender<()>) -> io::Result<()> {
        self.view.hide(&mut bytes);
        let result = self.write(&bytes);
        // Nobody waiting any more is no reason to stop writing.
        let _ = ready.send(());
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.out.write_all(bytes)?;
        self.out.flush()
    }
}

impl Drop for Writer {
    /// Whatever the reason, a panic included: those who send must not wait for a writer that is gone.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
