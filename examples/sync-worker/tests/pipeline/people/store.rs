//! What resolves identities: it stores what has changed, and only then are the updates about it sent.

use std::fmt::Write;
use std::thread::sleep;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::database::Database;
use crate::people::owed::DESTINATIONS;
use crate::people::world::{AUDIENCE, Id, SPACE, Step, World, computed_at, profile_id};

pub struct Store {
    url: String,
    runtime: tokio::runtime::Runtime,
    client: Option<Client>,
}

impl Store {
    pub fn new(database: &Database) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { url: database.url.clone(), runtime, client: None }
    }

    /// Stores these steps in one transaction: again and again, while the database is away.
    pub fn keep(&mut self, world: &World, steps: &[Step]) {
        let sql = sql_of(world, steps);
        while !self.has_kept(&sql) {
            self.client = None;
            sleep(Duration::from_millis(200));
        }
    }

    fn has_kept(&mut self, sql: &str) -> bool {
        if self.client.is_none() {
            let connected = self.runtime.block_on(tokio_postgres::connect(&self.url, NoTls));
            let Ok((client, connection)) = connected else { return false };
            self.runtime.spawn(connection);
            self.client = Some(client);
        }
        let Some(client) = &self.client else { return false };
        self.runtime.block_on(client.batch_execute(sql)).is_ok()
    }
}

/// An audience whose destinations dedupe, each under its own name.
pub fn store_audience(database: &Database) {
    database.execute(&format!("insert into computations (id, space_id) values ('{AUDIENCE}', '{SPACE}')"));
    for (destination, types) in DESTINATIONS {
        let types = types.join(",");
        database.execute(&format!(
            "insert into destinations (computation_id, id, name, dedupes_on, call)
             values ('{AUDIENCE}', '{destination}', '{destination}', '{{{types}}}', '{{\"call\":\"track\"}}')"
        ));
    }
    database.execute(&format!("update rollout set share = 10000, spaces = '{{{SPACE}}}'"));
}

/// The changed profiles as they are now, whatever was there: the same if it is done twice.
fn sql_of(world: &World, steps: &[Step]) -> String {
    let mut sql = String::from("begin;");
    for profile in steps.iter().flat_map(|step| &step.changed) {
        let profile_id = profile_id(*profile);
        write!(sql, "delete from external_ids where space_id = '{SPACE}' and profile_id = '{profile_id}';")
            .unwrap();
        for id in world.held(*profile) {
            write!(
                sql,
                "insert into external_ids (space_id, profile_id, type, id)
                 values ('{SPACE}', '{profile_id}', '{}', '{}') on conflict do nothing;",
                id.id_type(),
                id.value()
            )
            .unwrap();
        }
    }
    for merge in steps.iter().flat_map(|step| &step.merges) {
        let held: serde_json::Value = merge.held.iter().copied().map(json).collect();
        let (from, into) = (profile_id(merge.from), profile_id(merge.into));
        let at = computed_at(merge.update);
        write!(
            sql,
            "insert into merged_profiles (space_id, profile_id, into_profile_id, merged_at, external_ids)
             values ('{SPACE}', '{from}', '{into}', '{at}', '{held}') on conflict do nothing;"
        )
        .unwrap();
    }
    sql.push_str("commit;");
    sql
}

fn json(id: Id) -> serde_json::Value {
    serde_json::json!({"type": id.id_type(), "id": id.value()})
}
