//! Chromium, driven by its own driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::program::Folder;

/// Set to leave out what needs a browser.
const WITHOUT: &str = "REPLAY_TESTS_WITHOUT_BROWSER";

pub struct Browser {
    client: Client,
    driver: Child,
    _alone: MutexGuard<'static, ()>,
}

/// One browser at a time: more are slower than one after the other.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A driver ends at once where the port that it was given for one address is taken for another.
const ATTEMPTS: usize = 5;

/// What the browser has logged since it was last asked.
#[derive(Debug)]
struct Logged(&'static str);

/// A command of the browser's own protocol.
#[derive(Debug)]
struct Devtools(&'static str, Value);

impl Browser {
    /// `None` where somebody wants no browser.
    pub async fn start(folder: &Folder) -> Option<Self> {
        if std::env::var_os(WITHOUT).is_some() {
            eprintln!("LEFT OUT, because {WITHOUT} is set: reports were not looked at in a browser");
            return None;
        }
        let alone = ALONE.lock().await;
        let (mut driver, port) =
            (0..ATTEMPTS).find_map(|_| start_driver()).expect("a driver that says its port");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1200,1500",
            &format!("--user-data-dir={}", folder.path("profile")),
        ];
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let connected = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        match connected {
            Ok(client) => Some(Self { client, driver, _alone: alone }),
            Err(error) => {
                let _ = driver.kill();
                panic!("chromium does not start: {error}; {WITHOUT}=1 leaves these tests out")
            }
        }
    }

    pub async fn open(&mut self, path: &str) {
        // What was logged so far is of the page before, which the browser itself may have opened.
        self.client.goto("about:blank").await.unwrap();
        for log in ["browser", "performance"] {
            self.logged(log).await;
        }
        self.client.goto(&format!("file://{path}")).await.unwrap();
    }

    /// What the script returns, which finds the text among its arguments.
    pub async fn ask<T: DeserializeOwned>(&mut self, script: &str, argument: &str) -> T {
        let answer = self.client.execute(script, vec![argument.into()]).await.unwrap();
        serde_json::from_value(answer).unwrap()
    }

    pub async fn choose(&mut self, select: &str, value: &str) {
        let select = self.client.find(Locator::Id(select)).await.unwrap();
        select.select_by_value(value).await.unwrap();
    }

    pub async fn click(&mut self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    pub async fn press(&mut self, selector: &str, keys: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Shows the page as it would be printed.
    pub async fn print_on_paper(&mut self) {
        self.client
            .issue_cmd(Devtools("Emulation.setEmulatedMedia", json!({"media": "print"})))
            .await
            .unwrap();
    }

    /// Makes the window so large.
    pub async fn resize(&mut self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.unwrap();
    }

    /// What the browser's console says.
    pub async fn complaints(&mut self) -> Vec<String> {
        self.logged("browser").await.iter().map(ToString::to_string).collect()
    }

    /// What the page asked for, itself included.
    pub async fn requests(&mut self) -> Vec<String> {
        let messages = self.logged("performance").await;
        let messages = messages
            .iter()
            .map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let requests = messages.filter(|entry| entry["message"]["method"] == "Network.requestWillBeSent");
        let urls =
            requests.map(|entry| entry["message"]["params"]["request"]["url"].as_str().unwrap().to_owned());
        urls.filter(|url| !url.starts_with("data:")).collect()
    }

    pub async fn end(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }

    async fn logged(&mut self, log: &'static str) -> Vec<Value> {
        let entries = self.client.issue_cmd(Logged(log)).await.unwrap();
        entries.as_array().unwrap().clone()
    }
}

/// The driver and the port that it listens on.
fn start_driver() -> Option<(Child, String)> {
    let mut command = Command::new("chromedriver");
    let driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut driver = driver.unwrap_or_else(|error| {
        panic!(
            "no browser to look at reports with: `chromedriver` does not start ({error}). Install the \
             Debian packages chromium and chromium-driver, or set {WITHOUT}=1 to leave these tests out"
        )
    });
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let said =
        |line: String| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned());
    let Some(port) = lines.by_ref().map_while(Result::ok).find_map(said) else {
        driver.wait().unwrap();
        return None;
    };
    // It may say more, and must not wait for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

/// Where a test fails, its driver ends with it.
impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
    }
}

impl WebDriverCompatibleCommand for Logged {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": self.0}).to_string()))
    }
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"cmd": self.0, "params": self.1}).to_string()))
    }
}
