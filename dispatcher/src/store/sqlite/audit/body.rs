//! What stands in the bodies of events. Looked at here and not in SQL, whose JSON functions do not
//! go as deep as bodies may.

use futures_util::TryStreamExt;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::super::statement;
use super::{SHOWN, Violation, rules};

/// What a body says that its row says as well.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    event: std::borrow::Cow<'a, str>,
    livemode: bool,
}

/// The events whose body is not that of their row.
pub(super) async fn check(snapshot: &mut SqliteConnection) -> Vec<Violation> {
    let mut rows = sqlx::query_as(statement::BODIES).fetch(snapshot);
    let mut violations = Vec::new();
    while violations.len() < SHOWN {
        let row: (String, String, bool, Vec<u8>) = match rows.try_next().await {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => {
                violations.push(rules::BODIES.unchecked(&error));
                break;
            }
        };
        let (id, name, livemode, body) = row;
        let wrong = wrong(&id, &name, livemode, &body);
        violations.extend(wrong.map(|wrong| rules::BODIES.broken(format!("{id} {wrong}"))));
    }
    violations
}

fn wrong(id: &str, name: &str, livemode: bool, body: &[u8]) -> Option<String> {
    let said: Said<'_> = match serde_json::from_slice(body) {
        Ok(said) => said,
        Err(error) if error.is_data() => return Some("has a body that is no event".into()),
        Err(_) => return Some("has a body that is not JSON".into()),
    };
    if said.id != id {
        return Some(format!("has the body of {}", said.id));
    }
    if said.event != name {
        return Some(format!("is {name}, and its body says {}", said.event));
    }
    (said.livemode != livemode).then(|| format!("says livemode {}", said.livemode))
}
