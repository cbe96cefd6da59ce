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

#[derive(Debug, Clone, Copy)]
struct State {
    /// How often everything was cut.
    cuts: u64,
    weather: Weather,
    target: SocketAddr,
}

/// A proxy in front of one address.
#[derive(Debug)]
pub struct Severable {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
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
        let state = State { cuts: 0, weather: Weather::Clear, target: address(target) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(state));
        let server = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, server }
    }

    /// `http://host:port` of the proxy.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection there is; new ones go through as before.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Cuts every connection, and each new one as soon as it is made.
    pub fn refuse(&self) {
        self.becomes(Weather::Refusing);
    }

    /// Lets nothing through any more, without a word: neither on connections that are open, nor on
    /// new ones.
    pub fn fall_silent(&self) {
        self.state.send_modify(|state| state.weather = Weather::Silent);
    }

    /// New connections go through again; what fell silent is cut.
    pub fn heal(&self) {
        self.becomes(Weather::Clear);
    }

    /// New connections go there.
    pub fn lead_to(&self, target: &str) {
        self.state.send_modify(|state| state.target = address(target));
    }

    fn becomes(&self, weather: Weather) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.weather = weather;
        });
    }
}

fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

async fn accept(listener: TcpListener, state: Arc<watch::Sender<State>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        let state = state.subscribe();
        if state.borrow().weather != Weather::Refusing {
            tokio::spawn(carry(stream, state));
        }
    }
}

/// Until either end closes, or the connection is cut.
async fn carry(mut here: TcpStream, mut state: watch::Receiver<State>) {
    let begun = *state.borrow_and_update();
    let Ok(mut there) = TcpStream::connect(begun.target).await else { return };
    let mut cut = state.clone();
    let cut = cut.wait_for(|state| state.cuts != begun.cuts);
    let silent = state.wait_for(|state| state.weather == Weather::Silent);
    tokio::pin!(cut);
    if begun.weather == Weather::Clear {
        tokio::select! {
            _ = copy_bidirectional(&mut here, &mut there) => return,
            _ = &mut cut => return,
            _ = silent => {}
        }
    }
    let _ = cut.await;
}
