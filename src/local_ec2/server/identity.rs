//! Who calls.

use std::time::Duration;

use super::request::{Incoming, Route};
use super::{Auth, Shared};
use crate::local_ec2::api::Caller;
use crate::local_ec2::state::{Moment, Session, partition_of};
use crate::local_ec2::wire::Error;
use crate::local_ec2::wire::auth::{self, Scope, Signed};

/// The account of keys that nobody said anything about.
const DEFAULT_ACCOUNT: &str = "000000000000";
/// How far a signature's time may be off.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

/// Finds out who calls, and refuses whom it must.
pub fn caller(shared: &Shared, received: &Incoming, route: Route, now: Moment) -> Result<Caller, Error> {
    let Some(scope) = &received.signed else {
        return Err(Error::new("MissingAuthenticationToken", "Request is missing Authentication Token"));
    };
    let session = find_session(shared, &scope.key_id, now)?;
    if session.as_ref().is_some_and(|session| session.expires <= now) {
        return Err(match route {
            Route::Ec2(_) => Error::new("RequestExpired", "Request has expired."),
            _ => Error::new("ExpiredToken", "The security token included in the request is expired"),
        });
    }
    if let Auth::Strict(secrets) = &shared.auth {
        let secret = session.as_ref().map(|session| &session.secret).or_else(|| secrets.get(&scope.key_id));
        check_signature(received, scope, route, secret, now)?;
    }
    if let Some(Session { arn, user_id, account, .. }) = session {
        return Ok(Caller { account, arn, user_id });
    }
    let account = account_of(shared, &scope.key_id);
    let partition = partition_of(&scope.region);
    Ok(Caller {
        arn: format!("arn:{partition}:iam::{account}:user/kiln"),
        user_id: format!("AIDA{}", scope.key_id.to_uppercase()),
        account,
    })
}

fn account_of(shared: &Shared, key_id: &str) -> String {
    let is_account = key_id.len() == 12 && key_id.bytes().all(|b| b.is_ascii_digit());
    match shared.accounts.get(key_id) {
        Some(account) => account.clone(),
        None if is_account => key_id.to_owned(),
        None => DEFAULT_ACCOUNT.to_owned(),
    }
}

/// Keys of assumed roles begin with `ASIA`; which account they belong to, only the session says.
fn find_session(shared: &Shared, key_id: &str, now: Moment) -> Result<Option<Session>, Error> {
    if !key_id.starts_with("ASIA") {
        return Ok(None);
    }
    for scope in shared.world.store.scopes_in("global")? {
        if let Some(session) = shared.world.store.read(&scope, now)?.sessions.remove(key_id) {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

fn check_signature(
    received: &Incoming,
    scope: &Scope,
    route: Route,
    secret: Option<&String>,
    now: Moment,
) -> Result<(), Error> {
    let is_ec2 = matches!(route, Route::Ec2(_));
    let refuse = |code: &'static str, text: &str| {
        let ec2 = Error::new("AuthFailure", "AWS was not able to validate the provided access credentials");
        if is_ec2 { ec2 } else { Error::new(code, text) }
    };
    let secret = secret
        .ok_or_else(|| refuse("InvalidClientTokenId", "The security token included in the request is invalid."))?;
    let request = Signed {
        method: &received.method,
        path: &received.path,
        query: &received.query,
        headers: &received.headers,
        body: &received.body,
    };
    if !auth::verify(scope, secret, &request) {
        let text = "The request signature we calculated does not match the signature you provided.";
        return Err(refuse("SignatureDoesNotMatch", text));
    }
    let signed_at = received.header("x-amz-date").and_then(read_amz_date);
    if signed_at.is_some_and(|at| at.until(now) > MAX_SKEW || now.until(at) > MAX_SKEW) {
        return Err(Error::new("RequestExpired", "Request has expired."));
    }
    Ok(())
}

/// `20261121T135400Z`.
fn read_amz_date(text: &str) -> Option<Moment> {
    let part = |from: usize, to: usize| text.get(from..to);
    let iso = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    Moment::parse(&iso)
}
