//! The open stream: opened again whenever it is lost, until somebody ends it for good.

use std::time::Duration;

use bluum_hooks_shared::api::Listener;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::frames::{Arrival, Bye, Frame, Frames, Gap, Hello};
use super::identity::Identity;
use super::remote::{Manner, Remote, may_pass};
use super::vigil::{self, LOOK, SILENCE, Vigil};
use crate::cli::failure::{Failure, Status};
use crate::client::ClientError;
use crate::clock::{Clock, SystemClock};
use crate::random::{Random, SystemRandom};

/// A stream that lived so long was a good one: trying again begins anew.
const GOOD: Duration = Duration::from_secs(30);

/// What the stream tells.
#[derive(Debug)]
pub(super) enum News {
    /// Connected; for how long it was not, if it has been before.
    Up {
        hello: Hello,
        offline: Option<Duration>,
    },
    Arrival(Box<Arrival>),
    Gap(Gap),
    Waiting(u64),
    /// Lost; it is opened again after this long.
    Down {
        reason: String,
        retry: Duration,
    },
    /// It will not be opened again.
    Over(Failure),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) remote: Remote,
    pub(super) identity: Identity,
    pub(super) name: String,
    pub(super) window: u16,
    pub(super) manner: Manner,
    pub(super) max_offline: Option<Duration>,
    pub(super) after: Option<i64>,
    pub(super) news: mpsc::Sender<News>,
}

/// Why a stream is no more.
enum End {
    Lost {
        reason: String,
        wait: Option<Duration>,
    },
    /// The other end is as it should be: open it again at once.
    Again,
    Over(Failure),
}

fn lost(reason: impl Into<String>) -> End {
    End::Lost { reason: reason.into(), wait: None }
}

/// Nobody takes the news any more.
struct Deaf;

impl Connection {
    /// Runs until nobody takes the news, or it is over.
    pub(super) async fn run(mut self) {
        let clock = SystemClock::new();
        let mut backoff = Backoff::default();
        let mut down_since = clock.monotonic();
        let mut connected_before = false;
        loop {
            let mut life = Life { up: None, brought: false };
            let offline = connected_before.then(|| clock.monotonic().saturating_sub(down_since));
            let Ok(end) = self.live(&clock, offline, &mut life).await else { return };
            if let Some(since) = life.up {
                connected_before = true;
                down_since = clock.monotonic();
                if life.brought || clock.monotonic().saturating_sub(since) > GOOD {
                    backoff.reset();
                }
            }
            let (reason, wait) = match end {
                End::Lost { reason, wait } => (reason, wait),
                End::Again => continue,
                End::Over(failure) => {
                    let _ = self.news.send(News::Over(failure)).await;
                    return;
                }
            };
            let retry = wait.unwrap_or_else(|| backoff.next(&SystemRandom));
            let offline = clock.monotonic().saturating_sub(down_since);
            if self.max_offline.is_some_and(|limit| offline + retry > limit) {
                let message = format!("offline for {} s: {reason}", offline.as_secs());
                let next = "is the daemon running? --max-offline says how long to wait for it";
                let failure = Failure::new(Status::Unreachable, message).then(next);
                let _ = self.news.send(News::Over(failure)).await;
                return;
            }
            if self.news.send(News::Down { reason, retry }).await.is_err() {
                return;
            }
            vigil::wait_awake(&clock, retry).await;
        }
    }

    /// One stream from its opening to its end.
    async fn live(
        &mut self,
        clock: &SystemClock,
        offline: Option<Duration>,
        life: &mut Life,
    ) -> Result<End, Deaf> {
        let opened = self.remote.stream(&self.identity, self.window, self.manner, self.after).await;
        match opened {
            Ok(stream) => self.read(stream, clock, offline, life).await,
            Err(ClientError::Refused { status: 409, .. }) => Ok(self.busy().await),
            Err(ClientError::TooFast { wait, .. }) => {
                let wait = wait + wait.mul_f64(SystemRandom.unit());
                Ok(End::Lost { reason: "the dispatcher is busy".into(), wait: Some(wait) })
            }
            Err(error) if may_pass(&error) => Ok(lost(brief(&error))),
            Err(error) => Ok(End::Over(error.into())),
        }
    }

