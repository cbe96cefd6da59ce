//! Whether tables and indexes are there, as the migrations make them. What an operator has added is
//! no matter.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::{Connection, SqliteConnection};

use super::super::open::migrate;
use super::super::statement;
use crate::store::StoreError;

/// A table or an index that is not as it should be.
#[derive(Debug)]
pub(super) struct Difference {
    kind: String,
    name: String,
    missing: bool,
    /// What makes it.
    sql: String,
}

impl Difference {
    /// What makes it, if it is an index, and there is none of its name.
    pub(super) fn remedy(self) -> Option<(String, String)> {
        (self.kind == "index" && self.missing).then_some((self.name, self.sql))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.missing { "is missing" } else { "is another one" };
        write!(f, "{} {} {how}", self.kind, self.name)
    }
}

/// What is not as in a database made now.
pub(super) async fn differences(
    snapshot: &mut SqliteConnection,
) -> Result<Vec<Difference>, StoreError> {
    let found = schema(snapshot).await?;
    let mut fresh = SqliteConnection::connect("sqlite::memory:").await?;
    migrate(&mut fresh).await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let mut differences = Vec::new();
    for ((kind, name), sql) in schema(&mut fresh).await? {
        let there = found.get(&(kind.clone(), name.clone()));
        if there != Some(&sql) {
            differences.push(Difference { kind, name, missing: there.is_none(), sql });
        }
    }
    Ok(differences)
}

type Schema = BTreeMap<(String, String), String>;

async fn schema(connection: &mut SqliteConnection) -> Result<Schema, StoreError> {
    let rows = sqlx::query_as(statement::SCHEMA).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(kind, name, sql)| ((kind, name), sql)).collect())
}
