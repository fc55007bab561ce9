//! Instances: one file per group of calls.

mod attribute;
mod lifecycle;
mod listing;
mod request;
mod run;
mod view;

pub use attribute::{MODIFY_PARAMS, describe_attribute, modify_attribute};
pub use lifecycle::{console_output, reboot, start, stop, terminate};
pub use listing::{describe, describe_status};
pub use run::{RUN_PARAMS, run};
