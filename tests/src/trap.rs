//! Listeners that nobody may connect to.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Listens on one port of several addresses of this machine, and counts who came.
#[derive(Debug)]
pub struct Trap {
    port: u16,
    listeners: Vec<TcpListener>,
}

impl Trap {
    /// Leaves out addresses that this machine does not have, but not the first.
    pub fn set(addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> =
            addresses.iter().map(|address| address.parse().unwrap()).collect();
        // The first one's port may be taken on another.
        (0..100).find_map(|_| Self::try_set(&addresses)).expect("a port that is free on all")
    }

    fn try_set(addresses: &[IpAddr]) -> Option<Self> {
        let first = TcpListener::bind((addresses[0], 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let mut listeners = vec![first];
        for &address in &addresses[1..] {
            match TcpListener::bind((address, port)) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
                Err(_) => {}
            }
        }
        listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        Some(Self { port, listeners })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first of its addresses.
    pub fn address(&self) -> SocketAddr {
        self.listeners[0].local_addr().unwrap()
    }

    /// How many connections were made since the last time it was asked. They need not be accepted
    /// to be there: whoever has connected is counted.
    pub fn caught(&self) -> usize {
        let accept = |listener: &TcpListener| std::iter::from_fn(|| listener.accept().ok()).count();
        self.listeners.iter().map(accept).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_connection_is_counted_once() {
        let trap = Trap::set(&["127.0.0.1", "127.0.0.2", "203.0.113.1"]);
        assert_eq!(trap.caught(), 0);
        let _held = TcpStream::connect(trap.address()).unwrap();
        drop(TcpStream::connect(("127.0.0.1", trap.port())).unwrap());
        assert_eq!((trap.caught(), trap.caught()), (2, 0));
    }
}
