//! Options of Packer's `amazon-ebs` that this version of Kiln does not have, so that their refusal can say so.

/// Their names.
pub const OPTIONS: [&str; 5] =
    ["fast_launch", "mfa_code", "pause_before_ssm", "session_manager_port", "vault_aws_engine"];
