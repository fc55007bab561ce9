//! How large the terminal is, now.

use std::fmt;
use std::sync::Arc;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

impl Default for Size {
    /// The classic terminal, for when the real size is unknown.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// Tells the size of the terminal whenever it is asked: terminals are resized.
#[derive(Clone)]
pub struct Screen(Arc<dyn Fn() -> Size + Send + Sync>);

impl Screen {
    /// A screen whose size a function tells.
    pub fn new(size: impl Fn() -> Size + Send + Sync + 'static) -> Self {
        Self(Arc::new(size))
    }

    /// The terminal on standard output; [`Size::default`] while there is none, or it does not tell.
    pub fn of_stdout() -> Self {
        Self::new(|| terminal_size(nix::libc::STDOUT_FILENO).unwrap_or_default())
    }

    /// The size now.
    pub fn size(&self) -> Size {
        (self.0)()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new(Size::default)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Screen").field(&self.size()).finish()
    }
}

nix::ioctl_read_bad!(window_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);

/// The size of the terminal behind a descriptor. `None` where it is no terminal, or one that says 0 (serial lines do).
fn terminal_size(descriptor: i32) -> Option<Size> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes into `size` only, which outlives it; a bad descriptor is an error, not undefined.
    unsafe { window_size(descriptor, &raw mut size) }.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, columns: size.ws_col })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_terminal_has_no_size() {
        assert_eq!(terminal_size(-1), None);
        assert_eq!(Screen::default().size(), Size { rows: 24, columns: 80 });
    }
}
