//! `MaxResults` and `NextToken`: lists in pages, in the order of ids, so that a page stays right while the list changes.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Call;
use crate::local_ec2::wire::Error;

/// One page, and the token of the next.
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Present unless it is the last.
    pub next: Option<String>,
}

/// The range of `MaxResults` that most lists have.
pub const USUAL: RangeInclusive<i64> = 5..=1000;

/// Cuts the page that the request asks for. `key` must be unique.
pub fn cut<T>(
    call: &Call<'_>,
    mut items: Vec<T>,
    legal: RangeInclusive<i64>,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, Error> {
    items.sort_by_cached_key(&key);
    if let Some(token) = call.params.get("NextToken") {
        let after = open_token(call.action, token)?;
        items.retain(|item| key(item) > after);
    }
    let Some(size) = size(call, legal)? else { return Ok(Page { items, next: None }) };
    if items.len() <= size {
        return Ok(Page { items, next: None });
    }
    items.truncate(size);
    let next = items.last().map(|last| URL_SAFE_NO_PAD.encode(format!("{}\n{}", call.action, key(last))));
    Ok(Page { items, next })
}

fn size(call: &Call<'_>, legal: RangeInclusive<i64>) -> Result<Option<usize>, Error> {
    let Some(size) = call.params.int("MaxResults")? else { return Ok(None) };
    if !legal.contains(&size) {
        return Err(Error::value(format!(
            "Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
            legal.start(),
            legal.end()
        )));
    }
    Ok(usize::try_from(size).ok())
}

fn open_token(action: &str, token: &str) -> Result<String, Error> {
    let invalid = || Error::new("InvalidNextToken", "The token is invalid.");
    let text =
        URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
    let (made_by, key) = text.split_once('\n').ok_or_else(invalid)?;
    if made_by == action { Ok(key.to_owned()) } else { Err(invalid()) }
}
