//! The only module that names the AWS SDKs: clients, error kinds, lost replies, batched looks at state, and one file a resource
//! (create, describe, release).

pub mod access;
pub mod batch;
pub mod clients;
mod credentials;
mod denial;
pub mod device;
pub mod error;
pub mod fleet;
pub mod iam;
pub mod identity;
pub mod image;
pub mod image_attributes;
pub mod image_copy;
pub mod image_filter;
pub mod image_rename;
pub mod instance;
pub mod json_call;
pub mod key_pair;
pub mod launch;
pub mod launch_template;
mod line;
pub mod network;
pub mod own_address;
pub mod parameter;
pub mod release;
pub mod repeat;
mod retry;
pub mod secret;
pub mod security_group;
mod signed_call;
pub mod snapshot;
pub mod tagged;
pub mod tags;
mod trusting_http;
pub mod wait_states;

pub use clients::{Aws, Ec2};
pub use error::{Error, Kind};
pub use retry::Age;