    async fn read(
        &mut self,
        mut stream: Incoming,
        clock: &SystemClock,
        mut offline: Option<Duration>,
        life: &mut Life,
    ) -> Result<End, Deaf> {
        let mut frames = Frames::default();
        let mut vigil = Vigil::new(clock);
        loop {
            match tokio::time::timeout(LOOK, stream.frame()).await {
                Ok(Some(Ok(frame))) => {
                    vigil.heard(clock);
                    frames.push(frame.data_ref().map_or(&[], |data| data));
                }
                Ok(Some(Err(error))) => return Ok(lost(cause(&error))),
                Ok(None) => return Ok(lost("the connection was closed")),
                Err(_) => match vigil.looks(clock) {
                    Some(reason) if life.up.is_none() => {
                        let next = "does a proxy hold the stream back?";
                        return Ok(lost(format!("{reason}; {next}")));
                    }
                    Some(reason) => return Ok(lost(reason)),
                    None => continue,
                },
            }
            loop {
                let news = match frames.next() {
                    Ok(None) => break,
                    Err(error) => return Ok(lost(error.to_string())),
                    Ok(Some(Frame::Unknown)) => continue,
                    Ok(Some(Frame::Bye(bye))) => return Ok(self.farewell(&bye)),
                    Ok(Some(Frame::Hello(hello))) => {
                        life.up = Some(clock.monotonic());
                        vigil.expects(&hello);
                        // Taken once; who takes it from us later is to keep it.
                        if self.manner == Manner::Takeover {
                            self.manner = Manner::Alone;
                        }
                        News::Up { hello, offline: offline.take() }
                    }
                    Ok(Some(Frame::Delivery(arrival))) => {
                        life.brought = true;
                        self.after = self.after.max(Some(arrival.cursor));
                        News::Arrival(arrival)
                    }
                    Ok(Some(Frame::Gap(gap))) => News::Gap(gap),
                    Ok(Some(Frame::Beat { waiting })) => News::Waiting(waiting),
                };
                self.news.send(news).await.map_err(|_| Deaf)?;
            }
        }
    }

    fn farewell(&self, bye: &Bye) -> End {
        let name = &self.name;
        let over = |status, message: String, next: &str| {
            End::Over(Failure::new(status, message).then(next))
        };
        match bye.reason.as_str() {
            "takeover" => over(
                Status::Busy,
                format!("another process took over '{name}'"),
                "--takeover takes it back, --name another gets its own copy",
            ),
            "revoked" => over(
                Status::Credentials,
                "the key was revoked".into(),
                "check BLUUM_API_KEY and BLUUM_API_SECRET",
            ),
            "deleted" => over(
                Status::NotFound,
                format!("the listener '{name}' was deleted"),
                "start again for a new one, with a new secret",
            ),
            reason => {
                let retry = bye.retry_ms.map(Duration::from_millis);
                // Not all at the same moment.
                let wait = retry.map(|wait| wait.min(SILENCE).mul_f64(0.5 + SystemRandom.unit()));
                End::Lost { reason: format!("the dispatcher says {reason}"), wait }
            }
        }
    }

    /// Somebody else has the name: a process of this machine that is dead loses it.
    async fn busy(&mut self) -> End {
        let holder = match self.remote.get().await {
            Ok(Listener { holder: Some(holder), .. }) => holder,
            Ok(Listener { holder: None, .. }) => return lost("the other one has just gone"),
            Err(error) if may_pass(&error) => return lost(brief(&error)),
            Err(error) => return End::Over(error.into()),
        };
        match self.identity.busy(&self.name, &holder) {
            Some(failure) => End::Over(failure),
            None if self.manner == Manner::Alone => {
                self.manner = Manner::Takeover;
                End::Again
            }
            None => lost("a process that is dead has the name"),
        }
    }
}

struct Life {
    up: Option<Duration>,
    /// Whether it brought an event.
    brought: bool,
}

fn brief(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { cause, .. } => {
            let last = cause.rsplit(": ").next().unwrap_or(cause);
            last.split(" (os error").next().unwrap_or(last).to_lowercase()
        }
        error => error.to_string(),
    }
}

/// The innermost cause, which says most.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
