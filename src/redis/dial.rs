//! How is a connection made, and whom does it lead to?

use std::fmt;
use std::io;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, Value, cmd};
use deadpool::managed::{Manager, Metrics, PoolError, RecycleError, RecycleResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::ServerId;
use super::address::{Endpoint, Place, Sentinels};
use super::bounded::Bounded;
use super::sentinel;
use super::silence::{Refusal, Silence};

/// Longest wait for a connection, TLS and password included. No request waits for it.
pub(super) const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// A connection that has been answered, and by whom.
pub(super) struct Dialled {
    pub(super) connection: MultiplexedConnection,
    pub(super) server: ServerId,
    pub(super) place: Place,
    /// The connection is closed when this is dropped.
    pub(super) open: DropGuard,
}

/// Why none was made.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) silence: Silence,
    why: String,
}

/// Makes connections for a pool.
pub(super) struct Dialler {
    pub(super) way: Way,
    pub(super) tasks: TaskTracker,
}

impl Manager for Dialler {
    type Type = Dialled;
    type Error = Unreached;

    async fn create(&self) -> Result<Dialled, Unreached> {
        self.way.dial(plain(&self.tasks)).await
    }

    /// None comes back: it is taken out of the pool for as long as it lives.
    async fn recycle(&self, _: &mut Dialled, _: &Metrics) -> RecycleResult<Unreached> {
        Err(RecycleError::message("made for one place"))
    }
}

/// In which manner a connection is made.
pub(super) struct Manner<'a> {
    pub(super) config: AsyncConnectionConfig,
    pub(super) protocol: ProtocolVersion,
    pub(super) tasks: &'a TaskTracker,
}

/// How one gets to a server.
pub(super) enum Way {
    To(Endpoint),
    Sentinels(Sentinels),
}

impl Way {
    /// Connects to the server that leads, in time or not at all.
    pub(super) async fn dial(&self, manner: Manner<'_>) -> Result<Dialled, Unreached> {
        let dialling = async {
            match self {
                Self::To(endpoint) => dial(endpoint, manner, Leads::IfAsked).await,
                Self::Sentinels(sentinels) => {
                    let endpoint = sentinel::leader(sentinels, manner.tasks).await?;
                    dial(&endpoint, manner, Leads::Surely).await
                }
            }
        };
        match tokio::time::timeout(CONNECT_WAIT, dialling).await {
            Ok(dialled) => dialled,
            Err(_elapsed) => Err(Unreached { silence: Silence::Late, why: "no answer in time".to_owned() }),
        }
    }
}

/// Must a server say that it leads?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// It must.
    Surely,
    /// It must not say that it follows; some services do not let one ask.
    IfAsked,
}

async fn dial(endpoint: &Endpoint, manner: Manner<'_>, leads: Leads) -> Result<Dialled, Unreached> {
    let (mut connection, open) = open(endpoint, manner).await?;
    // one that is loading its data says so here
    ask(&mut connection, &cmd("PING")).await?;
    match role(&mut connection).await {
        Ok(Role::Leader) => {}
        Err(silence) if leads == Leads::IfAsked && silence.is_answer() => {}
        Ok(Role::Follower) => return Err(Silence::Refused(Refusal::ReadOnly).into()),
        Err(silence) => return Err(silence.into()),
    }
    let server = who(&mut connection).await?;
    Ok(Dialled { connection, server, place: endpoint.place.clone(), open })
}

/// A connection to an endpoint, whoever that is, logged in. It is closed when the guard is dropped.
pub(super) async fn open(
    endpoint: &Endpoint,
    manner: Manner<'_>,
) -> Result<(MultiplexedConnection, DropGuard), Unreached> {
    let login = endpoint.login.clone().set_protocol(manner.protocol);
    let stream = connect(endpoint).await.map_err(|error| Unreached::no_connection(&error))?;
    let made = MultiplexedConnection::new_with_config(&login, Bounded::new(stream), manner.config).await;
    let (connection, driver) = made.map_err(|error| Unreached {
        // what the server said may hold the user's name, but never the password
        why: error.to_string(),
        silence: error.into(),
    })?;
    let closing = CancellationToken::new();
    let closed = closing.clone();
    manner.tasks.spawn(async move { closed.run_until_cancelled(driver).await });
    Ok((connection, closing.drop_guard()))
}

/// What is written and read over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(endpoint: &Endpoint) -> io::Result<Box<dyn Stream>> {
    let stream = match &endpoint.place {
        Place::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        Place::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await?,
    };
    // small commands one after another, each waited for
    stream.set_nodelay(true)?;
    let Some(tls) = &endpoint.tls else { return Ok(Box::new(stream)) };
    let name = endpoint.name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(Box::new(TlsConnector::from(tls.clone()).connect(name, stream).await?))
}

/// Does a server lead, or follow another?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Leader,
    Follower,
}

pub(super) async fn role(connection: &mut MultiplexedConnection) -> Result<Role, Silence> {
    let Value::Array(parts) = ask(connection, &cmd("ROLE")).await? else { return Err(Silence::Broken) };
    match parts.first() {
        Some(Value::BulkString(name)) if name == b"master" => Ok(Role::Leader),
        Some(_) => Ok(Role::Follower),
        None => Err(Silence::Broken),
    }
}

/// Asks a server for the name of its run.
async fn who(connection: &mut MultiplexedConnection) -> Result<ServerId, Silence> {
    let mut asked = cmd("INFO");
    asked.arg("server");
    let info = match ask(connection, &asked).await? {
        Value::BulkString(info) => info,
        Value::VerbatimString { text, .. } => text.into_bytes(),
        _ => return Err(Silence::Broken),
    };
    let info = String::from_utf8_lossy(&info);
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
    let first = run.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    first.map(ServerId).ok_or(Silence::Broken)
}

async fn ask(connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, Silence> {
    Ok(connection.req_packed_command(command).await?.extract_error()?)
}

/// How connections for commands are set up: our own deadline for each call is stricter than
/// the library's.
pub(super) fn plain(tasks: &TaskTracker) -> Manner<'_> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    Manner { config, protocol: RedisConnectionInfo::default().protocol(), tasks }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(endpoint) => endpoint.place.fmt(f),
            Self::Sentinels(sentinels) => f.write_str(&sentinels.service),
        }
    }
}

impl Unreached {
    fn no_connection(error: &io::Error) -> Self {
        Self { silence: Silence::Away, why: error.to_string() }
    }
}

impl From<PoolError<Unreached>> for Unreached {
    fn from(error: PoolError<Unreached>) -> Self {
        match error {
            PoolError::Backend(unreached) => unreached,
            PoolError::Timeout(_) => Silence::Late.into(),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Silence::Away.into()
            }
        }
    }
}

impl From<Silence> for Unreached {
    fn from(silence: Silence) -> Self {
        Self { why: silence.to_string(), silence }
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
