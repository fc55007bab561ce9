//! Instances: one file per group of calls.

mod attribute;
mod lifecycle;
mod listing;
mod request;
mod run;
mod view;

pub use attribute::{MODIFY_PARAMS, describe_attribute, modify_attribute};
pub use lifecycle::{console_output, end, reboot, start, stop, terminate};
pub use listing::{describe, describe_status};
pub use request::{Request, SpotTerms, check_user_data};
pub use run::{RUN_PARAMS, launch, run};
