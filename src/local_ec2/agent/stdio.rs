//! Standard input and output as asynchronous pipes, for the processes that the agent starts of itself.

use std::io;
use std::os::fd::AsFd;

use tokio::net::unix::pipe::{Receiver, Sender};

/// Both pipes. They must be pipes: the agent made them so.
///
/// # Errors
/// When they are something else.
pub fn take() -> io::Result<(Receiver, Sender)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((Receiver::from_owned_fd(input)?, Sender::from_owned_fd(output)?))
}
