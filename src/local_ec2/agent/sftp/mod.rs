//! The SFTP subsystem: a process of its own that has the user's rights, on standard input and output.

mod attributes;
mod extension;
mod files;
mod handler;

use std::io;

use tokio::sync::oneshot;

/// The largest packet either side sends, as OpenSSH has it.
const MAX_PACKET: u32 = 256 << 10;

/// Serves SFTP until the client closes the channel.
///
/// # Errors
/// When standard input and output are not pipes.
pub async fn serve() -> io::Result<()> {
    let (input, output) = super::stdio::take()?;
    let (alive, ended) = oneshot::channel();
    let config = russh_sftp::server::Config { max_client_packet_len: MAX_PACKET };
    let handler = handler::Files::new(alive);
    russh_sftp::server::run_with_config(tokio::io::join(input, output), handler, config).await;
    // russh-sftp serves in a task that it keeps to itself: the handler's end is the task's.
    let _ = ended.await;
    Ok(())
}
