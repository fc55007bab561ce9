//! The listener: routing, who calls, faults, latency, answers and errors in each protocol's form, and the request log.

mod buckets;
mod ending;
mod identity;
mod log;
mod reply;
mod request;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use self::buckets::Buckets;
use self::ending::{Ending, Plan};
use self::log::Log;
use self::reply::{Reply, Rest};
use self::request::{Incoming as Received, Route};
use super::api::{Call, Effect, Kind, World};
use super::conductor::Conductor;
use super::faults::{Facts, Faults, Rule, When};
use super::machine::Machines;
use super::profile::Seeds;
use super::state::{Moment, Process, Scope, Store};
use super::timing::{Figure, Pace, Timing, Transition};
use super::wire::Error;

/// How long open requests may still take when the server is shut down.
const GRACE: Duration = Duration::from_secs(2);

/// Whether signatures are checked.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Who calls is read from the request and believed.
    #[default]
    Lenient,
    /// Signatures must be right; the secret keys by access key id.
    Strict(BTreeMap<String, String>),
}

/// What a server is started with.
pub struct Options {
    /// The directory of the state. Several processes may use the same one.
    pub dir: PathBuf,
    /// What runs the instances.
    pub machines: Arc<dyn Machines>,
    /// How long things take.
    pub pace: Pace,
    /// The faults file; it may come into being, change and go while the server runs.
    pub faults: Option<PathBuf>,
    /// Own figures, which come before the pace's.
    pub timings: BTreeMap<Transition, Figure>,
    /// Throttles as EC2 does; the number is how much slower than on EC2 time passes.
    pub buckets: Option<f64>,
    /// What there is without anybody having made it.
    pub seeds: Seeds,
    /// Faults that are there from the start.
    pub rules: Vec<Rule>,
    /// Seeds the draws of times and faults.
    pub seed: u64,
    /// The request log: one JSON object a line, appended.
    pub log: Option<PathBuf>,
    /// Whether signatures are checked.
    pub auth: Auth,
    /// Access key id to account id. A key of twelve digits is the account itself; every other key belongs to `000000000000`.
    pub accounts: BTreeMap<String, String>,
}

impl Options {
    /// The usual: no delays, no faults, no log, no questions.
    pub fn new(dir: impl Into<PathBuf>, machines: Arc<dyn Machines>) -> Self {
        Self {
            dir: dir.into(),
            machines,
            pace: Pace::Instant,
            faults: None,
            timings: BTreeMap::new(),
            buckets: None,
            seeds: Seeds::default(),
            rules: Vec::new(),
            seed: 0,
            log: None,
            auth: Auth::Lenient,
            accounts: BTreeMap::new(),
        }
    }
}

/// A running server. Dropped, it stops serving at once; only [`Handle::shutdown`] also ends its machines.
pub struct Handle {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    conducting: Option<JoinHandle<()>>,
}

