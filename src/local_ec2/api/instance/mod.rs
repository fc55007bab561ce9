//! Instances: one file per group of calls.

mod attribute;
mod image_metadata;
mod lifecycle;
mod listing;
mod monitoring;
mod options;
mod request;
mod run;
mod view;

pub use attribute::{MODIFY_PARAMS, describe_attribute, modify_attribute};
pub use image_metadata::describe_image_metadata;
pub use lifecycle::{console_output, end, reboot, start, stop, terminate};
pub use listing::{describe, describe_status};
pub use monitoring::{monitor, password_data, unmonitor};
pub use request::{Request, SpotTerms, check_user_data};
pub use run::{RUN_PARAMS, launch, run};
