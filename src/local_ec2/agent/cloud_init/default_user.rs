//! The image's login user, as cloud-init's `default` user is made.

use super::log::Log;
use super::users::SUDO_RULE;
use crate::local_ec2::agent::accounts::{self, NewAccount};
use crate::local_ec2::agent::config::Config;
use crate::local_ec2::agent::paths::Paths;
use crate::local_ec2::agent::{authorized_keys, sudoers};

/// Groups that give the login user of well-known images its rights; those that the image lacks are left out.
const GROUPS: [&str; 4] = ["adm", "sudo", "wheel", "systemd-journal"];

/// Makes the user, lets it use sudo without a password, and gives it the launch key and `more_keys`.
pub fn make(paths: &Paths, config: &Config, more_keys: &[String], log: &mut Log) {
    let new = NewAccount {
        name: config.user.clone(),
        gecos: config.user.clone(),
        groups: GROUPS.map(str::to_owned).to_vec(),
        ..NewAccount::default()
    };
    let account = match accounts::find(paths, &config.user).filter(|account| account.uid == 0) {
        Some(root) => root,
        None => match accounts::ensure(paths, &new) {
            Ok(account) => account,
            Err(error) => return log.error(chain(&error)),
        },
    };
    if sudoers::has_sudo(paths)
        && account.uid != 0
        && let Err(error) = sudoers::allow(paths, &account.name, &[SUDO_RULE])
    {
        log.error(format!("sudo rule of `{}`: {error}", account.name));
    }
    let launch_key = config.public_key.iter().map(|key| (key, config.key_name.as_deref()));
    for (key, comment) in launch_key.chain(more_keys.iter().map(|key| (key, None))) {
        if let Err(error) = authorized_keys::install(paths, &account, key, comment) {
            log.error(chain(&error));
        }
    }
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
