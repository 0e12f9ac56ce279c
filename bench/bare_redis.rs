//! What is the least that an answer from Redis can cost with hyper? The limit for a hit in a shared store.
//!
//! `bare_redis PORT REDIS_PORT ROWS`: every request gets what one GET over one shared connection brings.

mod rows;

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "bare:list";

async fn answer(
    mut redis: MultiplexedConnection,
    headers: HeaderMap,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body: Vec<u8> = redis::cmd("GET").arg(KEY).query_async(&mut redis).await.expect("the list");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.headers_mut() = headers;
    Ok(response)
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a peer has no tracker: its tasks end with it")]
async fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let [port, redis_port, rows] = numbers[..] else { panic!("bare_redis PORT REDIS_PORT ROWS") };
    let client = redis::Client::open(format!("redis://127.0.0.1:{redis_port}")).expect("an address");
    let mut redis = client.get_multiplexed_async_connection().await.expect("a redis-server");
    let kept: redis::RedisResult<()> =
        redis::cmd("SET").arg(KEY).arg(&rows::list(rows)[..]).query_async(&mut redis).await;
    kept.expect("the list is kept");
    let headers = rows::headers(rows);
    let port = u16::try_from(port).expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let _best_effort = connection.set_nodelay(true);
        let (redis, headers) = (redis.clone(), headers.clone());
        tokio::spawn(async move {
            let service = service_fn(|_| answer(redis.clone(), headers.clone()));
            let io = TokioIo::new(connection);
            // a client that leaves is no failure of a measurement
            let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
        });
    }
}
