//! A TCP proxy whose connections can be cut, refused and made to fall silent, as networks do.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to connections from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Bytes go through.
    Clear,
    /// Connections are closed as soon as they are made.
    Refusing,
    /// Connections stay open, and nothing comes through any more.
    Silent,
}

/// A proxy in front of one address.
#[derive(Debug)]
pub struct Severable {
    address: SocketAddr,
    /// How often everything was cut, and the weather since.
    state: Arc<watch::Sender<(u64, Weather)>>,
    server: JoinHandle<()>,
}

impl Drop for Severable {
    fn drop(&mut self) {
        self.server.abort();
        self.cut();
    }
}

impl Severable {
    /// Listens on a free port for connections to `target`, which is `http://host:port`.
    pub async fn before(target: &str) -> Self {
        let target: SocketAddr = target.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new((0, Weather::Clear)));
        let server = tokio::spawn(accept(listener, target, state.clone()));
        Self { address, state, server }
    }

    /// `http://host:port` of the proxy.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection there is; new ones go through as before.
    pub fn cut(&self) {
        self.state.send_modify(|(cuts, _)| *cuts += 1);
    }

    /// Cuts every connection, and each new one as soon as it is made.
    pub fn refuse(&self) {
        self.state
            .send_modify(|(cuts, weather)| (*cuts, *weather) = (*cuts + 1, Weather::Refusing));
    }

    /// Lets nothing through any more, without a word: neither on connections that are open, nor on
    /// new ones.
    pub fn fall_silent(&self) {
        self.state.send_modify(|(_, weather)| *weather = Weather::Silent);
    }

    /// New connections go through again; what fell silent is cut.
    pub fn heal(&self) {
        self.state.send_modify(|(cuts, weather)| (*cuts, *weather) = (*cuts + 1, Weather::Clear));
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    state: Arc<watch::Sender<(u64, Weather)>>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        let state = state.subscribe();
        if state.borrow().1 != Weather::Refusing {
            tokio::spawn(carry(stream, target, state));
        }
    }
}

/// Until either end closes, or the connection is cut.
async fn carry(
    mut here: TcpStream,
    target: SocketAddr,
    mut state: watch::Receiver<(u64, Weather)>,
) {
    let (cuts, weather) = *state.borrow_and_update();
    let Ok(mut there) = TcpStream::connect(target).await else { return };
    let mut cut = state.clone();
    let cut = cut.wait_for(|(now, _)| *now != cuts);
    let silent = state.wait_for(|(_, weather)| *weather == Weather::Silent);
    tokio::pin!(cut);
    if weather == Weather::Clear {
        tokio::select! {
            _ = copy_bidirectional(&mut here, &mut there) => return,
            _ = &mut cut => return,
            _ = silent => {}
        }
    }
    let _ = cut.await;
}
