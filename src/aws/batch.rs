//! Looks at the state of many resources with one Describe call: whoever asks within a short window shares it, across all builds of a region.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::error::Error;

/// How long the first asker waits for others. Far below any pace of polling, far above what builds in step differ by.
const WINDOW: Duration = Duration::from_millis(15);
/// EC2 takes at most 200 values in one filter.
const MOST: usize = 200;

type Answer<T> = Result<Option<T>, Error>;
type Answers<T> = Result<HashMap<String, T>, Error>;

/// One describe call for several ids. Ids that do not exist are absent from the answer.
pub type Describe<T> = Box<dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = Answers<T>> + Send>> + Send + Sync>;

/// A shared look at one kind of resource in one region. Clones share it; the task behind it ends with the last clone.
pub struct Batch<T>(mpsc::UnboundedSender<(String, oneshot::Sender<Answer<T>>)>);

impl<T: Clone + Send + 'static> Batch<T> {
    /// Starts the task that gathers questions.
    pub fn new(describe: Describe<T>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(gather(receiver, describe));
        Self(sender)
    }

    /// The resource as it is now; `None` when it does not exist (or not yet).
    pub async fn look(&self, call: &'static str, id: &str) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::new(call, id, super::Kind::NoReply, "the poller has ended");
        self.0.send((id.to_owned(), reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn gather<T: Clone>(
    mut questions: mpsc::UnboundedReceiver<(String, oneshot::Sender<Answer<T>>)>,
    describe: Describe<T>,
) {
    while let Some(first) = questions.recv().await {
        let mut asked = vec![first];
        tokio::time::sleep(WINDOW).await;
        while asked.len() < MOST
            && let Ok(next) = questions.try_recv()
        {
            asked.push(next);
        }
        // Askers that were cancelled meanwhile need no answer.
        asked.retain(|(_, reply)| !reply.is_closed());
        if !asked.is_empty() {
            answer(&describe, asked).await;
        }
    }
}

async fn answer<T: Clone>(describe: &Describe<T>, asked: Vec<(String, oneshot::Sender<Answer<T>>)>) {
    let mut ids: Vec<String> = asked.iter().map(|(id, _)| id.clone()).collect();
    ids.sort();
    ids.dedup();
    let found = match describe(ids.clone()).await {
        Err(e) if e.kind == super::Kind::NotFound => one_by_one(describe, ids).await,
        found => found,
    };
    for (id, reply) in asked {
        let answer = found.as_ref().map(|found| found.get(&id).cloned()).map_err(Error::clone);
        // The asker may have been cancelled in the meantime.
        let _ = reply.send(answer);
    }
}

/// Some endpoints refuse a whole call for one id that they do not know, or not yet.
async fn one_by_one<T>(describe: &Describe<T>, ids: Vec<String>) -> Result<HashMap<String, T>, Error> {
    let mut all = HashMap::new();
    for id in ids {
        match describe(vec![id]).await {
            Ok(found) => all.extend(found),
            Err(e) if e.kind == super::Kind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn askers_in_one_window_share_a_call() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = calls.clone();
        let batch = Batch::new(Box::new(move |ids: Vec<String>| {
            seen.lock().unwrap().push(ids.clone());
            Box::pin(async move { Ok(ids.into_iter().filter(|id| id != "c").map(|id| (id.clone(), id)).collect()) })
        }));
        let (a, b, a2, c) =
            tokio::join!(batch.look("D", "a"), batch.look("D", "b"), batch.look("D", "a"), batch.look("D", "c"));
        assert_eq!((a.unwrap(), b.unwrap()), (Some("a".into()), Some("b".into())));
        assert_eq!((a2.unwrap(), c.unwrap()), (Some("a".into()), None));
        assert_eq!(*calls.lock().unwrap(), [["a", "b", "c"]]);
    }

    #[tokio::test]
    async fn an_unknown_id_hides_no_known_one() {
        let batch = Batch::new(Box::new(move |ids: Vec<String>| {
            Box::pin(async move {
                match ids.contains(&"unknown".to_owned()) {
                    true => Err(Error::new("D", "", super::super::Kind::NotFound, "no such id")),
                    false => Ok(ids.into_iter().map(|id| (id.clone(), id)).collect()),
                }
            })
        }));
        let (known, unknown) = tokio::join!(batch.look("D", "a"), batch.look("D", "unknown"));
        assert_eq!((known.unwrap(), unknown.unwrap()), (Some("a".into()), None));
    }
}
