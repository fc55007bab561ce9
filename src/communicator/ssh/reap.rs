//! Ending a remote command that nobody waits for any more.
//!
//! Closing its channel is not enough: OpenSSH leaves the process alone until it writes. The protocol's signal request works only
//! for logins that are not root's, and reaches only the first process group. So a second channel of the same connection looks
//! for what that connection's server process has started, and ends it: terminate first, so that sudo passes it on and
//! scripts run their traps, kill two seconds later.

use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::time::timeout;

use super::script::sh;
use super::session::Session;

/// For all of it; the machine is often about to be terminated anyway.
const LIMIT: Duration = Duration::from_secs(8);

/// `$PPID` is the connection's own server process. Its other children lead the process groups of the commands it started.
///
/// When the connection ends before this script starts, the script's parent is init (or a subreaper), whose children are the whole machine: so it goes
/// on only below a process that is an SSH server and not the first of the machine. A shell's `$PPID` never changes, so a server that ends later is
/// found to have no children.
const END_SIBLINGS: &str = r#"
[ "$PPID" -gt 1 ] || exit 0
read -r server < "/proc/$PPID/comm" 2>/dev/null || exit 0
case $server in sshd | sshd-session | dropbear | kiln) ;; *) exit 0 ;; esac
mine=
for stat in /proc/[0-9]*/stat; do
  read -r line < "$stat" 2>/dev/null || continue
  pid=${line%% *}
  rest=${line##*) }
  set -- $rest
  [ "$2" = "$PPID" ] && [ "$pid" != "$$" ] && mine="$mine $pid"
done
[ -n "$mine" ] || exit 0
root=
[ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && root='sudo -n'; }
signal() { for p in $mine; do $root kill -s "$1" -- "-$p" 2>/dev/null || kill -s "$1" -- "-$p" 2>/dev/null; done; }
left() { for p in $mine; do $root kill -s 0 -- "-$p" 2>/dev/null && return 0; done; return 1; }
signal TERM
n=0
while [ $n -lt 20 ] && left; do sleep 0.1 2>/dev/null || sleep 1; n=$((n+1)); done
left && signal KILL
exit 0
"#;

/// A command without anybody who waits for it.
pub(super) struct Orphan {
    pub session: Arc<Session>,
    pub read: ChannelReadHalf,
    pub write: ChannelWriteHalf<Msg>,
    /// Commands that still run on the same connection. They are not to be ended: then only the protocol's signal is sent,
    /// and the last of them to be dropped ends the rest.
    pub others: usize,
}

/// Ends the orphan, then the connection if it was its last use.
pub(super) async fn reap(orphan: Orphan) {
    let Orphan { session, mut read, write, others } = orphan;
    let ending = async {
        // Output is still taken: a full channel would block the connection, and with it what follows.
        let draining = async {
            while read.wait().await.is_some() {}
            std::future::pending::<()>().await
        };
        tokio::select! {
            () = draining => {}
            () = end(&session, others) => {}
        }
        let _ = write.signal(Sig::KILL).await;
        let _ = write.close().await;
    };
    let _ = timeout(LIMIT, ending).await;
    if others == 0 {
        session.disconnect().await;
    }
}

async fn end(session: &Session, others: usize) {
    if others > 0 || session.handle.is_closed() {
        return;
    }
    let Ok(mut channel) = session.handle.channel_open_session().await else { return };
    if channel.exec(false, sh(END_SIBLINGS, &[])).await.is_ok() {
        while channel.wait().await.is_some() {}
    }
}
