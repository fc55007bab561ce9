//! Options of Packer's `amazon-ebs` that this version of Kiln does not have, so that their refusal can say so.

/// Their names.
pub const OPTIONS: [&str; 12] = [
    "capacity_reservation_group_arn",
    "capacity_reservation_id",
    "capacity_reservation_preference",
    "decode_authorization_messages",
    "enable_nitro_enclave",
    "fast_launch",
    "insecure_skip_tls_verify",
    "license_specifications",
    "mfa_code",
    "pause_before_ssm",
    "session_manager_port",
    "vault_aws_engine",
];
