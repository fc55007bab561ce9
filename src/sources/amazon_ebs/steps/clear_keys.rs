//! The throw-away key's line goes from the machine's own files, so that the image does not trust a key that was made for its bake.

use crate::communicator::{Exit, Output};
use crate::engine::Cause;

use super::super::bake::Bake;
use super::connect::Session;
use super::key_pair::Key;

/// Removes the temporary key from the `authorized_keys` of the login user and of root. A guest where that does not work is told of, and the bake
/// goes on: its image has a key whose private half nobody keeps.
pub async fn clear(bake: &Bake<'_>, session: &Session, key: &Key) -> Result<(), Cause> {
    let Some(pair) = &key.pair else { return Ok(()) };
    let events = &bake.cx.events;
    events.say("Trying to remove ephemeral keys from authorized_keys files");
    let line = pair.public_line()?;
    for (whose, command) in commands(line.split_whitespace().nth(1).unwrap_or_default()) {
        let mut complaint = Complaint::default();
        let why = match session.communicator.execute(&command, &mut complaint).await {
            Ok(Exit::Status(0)) => continue,
            Ok(Exit::Status(status)) => format!("{} (status {status})", String::from_utf8_lossy(&complaint.0).trim()),
            Ok(Exit::Disconnected) => "the connection was lost".to_owned(),
            Err(error) => error.to_string(),
        };
        events.say(format!("Could not remove the temporary key from the authorized_keys of {whose}: {why}"));
    }
    Ok(())
}

/// The commands, and of whom each changes the file. A key is known by its data: its line may begin with options and end with any name.
fn commands(data: &str) -> [(&'static str, String); 2] {
    let from = |file: &str| {
        // With a suffix, `-i` means the same to GNU's, BSD's and BusyBox's sed. Base64 has nothing that means anything in a pattern.
        format!("if [ -f {file} ]; then sed -i.bak -e \"\\|{data}|d\" {file} && rm -f {file}.bak; fi")
    };
    let of_root = format!("[ \"$(id -u)\" = 0 ] || sudo -n sh -c '{}'", from("/root/.ssh/authorized_keys"));
    [("the login user", from("~/.ssh/authorized_keys")), ("root", of_root)]
}

/// What a command writes to standard error.
#[derive(Default)]
struct Complaint(Vec<u8>);

impl Output for Complaint {
    fn stdout(&mut self, _: &[u8]) {}

    fn stderr(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}
