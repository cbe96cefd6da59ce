//! A show for a real terminal, to be looked at:
//! `cargo test -p bluum-hooks-dispatcher screen::tests::demo -- --ignored --nocapture`.
//!
//! `BLUUM_DEMO=full` begins with the full screen, `flood` sends 50,000 events, 5,000 a second,
//! `panic` panics after a while.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::interval;

use super::script::*;
use crate::cli::listen::record::{Happening, Record, Wish};
use crate::cli::listen::screen::{Options, is_possible, run};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a terminal and somebody who looks"]
async fn show() {
    assert!(is_possible(), "this needs a terminal");
    let kind = std::env::var("BLUUM_DEMO").unwrap_or_default();
    let (happens, happenings) = unbounded_channel();
    let (wishes, mut wished) = unbounded_channel();
    let colour = std::env::var_os("NO_COLOR").is_none();
    let options = Options { full: kind == "full", colour, ..options() };
    let screen = tokio::spawn(run(happenings, wishes, None, options));
    let story = tokio::spawn(tell(happens.clone(), kind));
    while let Some(wish) = wished.recv().await {
        let notice = match wish {
            Wish::Quit => break,
            wish => format!("wished: {wish:?}"),
        };
        let _ = happens.send(Happening::Notice(notice));
    }
    story.abort();
    drop((story.await, happens));
    let summary = screen.await.unwrap().unwrap();
    assert!(!summary.to_string().is_empty());
}

async fn tell(happens: UnboundedSender<Happening>, kind: String) {
    let mut beat = interval(Duration::from_millis(200));
    beat.tick().await;
    beat.tick().await;
    let _ = happens.send(ready());
    for number in 0_u32.. {
        let flood = kind == "flood" && number < 50_000;
        if !flood || number % 1_000 == 0 {
            beat.tick().await;
        }
        let minutes = first_minutes();
        let kind_of = &minutes[usize::try_from(number).unwrap() % minutes.len()];
        let mut one = delivery(number, &kind_of.event_type, FINE);
        (one.outcome, one.status) = (kind_of.outcome, kind_of.status);
        (one.error, one.response) = (kind_of.error.clone(), kind_of.response.clone());
        one.at = jiff::Timestamp::from_second(1_795_000_000).unwrap().to_string();
        let _ = happens.send(began(&one));
        if !flood {
            beat.tick().await;
            beat.tick().await;
        }
        let _ = happens.send(done(one));
        match number {
            9 => drop(happens.send(Happening::Hint("that is a page; is :3000 it?".into()))),
            12 | 14 | 16 => drop(happens.send(disconnected())),
            18 => {
                let (offline_ms, transport) = (2_400, "sse".to_owned());
                drop(happens.send(told(Record::Resumed { offline_ms, waiting: 3, transport })));
            }
            3 => assert!(kind != "panic", "a panic, to see what is left of the terminal"),
            _ => {}
        }
    }
}
