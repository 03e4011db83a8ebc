//! A PostgreSQL of the tests' own, on loopback.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use idgroup::{Destinations, ExternalId, Timestamp};
use tokio_postgres::NoTls;

use crate::certificates::make_certificates;

/// A server of its own. Ends with the value.
pub struct Server {
    directory: PathBuf,
    port: u16,
}

/// A database with the worker's tables.
pub struct Database {
    pub url: String,
    /// Kept running.
    #[allow(dead_code, reason = "it is there to be dropped")]
    pub server: Option<Arc<Server>>,
}

/// A table that nobody else can read. Given back with the value.
pub struct Lock {
    _client: tokio_postgres::Client,
    _runtime: tokio::runtime::Runtime,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn prepare() -> Self {
        static SERVERS: AtomicUsize = AtomicUsize::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("sync-worker-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&directory));
        }
        let server = Self { directory, port: free_port() };
        let data = server.data();
        run(&mut server
            .tool("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]));
        server
    }

    pub fn start() -> Self {
        let server = Self::prepare();
        server.go_on();
        server
    }

    /// One that lets nobody in over the network but by TLS and a password; and its certificates.
    pub fn start_secure(password: &str) -> Self {
        let server = Self::prepare();
        make_certificates(&server.directory);
        let data = Path::new(&server.data()).to_owned();
        for name in ["server.key", "server.pem"] {
            let path = data.join(name);
            std::fs::copy(server.directory.join(name), &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let entries = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), entries).unwrap();
        let settings = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n";
        let mut file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        server.go_on();
        server.local("postgres").execute(&format!("alter role postgres password '{password}'"));
        server
    }

    /// A database, entered by the server's own directory.
    pub fn local(&self, name: &str) -> Database {
        let (directory, port) = (self.directory.display(), self.port);
        Database { url: format!("host={directory} port={port} user=postgres dbname={name}"), server: None }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of its certificates' files.
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// One that loses nothing with its machine, as those that figures are of, with more of its options.
    pub fn start_durable(options: &str) -> Self {
        let server = Self::prepare();
        server.go_on_with(options);
        server
    }

    /// Starts it again where it stopped.
    pub fn go_on(&self) {
        self.go_on_with("-c fsync=off");
    }

    fn go_on_with(&self, options: &str) {
        let options = format!("-h 127.0.0.1 -p {} -k {} {options}", self.port, self.directory.display());
        let log = self.directory.join("log");
        run(&mut self.tool(
            "pg_ctl",
            &["-D", &self.data(), "-o", &options, "-l", &log.to_string_lossy(), "-w", "start"],
        ));
    }

    /// As if the machine had lost its power.
    pub fn crash(&self) {
        run(&mut self.tool("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]));
    }

    /// The server's process and those of its connections.
    pub fn processes(&self) -> Vec<u32> {
        let file = Path::new(&self.data()).join("postmaster.pid");
        let first = std::fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        [first].into_iter().chain(children.split_whitespace().map(|child| child.parse().unwrap())).collect()
    }

    pub fn database(&self, name: &str) -> Database {
        let root =
            Database { url: format!("postgres://postgres@127.0.0.1:{}/postgres", self.port), server: None };
        root.execute(&format!("create database {name}"));
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", self.port);
        run(Command::new(env!("CARGO_BIN_EXE_sync-worker")).args([
            "--log",
            "warn",
            "migrate",
            "--database-url",
            &url,
        ]));
        Database { url, server: None }
    }

    fn data(&self) -> String {
        self.directory.join("data").to_string_lossy().into_owned()
    }

    /// One of PostgreSQL's programs, which refuse to run as root.
    fn tool(&self, name: &str, arguments: &[&str]) -> Command {
        let program = program(name);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        command.args(arguments).current_dir(&self.directory);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.tool("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]).output();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A database of a server that tests share while any of them has one.
pub fn shared(name: &str) -> Database {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    let server = shared.upgrade().unwrap_or_else(|| Arc::new(Server::start()));
    *shared = Arc::downgrade(&server);
    Database { server: Some(server.clone()), ..server.database(name) }
}

impl Database {
    pub fn execute(&self, sql: &str) {
        block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
        });
    }

    /// What a query of one number says.
    pub fn number(&self, sql: &str) -> f64 {
        block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let row = client.query_one(&format!("select ({sql})::float8"), &[]).await.unwrap();
            row.get::<_, Option<f64>>(0).unwrap_or_default()
        })
    }

    /// The text that a query answers with.
    pub fn text(&self, sql: &str) -> String {
        block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let text = client.query_one(sql, &[]).await.unwrap().get(0);
            drop(client);
            connection.await.unwrap().unwrap();
            text
        })
    }

    /// Does something while a transaction that has begun so is open, and commits it.
    pub fn while_in(&self, sql: &str, then: impl FnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(&self.url, NoTls)).unwrap();
        let connection = runtime.spawn(connection);
        runtime.block_on(client.batch_execute(&format!("begin; {sql}"))).unwrap();
        then();
        runtime.block_on(client.batch_execute("commit")).unwrap();
        drop(client);
        runtime.block_on(connection).unwrap().unwrap();
    }

    /// Keeps everybody else from a table.
    pub fn lock(&self, table: &str) -> Lock {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
                .batch_execute(&format!("begin; lock table {table} in access exclusive mode"))
                .await
                .unwrap();
            client
        });
        Lock { _client: client, _runtime: runtime }
    }

    /// What the database says of a statement that it refuses.
    #[track_caller]
    pub fn refusal(&self, sql: &str) -> String {
        block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let error = client.batch_execute(sql).await.expect_err(sql);
            error.as_db_error().unwrap().message().to_owned()
        })
    }

    pub fn store_destinations(&self, destinations: &BTreeMap<String, Destinations>) {
        let json = serde_json::to_string(destinations).unwrap();
        self.execute(&format!(
            "insert into computations (id) select key from jsonb_each({json}::jsonb);
             insert into destinations (computation_id, id, name, id_strategies, consent, dedupes_on)
             select key, d ->> 'id', d ->> 'name', d -> 'id_strategies', d ->> 'consent', (
                 select array_agg(t) from jsonb_array_elements_text(nullif(d -> 'dedupes_on', 'null')) t)
             from jsonb_each({json}::jsonb), jsonb_array_elements(value) d",
            json = quoted(&json)
        ));
    }

    pub fn store_identities<'a>(
        &self,
        identities: impl Iterator<Item = (&'a (String, String), &'a Vec<ExternalId>)>,
    ) {
        let mut rows = Vec::new();
        for ((space, profile), ids) in identities {
            for id in ids {
                let time = |time: Option<Timestamp>| {
                    time.map_or("null".to_owned(), |time| quoted(&time.to_string()))
                };
                // What was not given is not to be stored.
                let json = serde_json::to_value(id).unwrap();
                let attached_at =
                    json.get("attached_at").map_or("null".to_owned(), |time| quoted(time.as_str().unwrap()));
                let subscribed = id.subscribed().map_or("null".to_owned(), |known| known.to_string());
                rows.push(format!(
                    "({},{},{},{},{},{},{},{attached_at},{subscribed})",
                    quoted(space),
                    quoted(profile),
                    quoted(id.collection().as_str()),
                    quoted(id.id_type()),
                    quoted(id.id()),
                    quoted(id.encoding()),
                    time(id.created_at()),
                ));
            }
        }
        for rows in rows.chunks(5_000) {
            let columns =
                "space_id, profile_id, collection, type, id, encoding, created_at, attached_at, subscribed";
            self.execute(&format!("insert into external_ids ({columns}) values {}", rows.join(",")));
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| Path::new(name).to_owned())
}

#[track_caller]
fn run(command: &mut Command) {
    // Not `output()`: a server that stays would keep the pipes open.
    let status = command.stdout(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}");
}
