//! The peer dscode-extension-host: that crate's client of an extension host, here Bulkhead's own
//! Node host with an extension whose command `echo` returns its arguments. Speaks the line
//! protocol of ../../README.md.

mod echo_host;
mod round;

use echo_host::{EchoHost, HostFiles};
use serde_json::{json, Value};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::io::{stdin, AsyncBufReadExt, BufReader};

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() {
    let Some((bootstrap, extension)) = arguments(std::env::args().skip(1)) else {
        eprintln!("usage: dscode-peer --bootstrap PATH/bootstrap.js --extension DIR");
        std::process::exit(2);
    };
    if let Err(error) = serve(&bootstrap, &extension).await {
        eprintln!("dscode-peer: {error}");
        std::process::exit(1);
    }
    // A read of stdin may still wait in a thread of the runtime's; nothing else is left.
    std::process::exit(0);
}

fn arguments(mut given: impl Iterator<Item = String>) -> Option<(PathBuf, PathBuf)> {
    let (mut bootstrap, mut extension) = (None, None);
    while let Some(name) = given.next() {
        let value = PathBuf::from(given.next()?);
        match name.as_str() {
            "--bootstrap" => bootstrap = Some(value),
            "--extension" => extension = Some(value),
            _ => return None,
        }
    }
    Some((bootstrap?, extension?))
}

async fn serve(bootstrap: &Path, extension: &Path) -> Outcome<()> {
    let files = HostFiles::copy(bootstrap, extension)?;
    let (host, ms) = timed_start(&files).await?;
    print(json!({"ready": true, "start_ms": ms}))?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let asked: Value = serde_json::from_str(&line)?;
        print(if asked.get("starts").is_some() {
            fresh_starts(&files, positive(&asked, "starts")?).await?
        } else {
            let bytes = positive(&asked, "bytes")?;
            let in_flight = positive(&asked, "in_flight")?;
            round::measure(&host, bytes, in_flight, positive(&asked, "calls")?).await?
        })?;
    }
    host.stop().await
}

fn positive(asked: &Value, key: &str) -> Outcome<usize> {
    match asked.get(key).and_then(Value::as_u64) {
        Some(number) if number > 0 => Ok(usize::try_from(number)?),
        _ => Err(format!("\"{key}\" is not a positive integer: {asked}").into()),
    }
}

fn print(answer: Value) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")?;
    Ok(out.flush()?)
}

async fn timed_start(files: &HostFiles) -> Outcome<(EchoHost, f64)> {
    let begin = Instant::now();
    let host = EchoHost::start(files).await?;
    round::checked_echo(host.ipc(), "x").await?;
    Ok((host, begin.elapsed().as_secs_f64() * 1e3))
}

async fn fresh_starts(files: &HostFiles, count: usize) -> Outcome<Value> {
    let mut times = Vec::new();
    for _ in 0..count {
        let (host, ms) = timed_start(files).await?;
        times.push(ms);
        host.stop().await?;
    }
    Ok(json!({ "starts_ms": times }))
}