impl Handle {
    /// The address it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, lets open requests end, and ends every machine that runs here.
    pub async fn shutdown(mut self) {
        // Nobody may be listening any more; then there is nothing to stop.
        let _ = self.stop.send(true);
        let _ = (&mut self.serving).await;
        if let Some(conducting) = self.conducting.take() {
            let _ = conducting.await;
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.serving.abort();
        if let Some(conducting) = &self.conducting {
            conducting.abort();
        }
    }
}

/// What all connections share.
struct Shared {
    world: Arc<World>,
    faults: Mutex<Faults>,
    buckets: Mutex<Buckets>,
    log: Log,
    auth: Auth,
    accounts: BTreeMap<String, String>,
}

/// Starts a server on `listen` (port 0: any). Fails when the address or the directory cannot be used, or the faults file is wrong.
pub async fn serve(listen: SocketAddr, options: Options) -> io::Result<Handle> {
    let world = Arc::new(World {
        store: Store::open(&options.dir)?,
        timing: Timing::new(options.pace, options.seed, options.timings),
        seeds: options.seeds,
        machines: options.machines,
        me: Process::new_server(),
        bell: tokio::sync::Notify::new(),
    });
    let faults = Faults::open(options.faults.as_deref(), options.rules, options.seed).map_err(io::Error::other)?;
    let shared = Arc::new(Shared {
        faults: Mutex::new(faults),
        buckets: Mutex::new(Buckets::new(options.buckets)),
        log: Log::open(options.log.as_deref())?,
        auth: options.auth,
        accounts: options.accounts,
        world: Arc::clone(&world),
    });
    let listener = TcpListener::bind(listen).await?;
    let addr = listener.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let conducting = tokio::spawn(Conductor::new(world).run(stopping.clone()));
    let serving = tokio::spawn(accept(listener, shared, stopping));
    Ok(Handle { addr, stop, serving, conducting: Some(conducting) })
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared), stop.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stop) => break,
        }
    }
    drop(listener);
    // A hanging request never ends by itself; dropping the set ends it.
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Ends when the server is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the handle is gone, which is a stop too. The guard must not be held over an await.
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    // A second handle on the socket, by which a fault can have it reset when it is closed.
    let Ok((stream, twin)) = twin(stream) else { return };
    let twin = Arc::new(twin);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (shared, twin) = (Arc::clone(&shared), Arc::clone(&twin));
        async move {
            match answer(&shared, request).await {
                Outcome::Reply(reply, _) | Outcome::Told(reply) => Ok(reply.into_response()),
                // An error from the service closes the connection without an answer.
                Outcome::Close => Err(Closed),
                Outcome::Reset => {
                    reset_on_close(&twin);
                    Err(Closed)
                }
            }
        }
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        // The client went away or a fault closed the connection: nothing to do either way.
        _ = serving.as_mut() => {}
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

fn twin(stream: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    stream.set_nodelay(true)?;
    Ok((TcpStream::from_std(stream)?, twin))
}

