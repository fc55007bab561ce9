//! The dead man's switch: the instance ends itself when nobody has ended it by a certain time.
//!
//! It is launched such that a power-off terminates it, and powers itself off at the deadline. The timer is set twice: by user data, where the
//! template has none, so that a machine that nobody ever reaches ends, too; and over the first session. Both know the time as a date, so it outlives
//! reboots. It is taken off before the stop, so that no image has it; one that has it all the same does nothing on another instance.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aws::image::Image;
use crate::communicator::{Communicator, Output};

use super::super::AmazonEbs;
use super::super::bake::Bake;

/// How long an instance may live when the template says nothing. Long enough for every bake that was heard of, short enough to cost little.
const MAX_DURATION: Duration = Duration::from_secs(6 * 3600);

/// Sets the timer as root. `@AT@`: when, in seconds since 1970. Whoever has taken it off in this boot has left a mark, which counts even when both run at once.
const ARM: &str = r#"mark=/run/kiln-deadline-off; unit=/etc/systemd/system/kiln-deadline; id=/var/lib/cloud/data/instance-id
left=$((@AT@ - $(date +%s))); [ "$left" -gt 0 ] || left=1
[ -e $mark ] && exit 0
if [ -d /run/systemd/system ]; then
  guard="[ ! -e $id ] || [ \"\$\$(cat $id)\" = \"$(cat $id 2>/dev/null)\" ] || exit 0"
  printf '%s
' '[Unit]' 'Description=End of a temporary build instance' '[Service]' 'Type=oneshot'     "ExecStart=/bin/sh -c '$guard; systemctl --no-block poweroff'" > $unit.service
  printf '%s
' '[Unit]' 'Description=End of a temporary build instance' '[Timer]'     "OnCalendar=$(date -u -d @@AT@ '+%Y-%m-%d %H:%M:%S UTC')" 'AccuracySec=1s' '[Install]' 'WantedBy=timers.target' > $unit.timer
  systemctl daemon-reload && systemctl -q enable --now kiln-deadline.timer
  # A timer for a time that has passed never fires.
  [ "$(date +%s)" -lt @AT@ ] || systemctl --no-block start kiln-deadline.service
  [ ! -e $mark ] || rm -f $unit.service $unit.timer /etc/systemd/system/timers.target.wants/kiln-deadline.timer
else
  (trap '' HUP; sleep $left; [ -e $mark ] || poweroff) >/dev/null 2>&1 </dev/null &
fi
"#;

/// Takes the timer off as root.
const DISARM: &str = r#"touch /run/kiln-deadline-off
if [ -e /etc/systemd/system/kiln-deadline.timer ]; then
  systemctl -q stop kiln-deadline.timer
  rm -f /etc/systemd/system/kiln-deadline.service /etc/systemd/system/kiln-deadline.timer /etc/systemd/system/timers.target.wants/kiln-deadline.timer
fi
"#;

/// A build's deadline.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// Seconds since 1970.
    at: u64,
    /// How long that was from the launch, `max_duration`.
    pub life: Duration,
}

/// How far the clocks of machines may be apart, in seconds: EC2's own are set by NTP.
const SKEW: u64 = 5;

impl Deadline {
    /// The deadline of a machine that is launched now; `None` when the template wants none, or nobody can log in to take it off.
    pub fn new(source: &AmazonEbs) -> Option<Self> {
        let life = source.options.max_duration.map_or(MAX_DURATION, Duration::from);
        if life.is_zero() || source.communicator.is_none() {
            return None;
        }
        let end = SystemTime::now() + life;
        Some(Self { at: end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(), life })
    }

    /// Whether it has come.
    pub fn has_passed(self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.as_secs() + SKEW >= self.at
    }

    /// User data that sets the timer, in base64. Windows has no shell for it.
    pub fn user_data(self, image: &Image) -> Option<String> {
        (!image.windows).then(|| {
            STANDARD.encode(format!(
                "#!/bin/sh
{}",
                self.arm()
            ))
        })
    }

    fn arm(self) -> String {
        ARM.replace("@AT@", &self.at.to_string())
    }

    /// Sets the timer over the session. A machine where that fails has only the deadline of its user data.
    pub async fn set(self, communicator: &dyn Communicator) {
        let _ = as_root(communicator, &self.arm()).await;
    }

    /// Takes the timer off.
    pub async fn take_off(self, bake: &Bake<'_>, communicator: &dyn Communicator) {
        if !as_root(communicator, DISARM).await {
            let text = "the deadline of the instance could not be taken off (no root?); on instances of the image it does nothing";
            bake.cx.events.warn(text);
        }
    }
}

/// Runs a script as root, directly or by sudo without a password; whether it succeeded.
async fn as_root(communicator: &dyn Communicator, script: &str) -> bool {
    let quoted = format!("'{}'", script.replace('\'', r"'\''"));
    let command = format!("if [ \"$(id -u)\" = 0 ]; then sh -c {quoted}; else sudo -n sh -c {quoted}; fi");
    let exit = communicator.execute(&command, &mut Unheard).await;
    matches!(exit, Ok(crate::communicator::Exit::Status(0)))
}

/// For commands whose output is nobody's concern.
pub struct Unheard;

impl Output for Unheard {
    fn stdout(&mut self, _: &[u8]) {}
    fn stderr(&mut self, _: &[u8]) {}
}
