//! The arguments that every provisioner or post-processor block takes besides its component's own options.
//!
//! The structs name and describe them; `provisioner.rs` and `post_processor.rs` read their values from blocks.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::hcl::duration::GoDuration;

/// What every provisioner takes.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only names and texts are taken from here; values come from blocks, with their places")]
pub struct ProvisionerArguments {
    /// A name of your own, shown in messages.
    name: Option<String>,
    /// Runs for these builds only, each written `TYPE.NAME` (`amazon-ebs.web`). All builds when empty. Not together with `except`.
    only: Option<Vec<String>>,
    /// Runs for all builds but these, each written `TYPE.NAME`. Not together with `only`.
    except: Option<Vec<String>>,
    /// Options to replace for some sources: an object of the sources' names, each with an object of options.
    r#override: Option<BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
    /// Time to wait before it starts. Default: `0s`.
    pause_before: Option<GoDuration>,
    /// How many times it is tried again after a failure. Default: 0.
    max_retries: Option<u32>,
    /// How long one try may take before it counts as failed. Default: no limit.
    timeout: Option<GoDuration>,
    /// Goes on with the build when it fails, after all retries. Default: `false`.
    continue_on_error: Option<bool>,
}

/// What every post-processor takes.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only names and texts are taken from here; values come from blocks, with their places")]
pub struct PostProcessorArguments {
    /// A name of your own, shown in messages; `-except` leaves out a post-processor of that name and those after it.
    name: Option<String>,
    /// Runs for these builds only, each written `TYPE.NAME` (`amazon-ebs.web`). All builds when empty. Not together with `except`.
    only: Option<Vec<String>>,
    /// Runs for all builds but these, each written `TYPE.NAME`. Not together with `only`.
    except: Option<Vec<String>>,
    /// Keeps the artifact that goes in, or destroys it once this one has made its own. Default: as the post-processor thinks fit.
    keep_input_artifact: Option<bool>,
}
