//! AWS errors: a small enum to branch on, computed once from the code, and a text that names the call and the thing.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::engine::journal::Effect;

/// What kind of failure it was; all that callers may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thing does not exist (or does not yet, or no longer).
    NotFound,
    /// A thing of that name exists already.
    Duplicate,
    /// Something else still uses it, or it is not in the right state yet.
    InUse,
    /// Too many requests; asking later helps.
    Throttled,
    /// A fault on the other side (5xx). The call may have had an effect.
    Unavailable,
    /// No capacity for the instance type; asking again at once does not help.
    NoCapacity,
    /// Credentials or permissions.
    Denied,
    /// The request can never succeed as it is.
    Invalid,
    /// The request never reached the endpoint.
    Unreachable,
    /// The request was sent and no (whole) reply came. The call may have had an effect.
    NoReply,
}

/// What to do when no credentials are found. The SDK's own chain of causes says the same in six lines.
pub(super) const NO_CREDENTIALS: &str = "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`; to rehearse without an account use --local";

/// A failed call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{call}{}{subject}: {message}", if subject.is_empty() { "" } else { " " })]
pub struct Error {
    /// The API call, `RunInstances` for one.
    pub call: &'static str,
    /// What it was about: an id or a name; may be empty.
    pub subject: String,
    /// What kind of failure.
    pub kind: Kind,
    /// EC2's error code, when a reply carried one.
    pub code: Option<String>,
    /// EC2's text, or what the connection said.
    pub message: String,
    /// Whether an earlier try of the call may have had its effect, whatever became of the last one.
    pub uncertain: bool,
}

impl Error {
    /// An error found by Kiln itself in a well-formed answer.
    pub fn new(call: &'static str, subject: impl Into<String>, kind: Kind, message: impl Into<String>) -> Self {
        Self { call, subject: subject.into(), kind, code: None, message: message.into(), uncertain: false }
    }

    /// Computes the kind of an SDK error. `subject` names the thing the call was about.
    pub fn from_sdk<E, R>(call: &'static str, subject: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let code = error.code().map(str::to_owned);
        let kind = match error {
            SdkError::ServiceError(_) => code.as_deref().map_or(Kind::Unavailable, kind_of_code),
            SdkError::ConstructionFailure(_) => kind_of_construction(error),
            SdkError::DispatchFailure(failure) => kind_of_dispatch(failure),
            _ => Kind::NoReply,
        };
        let message = match (code.as_deref(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ if kind == Kind::Denied => NO_CREDENTIALS.to_owned(),
            _ => deepest(error),
        };
        Self { call, subject: subject.to_owned(), kind, code, message, uncertain: false }
    }

    /// True when this is EC2's error of that code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl Effect for Error {
    fn certainly_none(&self) -> bool {
        !self.uncertain && !matches!(self.kind, Kind::Unavailable | Kind::NoReply)
    }
}

/// The kind that an error code of EC2 or of a JSON service stands for (ec2-api.md section 2.16).
pub(super) fn kind_of_code(code: &str) -> Kind {
    match code {
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "Unsupported" => Kind::NoCapacity,
        "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "SlowDown" | "EC2ThrottledException" => {
            Kind::Throttled
        }
        "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable" | "ServerInternal" => {
            Kind::Unavailable
        }
        "ConcurrentModification" => Kind::Throttled,
        "DependencyViolation" | "DeleteConflict" | "InvalidSnapshot.InUse" | "InvalidGroup.InUse" | "VolumeInUse" => {
            Kind::InUse
        }
        "IncorrectInstanceState" | "IncorrectState" | "ResourceLimitExceeded" => Kind::InUse,
        "AuthFailure" | "UnauthorizedOperation" | "OptInRequired" | "MissingAuthenticationToken" => Kind::Denied,
        "InvalidClientTokenId" | "SignatureDoesNotMatch" | "RequestExpired" | "ExpiredToken" | "AccessDenied" => {
            Kind::Denied
        }
        // A deregistered image is `Unavailable`, not `NotFound`.
        "InvalidAMIID.Unavailable" | "NoSuchEntity" => Kind::NotFound,
        "ParameterNotFound" | "ParameterVersionNotFound" | "ResourceNotFoundException" => Kind::NotFound,
        "AccessDeniedException" | "UnrecognizedClientException" | "InvalidSignatureException" => Kind::Denied,
        "ExpiredTokenException" => Kind::Denied,
        "InternalServiceError" | "InternalServerError" => Kind::Unavailable,
        _ if code.contains(".NotFound") => Kind::NotFound,
        _ if code.ends_with(".Duplicate") || code.contains("AlreadyExists") => Kind::Duplicate,
        _ => Kind::Invalid,
    }
}

/// A request that could not be built: most often for want of credentials or a region.
fn kind_of_construction(error: &(dyn std::error::Error + 'static)) -> Kind {
    if deepest(error).contains("credential") { Kind::Denied } else { Kind::Invalid }
}

fn kind_of_dispatch(failure: &aws_smithy_runtime_api::client::result::DispatchFailure) -> Kind {
    let text = failure.as_connector_error().map(|e| deepest(e)).unwrap_or_default();
    if text.contains("credential") {
        return Kind::Denied;
    }
    kind_of_connection(&text)
}

/// What a connection's failure stands for, by its words. Only one that was never made certainly had no effect.
pub(super) fn kind_of_connection(text: &str) -> Kind {
    let never_sent = ["refused", "dns error", "unreachable", "lookup", "connect timeout", "certificate"];
    if never_sent.iter().any(|word| text.to_ascii_lowercase().contains(word)) {
        Kind::Unreachable
    } else {
        Kind::NoReply
    }
}

/// The innermost cause of an error, where SDK errors keep the useful part, led by the outermost when they differ.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        parts.push(source.to_string());
        next = source.source();
    }
    parts.dedup();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        for (code, kind) in [
            ("InvalidInstanceID.NotFound", Kind::NotFound),
            ("InvalidAMIID.Unavailable", Kind::NotFound),
            ("InvalidKeyPair.Duplicate", Kind::Duplicate),
            ("InvalidAMIName.Duplicate", Kind::Duplicate),
            ("DependencyViolation", Kind::InUse),
            ("RequestLimitExceeded", Kind::Throttled),
            ("InternalError", Kind::Unavailable),
            ("InsufficientInstanceCapacity", Kind::NoCapacity),
            ("UnauthorizedOperation", Kind::Denied),
            ("InvalidParameterValue", Kind::Invalid),
        ] {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }

    #[test]
    fn only_replies_that_say_so_rule_out_an_effect() {
        for (kind, certain) in [
            (Kind::Invalid, true),
            (Kind::Denied, true),
            (Kind::Throttled, true),
            (Kind::Unreachable, true),
            (Kind::NoReply, false),
            (Kind::Unavailable, false),
            (Kind::Duplicate, true),
        ] {
            assert_eq!(Error::new("X", "", kind, "").certainly_none(), certain, "{kind:?}");
        }
    }
}
