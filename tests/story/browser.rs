//! Debian's headless Chromium, driven through WebDriver.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleetwatch::clock;
use thirtyfour::prelude::*;

/// Longest wait for what has to come on a machine with other things to do.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A running chromedriver. Dropping it ends it and the browsers that it started.
pub struct Driver {
    child: Child,
    address: String,
}

/// What a window is to be like.
#[derive(Clone, Copy)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub javascript: bool,
}

impl Window {
    pub const DESK: Self = Self { width: 1_280, height: 900, javascript: true };
    /// What nearly every phone has at least.
    pub const PHONE: Self = Self { width: 390, height: 844, javascript: true };
    /// A screen on the wall.
    pub const WALL: Self = Self { width: 1_920, height: 1_080, javascript: true };
    pub const PLAIN: Self = Self { width: 1_280, height: 900, javascript: false };
}

/// A browser with one page.
pub struct Page {
    driver: WebDriver,
    site: String,
}

/// The program, or `None` with a message when it is not installed. On CI it has to be.
fn program(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|place| place.join(name)).find(|program| program.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed (apt-get install {package})");
        println!("skipped: {name} is not installed (apt-get install {package})");
    }
    found
}

impl Driver {
    /// Starts chromedriver on a free port; `None` where it or the browser is missing.
    pub fn start() -> Option<Self> {
        // The driver is spoken to without TLS; its client wants to know by whose means it could be.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        program("chromium", "chromium")?;
        let program = program("chromedriver", "chromium-driver")?;
        let mut child =
            Command::new(program).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().unwrap_or_else(|| panic!("chromedriver ended: {told}")).unwrap();
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
            told.push_str(&line);
        };
        // It may go on talking; nobody listens, and it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address: format!("http://127.0.0.1:{port}") })
    }

    /// Opens a browser on a site.
    pub async fn open(&self, site: &str, window: Window) -> Page {
        let mut wanted = DesiredCapabilities::chrome();
        let size = format!("--window-size={},{}", window.width, window.height);
        // As root there is no sandbox, and a container's shared memory is small.
        for argument in
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en", &size]
        {
            wanted.add_arg(argument).unwrap();
        }
        let mut settings = serde_json::json!({ "intl.accept_languages": "en" });
        if !window.javascript {
            // As a person switches it off in the settings.
            settings["profile.default_content_setting_values.javascript"] = 2.into();
        }
        wanted.add_experimental_option("prefs", settings).unwrap();
        if window.width < 500 {
            // A window on a desk is never that narrow.
            let (width, height) = (window.width, window.height);
            let metrics = serde_json::json!({ "width": width, "height": height, "pixelRatio": 1.0, "touch": true });
            wanted.add_experimental_option("mobileEmulation", serde_json::json!({ "deviceMetrics": metrics })).unwrap();
        }
        let driver = WebDriver::new(&self.address, wanted).await.unwrap();
        Page { driver, site: site.to_owned() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    /// Goes to an address of the site.
    pub async fn go(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.site)).await.unwrap();
    }

    /// The address as it stands, without the site.
    pub async fn path(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url.as_str().trim_start_matches(&self.site).to_owned()
    }

    /// The text of the first element, as it is seen; `None` when there is none just now.
    pub async fn text(&self, css: &str) -> Option<String> {
        // A page that keeps itself fresh may take the element away between the two.
        self.driver.find(By::Css(css)).await.ok()?.text().await.ok()
    }

    pub async fn has(&self, css: &str) -> bool {
        self.driver.find(By::Css(css)).await.is_ok()
    }

    /// Types into a field, over what stands there.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses the value of a list.
    pub async fn choose(&self, css: &str, value: &str) {
        self.find(&format!("{css} option[value='{value}']")).await.click().await.unwrap();
    }

    /// Clicks, and waits for the page that follows where it is a form's or a link's.
    pub async fn click(&self, css: &str) {
        let deadline = clock::monotonic() + PATIENCE;
        // Taken away by the page's own freshness while the mouse is on its way: then the new one is clicked.
        while let Err(error) = self.find(css).await.click().await {
            assert!(clock::monotonic() < deadline, "{css} cannot be clicked: {error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn find(&self, css: &str) -> WebElement {
        let deadline = clock::monotonic() + PATIENCE;
        loop {
            match self.driver.find(By::Css(css)).await {
                Ok(element) => return element,
                Err(error) if clock::monotonic() > deadline => {
                    panic!("no {css} on {}: {error}\n{}", self.path().await, self.body().await)
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Waits until the text of an element holds `wanted`, in capitals or not, at most `limit`. Nothing is reloaded.
    pub async fn shows_within(&self, css: &str, wanted: &str, limit: Duration) -> Duration {
        let start = clock::monotonic();
        loop {
            if self.text(css).await.is_some_and(|text| text.to_lowercase().contains(&wanted.to_lowercase())) {
                return start.elapsed();
            }
            if start.elapsed() > limit {
                panic!(
                    "{css} does not show {wanted:?} within {limit:?} on {}:\n{}",
                    self.path().await,
                    self.body().await
                );
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// As [`Self::shows_within`], for what only has to come.
    pub async fn shows(&self, css: &str, wanted: &str) {
        self.shows_within(css, wanted, PATIENCE).await;
    }

    /// Waits until an element is seen, at most `limit`.
    pub async fn shown_within(&self, css: &str, limit: Duration) {
        self.is_within(css, limit, true).await;
    }

    /// The same, until it is not seen any more.
    pub async fn gone_within(&self, css: &str, limit: Duration) {
        self.is_within(css, limit, false).await;
    }

    async fn is_within(&self, css: &str, limit: Duration, shown: bool) {
        let start = clock::monotonic();
        while self.shown(css).await != shown {
            assert!(start.elapsed() < limit, "{css} is not shown: {shown} within {limit:?}:\n{}", self.body().await);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Whether an element is there to be seen.
    pub async fn shown(&self, css: &str) -> bool {
        match self.driver.find(By::Css(css)).await {
            Ok(element) => element.is_displayed().await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Waits until the text of an element is another than `before`.
    pub async fn changes(&self, css: &str, before: &str) {
        let deadline = clock::monotonic() + PATIENCE;
        while self.text(css).await.is_some_and(|text| text == before) {
            assert!(clock::monotonic() < deadline, "{css} stays {before:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What stands in the tab.
    pub async fn title(&self) -> String {
        self.driver.title().await.unwrap()
    }

    /// What stands in a field.
    pub async fn value(&self, css: &str) -> String {
        self.find(css).await.value().await.unwrap().unwrap_or_default()
    }

    /// Runs a script on the page.
    pub async fn run(&self, script: &str) {
        self.driver.execute(script, Vec::new()).await.unwrap();
    }

    /// The whole text of the page.
    pub async fn body(&self) -> String {
        self.text("body").await.unwrap_or_default()
    }

    /// By how many pixels the page is wider than its window.
    pub async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// By how many pixels the page is higher than its window.
    pub async fn overhang(&self) -> i64 {
        let script = "return document.documentElement.scrollHeight - document.documentElement.clientHeight";
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Leaves a mark that a page which is loaded anew does not have.
    pub async fn mark(&self) -> String {
        self.driver.execute("return window.mark = String(Math.random())", Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Whether it is still the page that was marked.
    pub async fn is_marked(&self, mark: &str) -> bool {
        let found = self.driver.execute("return window.mark || ''", Vec::new()).await.unwrap();
        found.convert::<String>().unwrap() == mark
    }

    /// What the browser complained of: broken scripts, refused resources. A form that is shown again with its faults is none.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap_or_default();
        log.into_iter().map(|entry| entry.message).filter(|message| !message.contains("status of 422")).collect()
    }

    /// Keeps a picture below `target/`, for whoever wants to look.
    pub async fn picture(&self, name: &str) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("story");
        std::fs::create_dir_all(&directory).unwrap();
        self.driver.screenshot(&directory.join(format!("{name}.png"))).await.unwrap();
    }

    /// Leaves in order, so that no browser stays behind.
    pub async fn close(self) {
        self.driver.quit().await.unwrap();
    }
}
