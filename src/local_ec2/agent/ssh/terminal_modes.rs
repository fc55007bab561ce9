//! The terminal modes of a pty request (RFC 4254, 8) in Linux's terms.

use nix::libc;
use nix::sys::termios::{ControlFlags, InputFlags, LocalFlags, OutputFlags, Termios};
use russh::Pty as Mode;

/// Puts a client's modes onto the kernel's settings. Modes that Linux does not have are passed over.
pub fn apply(settings: &mut Termios, modes: &[(Mode, u32)]) {
    for (mode, value) in modes {
        let on = *value != 0;
        if let Some(index) = control_character(*mode) {
            // 255 stands for "disabled", which Linux writes as 0.
            settings.control_chars[index] = if *value == 255 { 0 } else { *value as u8 };
        } else if let Some(flag) = input_flag(*mode) {
            settings.input_flags.set(flag, on);
        } else if let Some(flag) = local_flag(*mode) {
            settings.local_flags.set(flag, on);
        } else if let Some(flag) = output_flag(*mode) {
            settings.output_flags.set(flag, on);
        } else if let Some(flag) = control_flag(*mode).filter(|_| on) {
            settings.control_flags.remove(ControlFlags::CSIZE);
            settings.control_flags.insert(flag);
        }
    }
}

fn control_character(mode: Mode) -> Option<usize> {
    Some(match mode {
        Mode::VINTR => libc::VINTR,
        Mode::VQUIT => libc::VQUIT,
        Mode::VERASE => libc::VERASE,
        Mode::VKILL => libc::VKILL,
        Mode::VEOF => libc::VEOF,
        Mode::VEOL => libc::VEOL,
        Mode::VEOL2 => libc::VEOL2,
        Mode::VSTART => libc::VSTART,
        Mode::VSTOP => libc::VSTOP,
        Mode::VSUSP => libc::VSUSP,
        Mode::VREPRINT => libc::VREPRINT,
        Mode::VWERASE => libc::VWERASE,
        Mode::VLNEXT => libc::VLNEXT,
        Mode::VDISCARD => libc::VDISCARD,
        _ => return None,
    })
}

fn input_flag(mode: Mode) -> Option<InputFlags> {
    Some(match mode {
        Mode::IGNPAR => InputFlags::IGNPAR,
        Mode::PARMRK => InputFlags::PARMRK,
        Mode::INPCK => InputFlags::INPCK,
        Mode::ISTRIP => InputFlags::ISTRIP,
        Mode::INLCR => InputFlags::INLCR,
        Mode::IGNCR => InputFlags::IGNCR,
        Mode::ICRNL => InputFlags::ICRNL,
        Mode::IXON => InputFlags::IXON,
        Mode::IXANY => InputFlags::IXANY,
        Mode::IXOFF => InputFlags::IXOFF,
        Mode::IMAXBEL => InputFlags::IMAXBEL,
        Mode::IUTF8 => InputFlags::IUTF8,
        _ => return None,
    })
}

fn local_flag(mode: Mode) -> Option<LocalFlags> {
    Some(match mode {
        Mode::ISIG => LocalFlags::ISIG,
        Mode::ICANON => LocalFlags::ICANON,
        Mode::ECHO => LocalFlags::ECHO,
        Mode::ECHOE => LocalFlags::ECHOE,
        Mode::ECHOK => LocalFlags::ECHOK,
        Mode::ECHONL => LocalFlags::ECHONL,
        Mode::NOFLSH => LocalFlags::NOFLSH,
        Mode::TOSTOP => LocalFlags::TOSTOP,
        Mode::IEXTEN => LocalFlags::IEXTEN,
        Mode::ECHOCTL => LocalFlags::ECHOCTL,
        Mode::ECHOKE => LocalFlags::ECHOKE,
        Mode::PENDIN => LocalFlags::PENDIN,
        _ => return None,
    })
}

fn output_flag(mode: Mode) -> Option<OutputFlags> {
    Some(match mode {
        Mode::OPOST => OutputFlags::OPOST,
        Mode::ONLCR => OutputFlags::ONLCR,
        Mode::OCRNL => OutputFlags::OCRNL,
        Mode::ONOCR => OutputFlags::ONOCR,
        Mode::ONLRET => OutputFlags::ONLRET,
        _ => return None,
    })
}

fn control_flag(mode: Mode) -> Option<ControlFlags> {
    Some(match mode {
        Mode::CS7 => ControlFlags::CS7,
        Mode::CS8 => ControlFlags::CS8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use nix::sys::termios;

    use super::*;

    #[test]
    fn modes_reach_the_terminal() {
        let pair = nix::pty::openpty(None, None).unwrap();
        let mut settings = termios::tcgetattr(&pair.slave).unwrap();
        apply(
            &mut settings,
            &[(Mode::ECHO, 0), (Mode::VINTR, 7), (Mode::VEOL, 255), (Mode::IXON, 0), (Mode::OPOST, 1), (Mode::CS7, 1)],
        );
        assert!(!settings.local_flags.contains(LocalFlags::ECHO));
        assert!(!settings.input_flags.contains(InputFlags::IXON));
        assert!(settings.output_flags.contains(OutputFlags::OPOST));
        assert_eq!(settings.control_chars[libc::VINTR], 7);
        assert_eq!(settings.control_chars[libc::VEOL], 0);
        assert_eq!(settings.control_flags & ControlFlags::CSIZE, ControlFlags::CS7);
    }
}