/// Closing a socket with a linger time of zero sends RST.
fn reset_on_close(twin: &std::net::TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = nix::sys::socket::setsockopt(twin, nix::sys::socket::sockopt::Linger, &linger);
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by an injected fault")]
struct Closed;

/// What becomes of a request.
enum Outcome {
    /// With what the log says of its faults.
    Reply(Reply, Option<String>),
    /// A reply that a fault made; its line is in the log.
    Told(Reply),
    Close,
    Reset,
}

async fn answer(shared: &Arc<Shared>, request: hyper::Request<Incoming>) -> Outcome {
    let received = match Received::read(request).await {
        Ok(received) => received,
        Err(error) => return Outcome::Reply(Reply::of_unknown(&error), None),
    };
    let route = match received.route() {
        Ok(route) => route,
        Err((protocol, error)) => {
            shared.log.write(&received, None, error.status, Some(&error.code), None);
            return Outcome::Reply(Reply::error(protocol, &error), None);
        }
    };
    let outcome = perform(shared, &received, route).await;
    if let Outcome::Reply(reply, note) = &outcome {
        shared.log.write(&received, Some(&route), reply.status, reply.code.as_deref(), note.as_deref());
    }
    outcome
}

async fn perform(shared: &Arc<Shared>, received: &Received, route: Route) -> Outcome {
    let now = Moment::now();
    let facts = Facts {
        action: route.name(),
        region: &received.region(),
        effect: route.effect(),
        params: &received.params,
        throttled: route.protocol().throttled(),
        service: route.service(),
    };
    let decided = shared.faults.lock().unwrap_or_else(|e| e.into_inner()).decide(&facts);
    let mut plan = match decided {
        Ok(faults) => Plan::of(faults),
        Err(error) => return Outcome::Reply(Reply::error(route.protocol(), &error), None),
    };
    if let Some(ending) = plan.before.take() {
        tokio::time::sleep(plan.delay).await;
        return end(shared, received, route, (ending, When::Before), plan.note(), None).await;
    }
    let result = run(shared, received, route, now, &mut plan).await;
    let latency = shared.world.timing.draw(call_time(route));
    // The effect is there, the answer is still on its way: that is where a slow call spends its time for the caller.
    tokio::time::sleep(latency + plan.delay).await;
    let reply = match result {
        Ok(body) => Reply::success(route, &received.request_id, body),
        Err(error) => Reply::error_of(route.protocol(), &error, &received.request_id),
    };
    match plan.after.take() {
        Some(ending) => end(shared, received, route, (ending, When::After), plan.note(), Some(reply)).await,
        None => Outcome::Reply(reply, plan.note()),
    }
}

fn call_time(route: Route) -> Transition {
    match (route.name(), route.effect()) {
        ("RunInstances", _) => Transition::LaunchCall,
        (_, Effect::Writes) => Transition::WriteCall,
        (_, Effect::Reads) => Transition::ReadCall,
    }
}

/// Ends a call as its fault wants. Every line of the log says what the fault was, whether the effect is there, and which other faults it bore.
async fn end(
    shared: &Arc<Shared>,
    received: &Received,
    route: Route,
    ending: (Ending, When),
    others: Option<String>,
    reply: Option<Reply>,
) -> Outcome {
    let (ending, when) = ending;
    let mut fault = format!("{} {}", ending.name(), if when == When::Before { "before" } else { "after" });
    if let Some(others) = others {
        fault = format!("{others}, {fault}");
    }
    let note = |status: u16, code: &str| shared.log.write(received, Some(&route), status, Some(code), Some(&fault));
    match (ending, reply) {
        (Ending::Error(error), _) => {
            note(error.status, &error.code);
            Outcome::Told(Reply::error_of(route.protocol(), &error, &received.request_id))
        }
        (Ending::BadGateway, _) => {
            note(502, "BadGateway");
            Outcome::Told(Reply::bad_gateway(&received.request_id))
        }
        (Ending::Reset, _) => {
            note(0, "Reset");
            Outcome::Reset
        }
        (Ending::Hang, _) => {
            // It never ends: the client gives up or is killed, or the server is shut down.
            note(0, "Hang");
            std::future::pending().await
        }
        (Ending::Truncated, Some(reply)) => {
            note(0, "Truncated");
            Outcome::Told(reply.cut(Rest::Closed))
        }
        (Ending::Stalled, Some(reply)) => {
            note(0, "Stalled");
            Outcome::Told(reply.cut(Rest::Never))
        }
        (Ending::Close | Ending::Truncated | Ending::Stalled, _) => {
            note(0, "LostReply");
            Outcome::Close
        }
    }
}

/// Runs the action on a thread that may block: it reads and writes files, and CreateKeyPair computes for a while.
async fn run(
    shared: &Arc<Shared>,
    received: &Received,
    route: Route,
    now: Moment,
    plan: &mut Plan,
) -> Result<reply::Body, Error> {
    let (shared, received) = (Arc::clone(shared), received.clone());
    let (injected, unknown) = (std::mem::take(&mut plan.injected), std::mem::take(&mut plan.unknown));
    let work = tokio::task::spawn_blocking(move || {
        let caller = identity::caller(&shared, &received, route, now)?;
        let region = received.known_region(route)?;
        let call = Call {
            world: &shared.world,
            action: route.name(),
            params: &received.params,
            scope: Scope { region, account: caller.account.clone() },
            caller: &caller,
            now,
            injected: &injected,
        };
        check_rate(&shared, &call, route)?;
        check_known(&call, &unknown)?;
        route.run(&call, &received)
    });
    work.await.unwrap_or_else(|error| Err(Error::internal(error)))
}

fn check_rate(shared: &Shared, call: &Call<'_>, route: Route) -> Result<(), Error> {
    let owner = format!("{} {}", call.scope.account, call.scope.region);
    let mut buckets = shared.buckets.lock().unwrap_or_else(|e| e.into_inner());
    if buckets.take(&owner, route.name(), route.effect(), call.params, call.now) {
        return Ok(());
    }
    Err(route.protocol().throttled())
}

fn check_known(call: &Call<'_>, unknown: &[(Option<Kind>, Duration)]) -> Result<(), Error> {
    if unknown.is_empty() {
        return Ok(());
    }
    let region = call.read()?;
    for named in call.named_resources(&region) {
        let created = named.kind.created(&region, &named.id);
        for (wanted, window) in unknown {
            let is_young = created.is_some_and(|created| created.plus(*window) > call.now);
            if wanted.is_none_or(|wanted| wanted == named.kind) && is_young {
                return Err(named.kind.not_found(&[named.asked]));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
