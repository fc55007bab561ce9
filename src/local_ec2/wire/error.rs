//! What EC2 says when it refuses: a code, a text, and the HTTP status that goes with the code.

use std::borrow::Cow;
use std::fmt::Display;

/// One refusal. Its text is EC2's own: clients match on some of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// `InvalidAMIID.NotFound` and the like.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The text for people, which some clients also match on.
    pub message: String,
}

impl Error {
    /// An error whose status follows from its code.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let code = code.into();
        Self { status: status_of(&code), code, message: message.into() }
    }

    /// `InvalidParameterValue`.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// `InvalidParameterCombination`.
    pub fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// `MissingParameter`.
    pub fn missing(name: impl Display) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {name}"))
    }

    /// Our own fault, never the caller's: the state directory cannot be read or written.
    pub fn internal(reason: impl Display) -> Self {
        Self::new("InternalError", format!("An internal error has occurred: {reason}"))
    }
}

/// The status table of real EC2: 400 unless the code says otherwise. `InsufficientInstanceCapacity` really is a 500, which SDKs retry.
fn status_of(code: &str) -> u16 {
    match code {
        "AuthFailure" => 401,
        "UnauthorizedOperation"
        | "OptInRequired"
        | "PendingVerification"
        | "Blocked"
        | "MissingAuthenticationToken" => 403,
        "NoSuchEntity" => 404,
        "EntityAlreadyExists" | "DeleteConflict" | "LimitExceeded" | "ConcurrentModification" => 409,
        "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" | "AccessDenied" => 403,
        "DryRunOperation" => 412,
        "InternalError" | "InternalFailure" | "ServerInternal" => 500,
        "InsufficientInstanceCapacity" | "InsufficientAddressCapacity" => 500,
        "InsufficientVolumeCapacity" | "InsufficientHostCapacity" => 500,
        "RequestLimitExceeded" | "Unavailable" | "ServiceUnavailable" => 503,
        _ => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_follow_the_code() {
        for (code, status) in [
            ("InvalidAMIID.NotFound", 400),
            ("DryRunOperation", 412),
            ("InsufficientInstanceCapacity", 500),
            ("RequestLimitExceeded", 503),
            ("AuthFailure", 401),
        ] {
            assert_eq!(Error::new(code, "").status, status, "{code}");
        }
    }
}
