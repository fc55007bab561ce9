//! Options of Packer's `amazon-ebs` that this version of Kiln does not have, so that their refusal can say so.

/// Their names.
pub const OPTIONS: [&str; 29] = [
    "aws_polling", "block_duration_minutes", "capacity_reservation_group_arn", "capacity_reservation_id",
    "capacity_reservation_preference", "decode_authorization_messages", "enable_nitro_enclave", "encrypt_boot",
    "fast_launch", "fleet_tag", "fleet_tags", "insecure_skip_tls_verify", "kms_key_id", "license_specifications",
    "mfa_code", "pause_before_ssm", "region_kms_key_ids", "session_manager_port", "skip_metadata_api_check",
    "skip_profile_validation", "skip_save_build_region", "spot_allocation_strategy", "spot_instance_types",
    "spot_price", "spot_tag", "spot_tags", "temporary_iam_instance_profile_policy_document", "vault_aws_engine",
    "ssh_clear_authorized_keys",
];
