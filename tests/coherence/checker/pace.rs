//! Is the machine quick enough to judge by? Asks the store through each proxy's own wire, all the time.
//!
//! A proxy that waits for its store in vain goes on without it. On a machine that is busy with other work it may wait in
//! vain for a store that is well: that is then no fault of the schedule, and none of the proxy. It is told here by what
//! the wire itself takes, not by what a proxy says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::judge::{Judge, Part};

const ASKED_EVERY: Duration = Duration::from_millis(50);
/// A fifth of what proxies wait for, and a thousand times what an answer takes.
const SLOW: Duration = Duration::from_millis(100);

/// Tells the judge whenever an answer from the store takes too long on its way to one proxy.
pub(crate) async fn watch(judge: Arc<Judge>, proxy: usize, store: SocketAddr) {
    loop {
        // a fault broke it, and is known
        let _broken = ask(&judge, proxy, store).await;
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

async fn ask(judge: &Judge, proxy: usize, store: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(store).await?;
    loop {
        let asked = judge.now();
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 64];
        let mut answering = Box::pin(stream.read(&mut answer));
        let in_time = tokio::time::timeout(SLOW, &mut answering).await;
        let is_late = in_time.is_err() || judge.now() - asked > SLOW.as_nanos() as u64;
        if is_late {
            judge.begin_at(asked, Part::Machine, proxy);
        }
        let answered = match in_time {
            Ok(answered) => answered,
            Err(_elapsed) => answering.await,
        };
        if is_late {
            judge.end(Part::Machine, Some(proxy));
        }
        if answered? == 0 {
            return Ok(());
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}
